"""Where the prepared form of a split lies, and what decides that. No torch here.

A prepared split lives in ``<home>/prepared/<domain>/<name>/<split>-<fingerprint>``. The fingerprint
covers everything the rows depend on, so a changed card prepares anew and never reads stale rows.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from domainkit import cache
from domainkit.cards import Card

__all__ = ["LAYOUT", "fingerprint", "prepared_folder"]

LAYOUT = 1  # of ``store``: raise it when the layout changes, and older stores are refused by name


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
    files = {}
    for role, key in spec.files.items():
        file = card.files[key]
        files[role] = file.digest or [*file.urls, str(file.path), file.manual, file.size]
    facts = {
        "layout": LAYOUT,
        "name": card.name,
        "split": split,
        "files": files,
        "features": {name: dict(feature) for name, feature in card.features.items()},
        "order": list(card.features),
        "reader": spec.reader,
        "args": dict(spec.args),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
