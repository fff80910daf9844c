"""Looking after what lies in ``prepared``: listing it, taking it out. No torch.

    <home>/prepared/<domain>/<name>/<split>-<fingerprint>   splits of datasets with a card
    <home>/prepared/own/<name>/<split>-<key>                own data
    <home>/prepared/hf/<digest>                             what was written for ``datasets``

A folder whose name begins with a dot is being made or removed; without its lock held, it is left
over from a process that was killed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from domainkit import cache
from domainkit.cache.scraps import Leftover
from domainkit.prepared.places import store_lock

__all__ = [
    "Prepared",
    "all_prepared",
    "read_prepared",
    "remove_store",
    "store_leftovers",
]

_EXPORTED = "data.arrow"  # what is written for ``datasets``, which adds files of its own
# The names that we give: only these are taken for ours, as others may keep things there too.
_SPLIT = re.compile(r"[^.].*-[0-9a-f]{12}")
_MADE = re.compile(r"\.(.+-[0-9a-f]{12})\.[a-z0-9_]{8}")
_EXPORT = re.compile(r"[0-9a-f]{32}")
_EXPORT_MADE = re.compile(r"\.([0-9a-f]{32}|data\.arrow)\.[0-9a-f]{8}")


@dataclass(frozen=True)
class Prepared:
    """One prepared split on disk.

    ``name`` is the dataset's ("own/..." for own data, "hf/..." for what was written for
    ``datasets``); ``rows`` is None where its record is damaged or has none; ``size`` in bytes.
    ``layout`` is the one it was written in: a version of domainkit reads one, and prepares anew
    what is in another.
    """

    name: str
    split: str
    folder: Path
    rows: int | None
    size: int
    last_used: float
    layout: int | None = None

    @property
    def lock(self) -> str:
        """The lock of whoever makes it."""
        return store_lock(self.folder)

    def take(self) -> bool:
        """Deletes it; False where it is being made, or was used since."""
        from domainkit.cache.upkeep import hold_unused

        with hold_unused([self.lock]) as free:
            now = read_prepared(self.name, self.folder) if free else None
            if now is None or now.last_used > self.last_used:
                return False
            remove_store(self.folder)
            return True


def all_prepared(name: str | None = None) -> Iterator[Prepared]:
    """Every prepared split in the cache (of one dataset), those of changed cards too."""
    room = cache.home() / "prepared"
    records = [*room.glob("*/*/*/store.json"), *room.glob(f"hf/*/{_EXPORTED}")]
    for folder in sorted(record.parent for record in records):
        owner = "/".join(folder.relative_to(room).parts[:2])
        ours = _EXPORT.fullmatch(folder.name) or _SPLIT.fullmatch(folder.name)
        if name not in (None, owner) or not ours:
            continue
        found = read_prepared(owner, folder)
        if found is not None:
            yield found


def read_prepared(name: str, folder: Path) -> Prepared | None:
    """What is in one folder; None where there is nothing."""
    record = folder / "store.json"
    exported = not record.exists()
    if exported:
        record = folder / _EXPORTED
    try:
        stat = record.stat()
        size = sum(file.stat().st_size for file in folder.iterdir())
    except OSError:
        return None
    rows = layout = None
    if not exported:
        with suppress(OSError, ValueError, KeyError, TypeError):
            facts = json.loads(record.read_text(encoding="utf-8"))
            rows, layout = sum(facts["part_rows"]), facts["layout"]
    split = "" if exported else folder.name.rpartition("-")[0]
    # The time of the last reading is not kept everywhere, and that of a record is our own reading.
    # But nobody may change the other time of an export: ``datasets`` goes by it.
    last = max(stat.st_mtime, stat.st_atime if exported else 0.0)
    return Prepared(name, split, folder, rows, size, last, layout)


def remove_store(folder: Path) -> None:
    """Deletes a folder in ``prepared``; the caller holds its lock.

    It loses its name at once, so that nobody meets one that is half gone. What a kill leaves has
    the name of one being made, and goes with those.
    """
    doomed = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    os.rename(folder, doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def store_leftovers() -> Iterator[Leftover]:
    """What a killed prepare, export or removal left; what has no name that we give is passed over.

    Example:
        >>> import os, tempfile
        >>> from unittest import mock
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with mock.patch.dict(os.environ, {"DOMAINKIT_HOME": folder}):
        ...         list(store_leftovers())
        []
    """
    room = cache.home() / "prepared"
    for path in sorted([*room.glob("*/*/*"), *room.glob("hf/.*")]):
        lock = _lock_of_leftover(path, path.relative_to(room).parts)
        if lock is not None:
            why = "of a stopped run"
            if not path.name.startswith("."):
                why = "a prepared split without its record"
            yield Leftover(path, why, _size(path), (lock,))


def _lock_of_leftover(path: Path, parts: tuple[str, ...]) -> str | None:
    """What its maker holds; None for what nobody left."""
    if parts[0] == "hf":
        # the temporary file of an export lies within its folder, its removed folder beside it
        inside = len(parts) == 3 and _EXPORT.fullmatch(parts[1])
        found = _EXPORT_MADE.fullmatch(path.name) if inside or len(parts) == 2 else None
        if found is None:
            return None
        return f"to-hf-{parts[1] if inside else found[1]}"
    if made := _MADE.fullmatch(path.name):
        return store_lock(path.with_name(made[1]))
    whole = not _SPLIT.fullmatch(path.name) or (path / "store.json").exists()
    return None if whole or not path.is_dir() else store_lock(path)


def _size(path: Path) -> int:
    total = 0
    for file in [path, *path.rglob("*")]:
        with suppress(OSError):  # it is being taken away
            total += file.stat().st_size if file.is_file() else 0
    return total
