"""Where files lie in the cache, what is recorded beside them, and the upkeep of both."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from domainkit.cache.digest import Digest, Sums, sums_of
from domainkit.errors import DigestError, FetchError

__all__ = ["Entry", "Slot", "entries", "home", "remove", "slot_for", "sync_folder", "verify"]

_RECORD = ".domainkit.json"
_LONGEST_NAME = 120  # bytes; file systems take 255, and the partial file adds a little


def home() -> Path:
    """The cache folder: ``$DOMAINKIT_HOME``, else ``domainkit`` in the platform's cache folder.

    Example:
        >>> import os
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, {"DOMAINKIT_HOME": "/data/cache"}):
        ...     home().as_posix()
        '/data/cache'
    """
    chosen = os.environ.get("DOMAINKIT_HOME", "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("domainkit", appauthor=False)


@dataclass(frozen=True)
class Entry:
    """One file in the cache.

    Attributes:
        path: the verified file.
        size: bytes.
        last_used: seconds since 1970, when ``fetch`` last handed it out.
        urls: where it may be fetched from.
        digest: as the publisher gives it, ``"md5:..."``; None where there is none.
        sha256: the full digest of the bytes as they were fetched.
        trusted_on_first_use: no digest was published, so the first copy is held to be right.
    """

    path: Path
    size: int
    last_used: float
    urls: tuple[str, ...]
    digest: str | None
    sha256: str

    @property
    def trusted_on_first_use(self) -> bool:
        return self.digest is None


@dataclass(frozen=True)
class Slot:
    """The place of one file, known before the file is: its folder, name and key."""

    base: Path
    key: str
    folder: Path
    name: str

    @property
    def partial(self) -> Path:
        return self.base / "partial" / f"{self.key}.part"

    @property
    def record(self) -> Path:
        return self.folder / _RECORD

    def find(self, size: int | None = None) -> Entry | None:
        """The file if it is whole here: its record exists and tells its size; nothing is read."""
        entry = _read_entry(self.record)
        if entry is None or size not in (None, entry.size):
            return None
        with suppress(OSError):
            return entry if entry.path.stat().st_size == entry.size else None
        return None

    def remembered(self, size: int | None = None) -> Digest | None:
        """The sha256 that this place is held to, though the file itself is gone."""
        entry = _read_entry(self.record)
        if entry is None or size not in (None, entry.size):
            return None
        return Digest("sha256", entry.sha256)

    def publish(self, source: Path, urls: Sequence[str], digest: Digest | None, sums: Sums) -> Path:
        """Moves verified, synced bytes to their final name; whoever sees that name sees all."""
        final = self.folder / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        # A file without its record does not count, a record without its file neither. So the
        # order is: no old file, then the new record, then the new file.
        old = _read_entry(self.record)
        if old is not None:
            old.path.unlink(missing_ok=True)
        write_json(
            self.record,
            {
                "version": 1,
                "name": self.name,
                "urls": list(urls),
                "digest": None if digest is None else str(digest),
                "sha256": sums.hex("sha256"),
                "size": source.stat().st_size,
                "fetched": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            },
        )
        os.replace(source, final)
        sync_folder(self.folder)
        return final


def slot_for(urls: Sequence[str], digest: Digest | None, name: str | None) -> Slot:
    """The place for a file: by its content where the digest says enough, else by its address."""
    base = home()
    if digest is not None and digest.addresses:
        algorithm, digits = digest.algorithm, digest.digits
    else:
        algorithm = "url"
        digits = hashlib.sha256(f"{urls[0]} {digest or ''}".encode()).hexdigest()
    folder = base / "files" / algorithm / digits[:2] / digits
    return Slot(base, f"{algorithm}-{digits}", folder, _safe_name(name or _last_part(urls[0])))


def entries() -> Iterator[Entry]:
    """Every file in the cache, by path; only the small records are read.

    Example:
        >>> import os, tempfile
        >>> from unittest import mock
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with mock.patch.dict(os.environ, {"DOMAINKIT_HOME": folder}):
        ...         list(entries())
        []
    """
    for record in sorted((home() / "files").glob(f"*/*/*/{_RECORD}")):
        entry = _read_entry(record)
        if entry is not None and entry.path.is_file():
            yield entry


def verify(path: str | PathLike[str]) -> None:
    """Reads a file of the cache again and holds it to its digests.

    Raises:
        DigestError: the bytes are not those that were fetched; says expected, got and from where.
        FetchError: the file is not in the cache.
    """
    file = Path(path)
    entry = _read_entry(file.parent / _RECORD)
    if entry is None or entry.path.name != file.name or not file.is_file():
        raise FetchError(
            f"{file}: is not a file of the cache at {home()}. See `domainkit cache ls`."
        )
    promised = Digest("sha256", entry.sha256)
    asked = Digest.parse(entry.digest) if entry.digest else promised
    sums = sums_of(file, asked.algorithm)
    for digest in (asked, promised):
        if not digest.matches(sums):
            raise DigestError(
                f"{file}: is damaged: expected {digest}, got "
                f"{digest.algorithm}:{sums.hex(digest.algorithm)} (fetched from {entry.urls[0]}). "
                "Remove it with `domainkit cache rm` and fetch it again."
            )


def remove(entry: Entry) -> None:
    """Deletes a file and its record; what is open stays readable to those who have it open."""
    entry.path.unlink(missing_ok=True)
    (entry.path.parent / _RECORD).unlink(missing_ok=True)
    with suppress(OSError):  # others may lie there
        for folder in entry.path.parents[:3]:
            folder.rmdir()


def touch(slot: Slot) -> None:
    """Notes the use of a file; a read-only cache keeps no such notes."""
    with suppress(OSError):
        os.utime(slot.record)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replaces a small file at once, so that readers see the old one or the new one."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a small file; None where there is none that can be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def sync_folder(folder: Path) -> None:
    """Makes a rename survive a power cut, where the platform can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _read_entry(record: Path) -> Entry | None:
    value = read_json(record)
    if value is None:
        return None
    try:
        return Entry(
            path=record.parent / str(value["name"]),
            size=int(value["size"]),
            last_used=record.stat().st_mtime,
            urls=tuple(value["urls"]),
            digest=value["digest"],
            sha256=str(value["sha256"]),
        )
    except (KeyError, TypeError, ValueError, OSError):
        return None


def _last_part(url: str) -> str:
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])


def _safe_name(name: str) -> str:
    """A name that every file system takes: no separators, control or reserved characters.

    Example:
        >>> _safe_name("a b/..:c?.tar.gz")
        'a b_.._c_.tar.gz'
    """
    clean = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", name).lstrip(". ").rstrip(". ")
    raw = clean.encode("utf-8", "replace")
    if len(raw) > _LONGEST_NAME:  # the end says what the file is
        clean = raw[-_LONGEST_NAME:].decode("utf-8", "ignore").lstrip(". ")
    return clean or "file"
