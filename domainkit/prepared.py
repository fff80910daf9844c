"""Where the prepared form of a split lies, and what decides that. No torch here.

A prepared split lives in ``<home>/prepared/<domain>/<name>/<split>-<fingerprint>``. The fingerprint
covers everything the rows depend on, so a changed card prepares anew and never reads stale rows. A
file without a digest counts by its size and time of change; one from the web by its addresses, as
what they will give is not known before it is fetched.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from domainkit import cache
from domainkit.cards import Card, FileSpec

__all__ = ["LAYOUT", "READERS_VERSION", "fingerprint", "manual_place", "prepared_folder"]

LAYOUT = 1  # of ``store``: raise it when the layout changes, and older stores are refused by name
READERS_VERSION = 1  # raise it when a built-in reader gives other rows: every split is made anew


def prepared_folder(card: Card, split: str) -> Path:
    """Where the store of a split is, or will be.

    Example:
        >>> from domainkit.cards import load_card
        >>> prepared_folder(load_card("vision/mnist"), "train").parent.name
        'mnist'
    """
    return cache.home() / "prepared" / card.name / f"{split}-{fingerprint(card, split)[:12]}"


def fingerprint(card: Card, split: str) -> str:
    """A digest (32 hex digits) of everything the rows of a split depend on."""
    spec = card.split(split)
    files = {role: _identity(card, card.files[key]) for role, key in spec.files.items()}
    facts = {
        "layout": LAYOUT,
        "readers": READERS_VERSION,
        "name": card.name,
        "split": split,
        "files": files,
        "features": {name: dict(feature) for name, feature in card.features.items()},
        "order": list(card.features),
        "reader": spec.reader,
        "args": dict(spec.args),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def manual_place(owner: str, file: FileSpec) -> Path:
    """Where a person puts a file that may not be fetched automatically."""
    return cache.home() / "manual" / owner / file.key


def _identity(card: Card, file: FileSpec) -> str | list[str | int | None]:
    """What tells a file from another one of the same card, JSON-safe."""
    if file.digest is not None:
        return file.digest
    named = [*file.urls, str(file.path), file.manual, file.size]
    if file.urls:
        return named
    try:
        stat = (file.path or manual_place(card.name, file)).stat()
    except OSError:  # not there: what needs it says so
        return named
    return [*named, stat.st_size, stat.st_mtime_ns]
