"""What an archive is read from: a path, a member of another archive, or a stream."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, cast

from domainkit.archive.limits import Budget, Layer, Limits
from domainkit.errors import ArchiveError

__all__ = ["IN_MEMORY", "Copy", "Place", "Source", "Stream", "peek", "source_of", "spooled"]

IN_MEMORY = 16 << 20  # bytes of a copy that are held before a file takes over


@dataclass(frozen=True)
class Place:
    """Where one is: what messages call it, on whose budget, in how many archives."""

    label: str
    budget: Budget
    depth: int

    def member(self, name: str) -> Place:
        """A member as an archive of its own."""
        return Place(f"{self.label}: member {name!r}", self.budget, self.depth + 1)


class Stream(io.BufferedReader):
    """A stream that knows its place, so that an archive read from it keeps to the same budget."""

    def __init__(self, raw: io.RawIOBase, place: Place, size: int = 1 << 16) -> None:
        super().__init__(raw, size)
        self.place = place


@dataclass(frozen=True)
class Source:
    """Something to read an archive from; ``open`` gives it from its start."""

    place: Place
    open: Callable[[], BinaryIO]


def source_of(thing: Any, limits: Limits | None) -> Source:
    """A path, a Member or a binary stream as a Source.

    Raises:
        ArchiveError: too many archives in one another, no such file, or nothing to read from.
    """
    if isinstance(thing, str | PathLike):
        return _file(Path(thing), limits or Limits())
    place = getattr(thing, "place", None)
    if not isinstance(place, Place):
        return _foreign(thing, limits or Limits())
    if limits is not None:
        raise ArchiveError(
            f"{place.label}: its limits are those of the outermost archive: pass limits= to the "
            "first walk or open_stream."
        )
    if place.depth > place.budget.limits.max_depth:
        raise ArchiveError(
            f"{place.label}: lies in {place.depth - 1} archives, and no more than "
            f"{place.budget.limits.max_depth} may lie in one another: a nested bomb? If the file "
            "is known to be good, pass a larger limits=Limits(max_depth=...)."
        )
    if isinstance(thing, Stream):
        return Source(place, _once(thing, place.label))
    return Source(place, thing.open)


def _file(path: Path, limits: Limits) -> Source:
    def start() -> BinaryIO:
        try:
            return path.open("rb")
        except OSError as error:
            raise ArchiveError(f"{path}: cannot be opened: {error.strerror or error}.") from error

    with start() as file:
        size = os.fstat(file.fileno()).st_size
    return Source(Place(str(path), Budget(limits, size), 1), start)


def _foreign(stream: Any, limits: Limits) -> Source:
    label = f"<{type(stream).__name__}>"
    name = getattr(stream, "name", None)
    if isinstance(name, str):
        label = name
    if not callable(getattr(stream, "read", None)) or isinstance(stream, io.TextIOBase):
        raise ArchiveError(
            f"expected a path, a member of an archive or a binary stream, got {label}."
        )
    if _seeks(stream):
        start = stream.tell()
        budget = Budget(limits, stream.seek(0, io.SEEK_END) - start)
        stream.seek(start)
        inner = _Borrowed(stream)
    else:
        budget = Budget(limits, None)
        inner = _Borrowed(stream, budget)
    return Source(Place(label, budget, 1), _once(io.BufferedReader(inner, 1 << 16), label))


def _seeks(stream: Any) -> bool:
    seekable = getattr(stream, "seekable", None)
    return bool(callable(seekable) and seekable())


def _once(stream: BinaryIO, label: str) -> Callable[[], BinaryIO]:
    left = [stream]

    def start() -> BinaryIO:
        if not left:
            raise ArchiveError(
                f"{label}: is a stream and can be read once only. Save it to a file and pass its "
                "path."
            )
        return left.pop()

    return start


class _Borrowed(io.RawIOBase):
    """Somebody's stream, which stays open; where its length is unknown its bytes are counted."""

    def __init__(self, inner: Any, budget: Budget | None = None) -> None:
        self._inner = inner
        self._budget = budget

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._budget is None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._inner.seek(offset, whence))

    def tell(self) -> int:
        return int(self._inner.tell())

    def readinto(self, buffer: Any) -> int:
        data = self._inner.read(len(buffer)) or b""
        buffer[: len(data)] = data
        if self._budget is not None:
            self._budget.packed += len(data)
        return len(data)


class _Joined(io.RawIOBase):
    """The bytes that were looked at, then the rest."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] if self._head else self._rest.read(len(buffer))
        self._head = self._head[len(data) :]
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._rest.close()
        super().close()


def peek(stream: BinaryIO) -> tuple[bytes, BinaryIO]:
    """The first 8 bytes, and a stream that still begins with them."""
    if stream.seekable():
        start = stream.tell()
        head = stream.read(8)
        stream.seek(start)
        return head, stream
    head = stream.read(8)
    return head, io.BufferedReader(_Joined(head, stream), 1 << 16)


class Copy:
    """The bytes of a stream, so that they can be sought: in memory, on disk from ``IN_MEMORY`` on.

    They are spent like unpacked ones. The file has no name and goes with the copy.
    """

    def __init__(self, stream: BinaryIO, place: Place) -> None:
        self._stream = stream
        self._place = place
        self._layer = Layer(place.budget, place.label)
        self._total = 0
        self._ended = False
        file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - the caller closes it
        self.file = cast(BinaryIO, file)

    def grow(self, size: int | None = None, name: str = "") -> None:
        """Copies on until ``size`` bytes are there, or all; ``name`` is for the error."""
        self.file.seek(0, io.SEEK_END)
        while not self._ended and (size is None or self._total < size):
            data = self._stream.read(1 << 18)
            self._ended = not data
            self._total += len(data)
            where = "while it is copied for the hard link" if name else "while it is copied"
            self._layer.reach(self._total, where, name)
            try:
                self.file.write(data)
            except OSError as error:
                raise ArchiveError(
                    f"{self._place.label}: there is no room for a copy of it in "
                    f"{tempfile.gettempdir()} ({error.strerror or error}): set TMPDIR to a folder "
                    "with more."
                ) from error


def spooled(stream: BinaryIO, place: Place) -> BinaryIO:
    """The stream itself where it seeks, else a copy."""
    if stream.seekable():
        return stream
    copy = Copy(stream, place)
    try:
        copy.grow()
    except BaseException:
        copy.file.close()
        raise
    copy.file.seek(0)
    return copy.file
