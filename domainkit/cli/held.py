"""What is on this machine of a dataset or of weights: its files and its prepared splits.

Looks at records and sizes only; nothing is fetched, hashed or opened, and torch is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from domainkit import cache
from domainkit.cache.digest import Digest
from domainkit.cache.layout import Slot, slot_for
from domainkit.cards import Card, FileSpec
from domainkit.prepared import Prepared, all_prepared, find_manual, find_prepared, read_prepared

__all__ = ["HeldFile", "Prepared", "all_prepared", "held_file", "prepared_split", "slot_of"]


@dataclass(frozen=True)
class HeldFile:
    """One file of a card, here or not.

    ``state`` is "shipped" (comes with its card), "cached", "manual" (put there by a person),
    "absent", or "damaged" (there, with another size than it was fetched with). ``entry`` is its
    record in the cache, or in a shared one.
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


def held_file(owner: str, spec: FileSpec) -> HeldFile:
    """Where a file of the card called ``owner`` is."""
    if spec.path is not None:
        return HeldFile(spec, "shipped" if spec.path.is_file() else "damaged", _real(spec.path))
    slot = slot_of(spec)
    if slot is None:
        place = find_manual(owner, spec)
        return HeldFile(spec, "manual", place) if place else HeldFile(spec, "absent")
    entry = slot.find(spec.size)
    if entry is not None:
        return HeldFile(spec, "cached", entry.path, entry)
    # fetch() would take a file of another size for absent, and fetch it again
    left = slot.recorded()
    if left is not None and left.path.is_file():
        return HeldFile(spec, "damaged", left.path)
    return HeldFile(spec, "absent")


def slot_of(spec: FileSpec) -> Slot | None:
    """Where the cache keeps a file; None for one that is not from the web."""
    digest = None if spec.digest is None else Digest.parse(spec.digest)
    return slot_for(spec.urls, digest, None) if spec.urls else None


def prepared_split(card: Card, split: str) -> Prepared | None:
    """The prepared form of a split as its card is now; None where there is none."""
    folder = find_prepared(card, split, used=False)
    return None if folder is None else read_prepared(card.name, folder)


def _real(path: Path) -> Path | None:
    return path if path.is_file() else None
