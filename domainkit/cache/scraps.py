"""What lies in a cache folder besides whole files: fetches under way or given up, and leftovers.

A process that is killed may leave a temporary file, a note without bytes, bytes without a record or
an empty folder. None of them is ever taken for anything else, and none is in the way; they only
take room. A folder may hold what is not ours too: only what has a name that we give is looked at.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from domainkit.cache.files import UNFINISHED, read_json
from domainkit.cache.quarantine import WHY, quarantined
from domainkit.cache.records import PENDING, RECORD, read_record, read_records
from domainkit.cache.upkeep import delete_unrecorded, hold_unused

__all__ = ["Leftover", "Unfinished", "leftovers", "unfinished"]

_SETTLED_SECONDS = 3600.0  # what is that old and has no lock of its own is nobody's work any more
_KEY = r"(?:sha256|sha512|md5|url)-[0-9a-f]+"
_PARTIAL = re.compile(rf"({_KEY})(?:\.[\w-]+)?")  # of a host or process where locks do not hold
_NEW = rf"\.[0-9a-f]{{12}}{re.escape(UNFINISHED)}"
_WRITTEN = {  # the small files of each folder, half written
    "": re.compile(r"layout\.json" + _NEW),
    "records": re.compile(rf"{_KEY}(?:\{RECORD}|\{PENDING}){_NEW}"),
    "partial": re.compile(rf"{_KEY}(?:\.[\w-]+)?\.json{_NEW}"),
    "quarantine/*": re.compile(re.escape(WHY) + _NEW),
}


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
    delete: Callable[[], bool] | None = field(default=None, compare=False)  # with another look

    def __post_init__(self) -> None:
        object.__setattr__(self, "changed", _changed(self.path))

    def take(self) -> bool:
        """Deletes it; False where it is in use, or has changed since it was looked at."""
        with hold_unused(self.locks) as free:
            if not free or _changed(self.path) != self.changed:
                return False
            with suppress(OSError):
                if self.delete is not None:
                    return self.delete()
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
            if path.suffix in (".part", ".map", ".json") and _PARTIAL.fullmatch(path.stem):
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
    for room, written in _WRITTEN.items():
        for path in base.glob(f"{room}/*{UNFINISHED}" if room else f"*{UNFINISHED}"):
            if written.fullmatch(path.name) and _changed(path) < old:
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
            why, locks = "a note of no bytes", (put.lock,)
            yield Leftover(put.folder, why, put.size, locks, delete=put.clear_note)
    yield from _empty(base, old)


def _records(base: Path) -> Iterator[Leftover]:
    with suppress(OSError):
        for path in sorted((base / "records").iterdir()):
            if path.suffix not in (RECORD, PENDING) or not re.fullmatch(_KEY, path.stem):
                continue
            known = read_record(base, path.stem)
            if path.suffix == PENDING and (known is None or known.record != path):
                yield Leftover(path, "a record of no bytes", _size(path), (path.stem,))
            elif known is None:
                yield Leftover(path, "a record nobody can read", _size(path), (path.stem,))


def _bytes(base: Path) -> Iterator[Leftover]:
    recorded = {entry.sha256 for entry in read_records(base)}
    for folder in sorted((base / "files").glob("*/*")):
        sha256 = folder.name
        ours = re.fullmatch(r"[0-9a-f]{64}", sha256) and folder.parent.name == sha256[:2]
        if ours and folder.is_dir() and sha256 not in recorded:
            size = sum(map(_size, _below(folder)))
            why = "bytes that no record points to" if size else "an empty folder"
            delete = partial(delete_unrecorded, base, sha256)
            yield Leftover(folder, why, size, (f"blob-{sha256}",), delete=delete)


def _empty(base: Path, old: float) -> Iterator[Leftover]:
    for pattern in ("files/[0-9a-f][0-9a-f]", "prepared/*/*", "prepared/*"):
        for folder in sorted(base.glob(pattern)):
            # something comes into a folder right after it is made: an old one is not waited for
            if folder.is_dir() and _changed(folder) < old and not _below(folder):
                yield Leftover(folder, "an empty folder")


def _on_disk(stat: os.stat_result) -> int:
    """Bytes taken: a file may be as long as it will be and hold little of that yet."""
    blocks = getattr(stat, "st_blocks", None)  # of 512 bytes; unknown to Windows
    return stat.st_size if blocks is None else min(stat.st_size, blocks * 512)


def _key(stem: str) -> str:
    found = _PARTIAL.fullmatch(stem)
    return found[1] if found else stem


def _below(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where it was taken away meanwhile."""
    with suppress(OSError):
        return list(folder.iterdir())
    return []


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _changed(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return time.time()
