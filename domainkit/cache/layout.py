"""Where files lie in a cache folder, and the one way in which a fetched file gets its place.

    <home>/layout.json                   which layout this is
    <home>/files/<2>/<sha256>/<name>     the bytes: one copy of each content
    <home>/records/<key>.json            what was fetched: addresses, digests, size; last used when
                                         the record last changed
    <home>/partial/<key>.part ...        what is on its way
    <home>/locks/<name>.lock             held by those who write
    <home>/quarantine/<sha256>/          what ``domainkit cache verify`` found damaged, and why
    <home>/manual, <home>/prepared       see ``domainkit.prepared``

``DOMAINKIT_SHARED`` names more such folders (separated like ``PATH``), which are only ever read.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from domainkit.cache.digest import Digest, Sums
from domainkit.cache.files import make_folder, read_json, sync_folder, write_json
from domainkit.cache.homes import LAYOUT, check_layout, home, mark_layout, shared_homes
from domainkit.cache.mirrors import same_file, without_login
from domainkit.cache.records import (
    PENDING,
    Entry,
    blob_path,
    first_copy,
    read_record,
    record_path,
    safe_name,
)

__all__ = [
    "LAYOUT",
    "Slot",
    "check_layout",
    "home",
    "key_of",
    "mark_layout",
    "read_json",
    "shared_homes",
    "slot_for",
    "sync_folder",
    "touch",
    "write_json",
]


@dataclass(frozen=True)
class Slot:
    """The place of one file, known before the file is.

    Attributes:
        base: the cache folder.
        key: what the file is asked for by; names its record, its partial files and its lock.
        name: what the file is called when it is fetched under this key.
    """

    base: Path
    key: str
    name: str

    @property
    def partial(self) -> Path:
        return self.base / "partial" / f"{self.key}.part"

    @property
    def record(self) -> Path:
        return record_path(self.base, self.key)

    def find(self, size: int | None = None) -> Entry | None:
        """The file if it is whole here or in a shared cache; only records and sizes are read."""
        mine = read_record(self.base, self.key)
        if mine is not None and mine.whole and size in (None, mine.size):
            return self._settle(mine)
        for base in shared_homes():
            theirs = read_record(base, self.key)
            if theirs is None or not theirs.whole or size not in (None, theirs.size):
                continue
            # what was once fetched here holds for the shared copy as for any later one
            if mine is None or size not in (None, mine.size) or mine.sha256 == theirs.sha256:
                return theirs
        return None

    def recorded(self) -> Entry | None:
        """What this cache has recorded, though the bytes may be gone or cut short."""
        return read_record(self.base, self.key)

    def remembered(self, size: int | None = None, urls: Sequence[str] = ()) -> Digest | None:
        """The sha256 that this file is held to, though its bytes are gone.

        Args:
            urls: where it may come from; what was trusted on first use from any of these holds too,
                so that a new mirror before a known address changes nothing.
        """
        bases = (self.base, *shared_homes())
        for base in bases:
            entry = read_record(base, self.key)
            if entry is not None and size in (None, entry.size):
                return Digest("sha256", entry.sha256)
        sources = [same_file(url) for url in urls]
        for base in bases if urls else ():
            first = first_copy(base, sources, size)
            if first is not None:
                return Digest("sha256", first.sha256)
        return None

    def reuse(
        self, urls: Sequence[str], promise: Digest | None, size: int | None = None
    ) -> Entry | None:
        """Bytes that came under another key; from now on they are this one's too.

        To be asked where ``find`` found nothing. May read files whole, to compute their digest.
        """
        from domainkit.cache import lock
        from domainkit.cache.reuse import candidate

        remembered = self.remembered(size, urls) if promise is None else None
        sources = [same_file(url) for url in urls]
        for base in (self.base, *shared_homes()):
            entry = candidate(base, sources, promise, size, remembered)
            if entry is None:
                continue
            if base == self.base:
                with suppress(OSError), lock(f"blob-{entry.sha256}", shown_as=self.name):
                    if not entry.whole:  # somebody removed it while we looked
                        return None
                    make_folder(self.record.parent)
                    write_json(
                        self.record, _facts(entry.path, urls, promise, entry.sha256, entry.size)
                    )
                    sync_folder(self.record.parent)
                    return read_record(self.base, self.key)
            return entry  # of a cache that is only read
        return None

    def publish(
        self, source: Path, urls: Sequence[str], promise: Digest | None, sums: Sums
    ) -> Path:
        """Moves verified, synced bytes to their place; whoever sees that place sees all of them.

        Killed at any moment it leaves the source as it was, or all that ``find`` needs. The order:

        1. the record under its pending name, synced: it does not count without its bytes;
        2. the bytes get their name, by one rename: from now on pending record and bytes count;
        3. the record gets its name.

        Who takes bytes away does so under the same lock and after a look at all records, pending
        ones too. So no bytes vanish between 2 and 3, and no record is left pointing to bytes that
        were thought to be there. Bytes of that content that are there already are replaced: these
        have just been verified, and readers of the old ones keep them.
        """
        from domainkit.cache import lock  # locks lie in the cache folder, whose place is said here

        sha256, size = sums.hex("sha256"), source.stat().st_size
        mark_layout(self.base)
        with lock(f"blob-{sha256}", shown_as=self.name):
            final = blob_path(self.base, sha256, self.name)
            pending = self.record.with_suffix(PENDING)
            make_folder(pending.parent)
            make_folder(final.parent)
            write_json(pending, _facts(final, urls, promise, sha256, size))
            _replace(source, final, size)
            sync_folder(final.parent)
            self._promote(pending)
        return final

    def _settle(self, entry: Entry) -> Entry:
        """Finishes what a killed ``publish`` left, where the cache may be written."""
        if entry.record.suffix != PENDING:
            return entry
        from domainkit.cache.upkeep import hold_unused

        with suppress(OSError):
            self._promote(entry.record)
            with hold_unused([self.key]) as free, suppress(OSError):
                for end in (".map", ".json") if free else ():  # they speak of bytes that have moved
                    self.partial.with_suffix(end).unlink(missing_ok=True)
            return replace(entry, record=self.record)
        return entry

    def _promote(self, pending: Path) -> None:
        try:
            os.replace(pending, self.record)
        except FileNotFoundError:  # whoever saw it pending was faster
            if not self.record.exists():
                raise
        sync_folder(self.record.parent)


def slot_for(urls: Sequence[str], promise: Digest | None, name: str | None) -> Slot:
    """The place for a file: by its content where the digest says enough, else by its address.

    Raises:
        FetchError: the cache is of another layout.
    """
    base = home()
    check_layout(base)
    return Slot(base, key_of(urls, promise), safe_name(name or _last_part(urls[0])))


def key_of(urls: Sequence[str], promise: Digest | None) -> str:
    """What a file is asked for by: its full digest, or its address where there is none.

    Example:
        >>> key_of(["https://host/a"], Digest.parse("md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d"))
        'md5-8d4fb7e6c68d591d4c3dfef9ec88bf0d'
    """
    if promise is not None and promise.addresses:
        return f"{promise.algorithm}-{promise.digits}"
    return "url-" + hashlib.sha256(f"{urls[0]} {promise or ''}".encode()).hexdigest()


def touch(slot: Slot) -> None:
    """Notes the use of a file; a read-only cache keeps no such notes."""
    with suppress(OSError):
        os.utime(slot.record)


def _facts(
    final: Path, urls: Sequence[str], promise: Digest | None, sha256: str, size: int
) -> dict[str, Any]:
    return {
        "name": final.name,
        "urls": [without_login(url) for url in urls],
        "sources": [same_file(url) for url in urls],
        "digest": None if promise is None else str(promise),
        "sha256": sha256,
        "size": size,
        "fetched": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _replace(source: Path, final: Path, size: int) -> None:
    try:
        os.replace(source, final)
    except PermissionError:  # Windows: somebody reads the copy that is there, which is as good
        if not final.is_file() or final.stat().st_size != size:
            raise
        source.unlink()


def _last_part(url: str) -> str:
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
