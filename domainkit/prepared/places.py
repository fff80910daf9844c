"""Where the prepared form of a split lies, and what decides that. No torch here.

A prepared split lives in ``<home>/prepared/<domain>/<name>/<split>-<fingerprint>``. The fingerprint
covers everything the rows depend on, so a changed card prepares anew and never reads stale rows. A
file without a digest counts by its size and time of change; one from the web by its addresses, as
what they will give is not known before it is fetched.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from domainkit import cache
from domainkit.cache.homes import check_layout, shared_homes
from domainkit.cards import Card, FileSpec

__all__ = [
    "LAYOUT",
    "READERS_VERSION",
    "find_manual",
    "find_prepared",
    "fingerprint",
    "manual_place",
    "note_use",
    "prepared_folder",
    "store_lock",
]

LAYOUT = 2  # of ``store``: raise it when the layout changes, and older stores are refused by name
READERS_VERSION = 1  # raise it when a built-in reader gives other rows: every split is made anew


def prepared_folder(card: Card, split: str) -> Path:
    """Where the store of a split is written; ``find_prepared`` says where there is one.

    Example:
        >>> from domainkit.cards import load_card
        >>> prepared_folder(load_card("vision/mnist"), "train").parent.name
        'mnist'
    """
    return cache.home() / "prepared" / card.name / f"{split}-{fingerprint(card, split)[:12]}"


def find_prepared(card: Card, split: str, *, used: bool = True) -> Path | None:
    """The folder of a split's store: in the cache, else in a shared one; None where there is none.

    Args:
        used: note the use, by which ``domainkit cache prune`` goes. A cache that cannot be written
            keeps no such notes.

    Raises:
        FetchError: the cache is of another layout, or cannot be entered.

    Example:
        >>> from domainkit.cards import load_card
        >>> find_prepared(load_card("vision/mnist"), "train") is None
        True
    """
    folder = prepared_folder(card, split)
    check_layout(cache.home())
    record = folder / "store.json"
    if record.is_file():
        if used:
            note_use(record)
        return folder
    for base in shared_homes():
        theirs = base / "prepared" / card.name / folder.name
        if os.path.isfile(theirs / "store.json"):  # no error where it may not be read
            return theirs
    return None


def note_use(record: Path) -> None:
    """Notes that something prepared is used now, in the time of change of its record."""
    with suppress(OSError):
        os.utime(record)


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


def find_manual(owner: str, file: FileSpec) -> Path | None:
    """Such a file where it is there: in the cache, else in a shared one.

    Raises:
        FetchError: the cache is of another layout, or cannot be entered.
    """
    check_layout(cache.home())
    for base in (cache.home(), *shared_homes()):
        place = base / "manual" / owner / file.key
        if os.path.isfile(place):
            return place
    return None


def store_lock(folder: Path) -> str:
    """The name of the lock that is held while something is written to a folder in ``prepared``.

    Example:
        >>> store_lock(Path("/cache/prepared/vision/mnist/train-0a1b2c"))
        'prepare-vision/mnist-train-0a1b2c'
    """
    group, owner, name = folder.parts[-3:]
    if owner == "hf":
        return f"to-hf-{name}"
    return f"prepare-{group}{'-' if group == 'own' else '/'}{owner}-{name}"


def _identity(card: Card, file: FileSpec) -> str | list[str | int | None]:
    """What tells a file from another one of the same card, JSON-safe."""
    if file.digest is not None:
        return file.digest
    named = [*file.urls, str(file.path), file.manual, file.size]
    if file.urls:
        return named
    place = file.path or find_manual(card.name, file)
    try:
        stat = place.stat() if place else None
    except OSError:
        stat = None
    # not there: what needs it says so
    return [*named, stat.st_size, stat.st_mtime_ns] if stat else named
