"""A file of vectors as one stream of bytes, packed or not, whose digest is taken as it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from domainkit.errors import DecodeError, NotFoundError, TransformError, nearest

__all__ = ["Source", "open_source"]

_CHUNK = 1 << 22
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")


class Source:
    """Bytes that are read once from front to end, with a look ahead.

    Args:
        stream: where they come from.
        label: the file's name, for messages.
    """

    def __init__(self, stream: BinaryIO, label: str) -> None:
        self.label = label
        self._stream = stream
        self._sums = hashlib.sha256()
        self._held = b""  # bytes that came and are not given out yet, from _place on
        self._place = 0

    def peek(self, count: int) -> bytes:
        """The next ``count`` bytes, fewer at the end; they stay."""
        while len(self._held) - self._place < count and self._more():
            pass
        return self._held[self._place : self._place + count]

    def read(self, count: int, what: str) -> bytes:
        """The next ``count`` bytes.

        Raises:
            DecodeError: there are fewer; says within ``what``.
        """
        data = self.peek(count)
        if len(data) < count:
            raise DecodeError(f"{self.label}: is cut off within {what}. Fetch it again.")
        self._place += count
        return data

    def until(self, end: bytes, limit: int, what: str) -> bytes:
        """The bytes before the next ``end``, which is passed over.

        Raises:
            DecodeError: it does not come within ``limit`` bytes.
        """
        found = self._held.find(end, self._place, self._place + limit)
        while found < 0 and len(self._held) - self._place < limit and self._more():
            found = self._held.find(end, self._place, self._place + limit)
        if found < 0:
            raise DecodeError(f"{self.label}: is cut off or damaged within {what}. Fetch it again.")
        data = self._held[self._place : found]
        self._place = found + len(end)
        return data

    def blocks(self) -> Iterator[bytes]:
        """All that is left, in pieces."""
        rest, self._held, self._place = self._held[self._place :], b"", 0
        if rest:
            yield rest
        while self._more():
            data, self._held = self._held, b""
            yield data

    def digest(self) -> str:
        """The sha256 of the whole; what is left is read and passed over."""
        for _ in self.blocks():
            pass
        return self._sums.hexdigest()

    def _more(self) -> bool:
        data = self._stream.read(_CHUNK)
        self._sums.update(data)
        self._held, self._place = self._held[self._place :] + data, 0
        return bool(data)


@contextmanager
def open_source(path: Path, member: str | None = None) -> Iterator[Source]:
    """Opens a plain file, one packed by gzip, bzip2, xz or zstd, or a member of a zip or tar.

    Args:
        member: the path of the file in the archive, or the last part of it; None where ``path`` is
            no archive, or has one file only.

    Raises:
        NotFoundError: no such member.
        TransformError: ``member`` is needed to choose one of several.
        ArchiveError: the archive is damaged.
    """
    from domainkit.archive import open_stream, walk

    with path.open("rb") as file:
        is_zip = file.read(4).startswith(_ZIP)
    if member is None and is_zip:
        member = _only_member(path)
    with ExitStack() as stack:
        if member is None:
            yield Source(stack.enter_context(open_stream(path)), str(path))
            return
        seen = []
        for found in walk(path):
            if found.name == member or found.name.endswith(f"/{member}"):
                yield Source(stack.enter_context(found.open()), f"{path}: {found.name}")
                return
            seen.append(found.name)
        raise NotFoundError(f"{path}: has no member {member!r}. {nearest(member, seen)}")


def _only_member(path: Path) -> str:
    from domainkit.archive import walk

    names = [found.name for found in walk(path) if not found.leftover]
    if len(names) != 1:
        raise TransformError(
            f"{path}: has {len(names)} files, say which by member=: {', '.join(names[:10])}"
        )
    return names[0]
