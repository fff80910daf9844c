"""What lies in a cache folder besides whole files: fetches under way or given up, and leftovers.

A process that is killed may leave a temporary file, a note without bytes, bytes without a record or
an empty folder. None of them is ever taken for anything else, and none is in the way; they only
take room.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from domainkit.cache.files import UNFINISHED, read_json
from domainkit.cache.quarantine import quarantined
from domainkit.cache.records import PENDING, RECORD, read_record, read_records
from domainkit.cache.upkeep import delete_unrecorded, hold_unused

__all__ = ["Leftover", "Unfinished", "leftovers", "unfinished"]

_SETTLED_SECONDS = 3600.0  # what is that old and has no lock of its own is nobody's work any more
_KEY = re.compile(r"(?:sha256|sha512|md5|url)-[0-9a-f]+")


@dataclass(frozen=True)
class Unfinished:
    """Bytes on their way, or given up.

    Attributes:
        key: whose they are; who fetches it holds the lock of that name.
        paths: the bytes, and the notes that say how to go on.
        size: bytes on disk.
        last_used: seconds since 1970, when the last of them changed.
        url: where they come from, where that is noted.
    """

    key: str
    paths: tuple[Path, ...]
    size: int
    last_used: float
    url: str | None

    def take(self) -> bool:
        """Deletes them; False where somebody is at it."""
        with hold_unused([self.key]) as free:
            # where locks do not hold everybody off, bytes that are growing are left alone
            if not free or max(map(_changed, self.paths)) != self.last_used:
                return False
            for path in self.paths:
                path.unlink(missing_ok=True)
            return True


@dataclass(frozen=True)
class Leftover:
    """Something that nobody can use any more; ``locks`` are held by those who could make it."""

    path: Path
    why: str
    size: int = 0
    locks: tuple[str, ...] = ()
    changed: float = field(default=0.0, compare=False)  # when it was looked at

    def __post_init__(self) -> None:
        object.__setattr__(self, "changed", _changed(self.path))

    def take(self) -> bool:
        """Deletes it; False where it is in use, or has changed since it was looked at."""
        with hold_unused(self.locks) as free:
            if not free or _changed(self.path) != self.changed:
                return False
            if self.path.parent.parent.name == "files":  # under the lock of these bytes
                return delete_unrecorded(self.path.parents[2], self.path.name)
            with suppress(OSError):
                if not self.path.is_dir():
                    self.path.unlink(missing_ok=True)
                elif self.size:
                    shutil.rmtree(self.path)
                else:
                    self.path.rmdir()  # which refuses where something came in meanwhile
            return not self.path.exists()


def unfinished(base: Path) -> Iterator[Unfinished]:
    """Fetches that have begun and not ended, by key; those of processes at work too."""
    groups: dict[str, list[Path]] = {}
    with suppress(OSError):
        for path in sorted((base / "partial").iterdir()):
            if path.suffix in (".part", ".map", ".json"):
                groups.setdefault(path.stem, []).append(path)
    for stem, paths in groups.items():
        try:
            stats = [path.stat() for path in paths]
        except OSError:  # it ended while we looked
            continue
        note = next((read_json(path) for path in paths if path.suffix == ".json"), None) or {}
        url = note.get("url")
        yield Unfinished(
            key=_key(stem),
            paths=tuple(paths),
            size=sum(_on_disk(stat) for stat in stats),
            last_used=max(stat.st_mtime for stat in stats),
            url=url if isinstance(url, str) else None,
        )


def leftovers(base: Path) -> Iterator[Leftover]:
    """What killed processes left in ``files``, ``records``, ``partial`` and ``quarantine``."""
    old = time.time() - _SETTLED_SECONDS
    for room in ("", "records", "partial", "quarantine/*", "prepared/*/*"):
        for path in base.glob(f"{room}/*{UNFINISHED}" if room else f"*{UNFINISHED}"):
            if _changed(path) < old:
                yield Leftover(path, "a note half written", _size(path))
    for left in unfinished(base):
        entry = read_record(base, left.key)
        if not any(path.suffix == ".part" for path in left.paths):
            for path in left.paths:
                yield Leftover(path, "a note of no bytes", _size(path), (left.key,))
        elif entry is not None and entry.whole:
            for path in left.paths:
                yield Leftover(path, "the file is there", _size(path), (left.key,))
    yield from _records(base)
    yield from _bytes(base)
    for put in quarantined(base):
        if not put.name:
            yield Leftover(put.folder, "a note of no bytes", put.size)
    yield from _empty(base, old)


def _records(base: Path) -> Iterator[Leftover]:
    with suppress(OSError):
        for path in sorted((base / "records").iterdir()):
            if path.suffix not in (RECORD, PENDING):
                continue
            known = read_record(base, path.stem)
            if path.suffix == PENDING and (known is None or known.record != path):
                yield Leftover(path, "a record of no bytes", _size(path), (path.stem,))
            elif known is None:
                yield Leftover(path, "a record nobody can read", _size(path), (path.stem,))


def _bytes(base: Path) -> Iterator[Leftover]:
    recorded = {entry.sha256 for entry in read_records(base)}
    for folder in sorted((base / "files").glob("*/*")):
        if folder.is_dir() and folder.name not in recorded:
            size = sum(_size(path) for path in folder.iterdir())
            why = "bytes that no record points to" if size else "an empty folder"
            yield Leftover(folder, why, size, (f"blob-{folder.name}",))


def _empty(base: Path, old: float) -> Iterator[Leftover]:
    for pattern in ("files/*", "prepared/*/*", "prepared/*"):
        for folder in sorted(base.glob(pattern)):
            # something comes into a folder right after it is made: an old one is not waited for
            if folder.is_dir() and _changed(folder) < old and not any(folder.iterdir()):
                yield Leftover(folder, "an empty folder")


def _on_disk(stat: os.stat_result) -> int:
    """Bytes taken: a file may be as long as it will be and hold little of that yet."""
    blocks = getattr(stat, "st_blocks", None)  # of 512 bytes; unknown to Windows
    return stat.st_size if blocks is None else min(stat.st_size, blocks * 512)


def _key(stem: str) -> str:
    found = _KEY.match(stem)
    return found[0] if found else stem


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _changed(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return time.time()
