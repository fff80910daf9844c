"""What is on this machine of a dataset or of weights: its files and its prepared splits.

Looks at records and sizes only; nothing is fetched, hashed or opened, and torch is not needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from domainkit import cache
from domainkit.cache.digest import Digest
from domainkit.cache.layout import Slot, slot_for
from domainkit.cards import Card, FileSpec
from domainkit.prepared import manual_place, prepared_folder

__all__ = ["HeldFile", "Prepared", "all_prepared", "held_file", "prepared_split", "slot_of"]


@dataclass(frozen=True)
class HeldFile:
    """One file of a card, here or not.

    ``state`` is "shipped" (comes with its card), "cached", "manual" (put there by a person),
    "absent", or "damaged" (there, with another size than it was fetched with). ``entry`` is its
    record in the cache.
    """

    spec: FileSpec
    state: str
    path: Path | None = None
    entry: cache.Entry | None = None

    @property
    def here(self) -> bool:
        return self.state in ("shipped", "cached", "manual")

    @property
    def size(self) -> int | None:
        """Bytes on disk where it is here, else what the card says."""
        return self.path.stat().st_size if self.path else self.spec.size


@dataclass(frozen=True)
class Prepared:
    """One prepared split on disk; ``rows`` is None where its record is damaged, ``size`` bytes."""

    name: str
    split: str
    folder: Path
    rows: int | None
    size: int
    last_used: float


def held_file(owner: str, spec: FileSpec) -> HeldFile:
    """Where a file of the card called ``owner`` is."""
    if spec.path is not None:
        return HeldFile(spec, "shipped" if spec.path.is_file() else "damaged", _real(spec.path))
    slot = slot_of(spec)
    if slot is None:
        place = manual_place(owner, spec)
        return HeldFile(spec, "manual", place) if place.is_file() else HeldFile(spec, "absent")
    entry = slot.find(spec.size)
    if entry is not None:
        return HeldFile(spec, "cached", entry.path, entry)
    # fetch() would take a file of another size for absent, and fetch it again
    left = next((file for file in slot.folder.glob("[!.]*")), None)
    return HeldFile(spec, "damaged", left) if left else HeldFile(spec, "absent")


def slot_of(spec: FileSpec) -> Slot | None:
    """Where the cache keeps a file; None for one that is not from the web."""
    digest = None if spec.digest is None else Digest.parse(spec.digest)
    return slot_for(spec.urls, digest, None) if spec.urls else None


def prepared_split(card: Card, split: str) -> Prepared | None:
    """The prepared form of a split as its card is now; None where there is none."""
    return _read(card.name, prepared_folder(card, split))


def all_prepared(name: str | None = None) -> Iterator[Prepared]:
    """Every prepared split in the cache (of one dataset), those of changed cards too."""
    for record in sorted((cache.home() / "prepared").glob("*/*/*/store.json")):
        folder = record.parent
        owner = f"{folder.parent.parent.name}/{folder.parent.name}"
        found = _read(owner, folder) if name in (None, owner) else None
        if found is not None:
            yield found


def _real(path: Path) -> Path | None:
    return path if path.is_file() else None


def _read(name: str, folder: Path) -> Prepared | None:
    record = folder / "store.json"
    try:
        stat = record.stat()
        size = sum(file.stat().st_size for file in folder.iterdir())
    except OSError:
        return None
    try:
        rows = sum(json.loads(record.read_text(encoding="utf-8"))["part_rows"])
    except (OSError, ValueError, KeyError, TypeError):
        rows = None
    last = max(stat.st_atime, stat.st_mtime)  # opening a store reads its record
    return Prepared(name, folder.name.rpartition("-")[0], folder, rows, size, last)
