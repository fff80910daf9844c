"""What a recording is read from: a path, bytes, a binary file object or a member of an archive."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from domainkit.archive import Member, read_member
from domainkit.errors import DecodeError

__all__ = ["AudioFile", "Source", "open_source"]

AudioFile: TypeAlias = str | PathLike[str] | bytes | bytearray | memoryview | Member | BinaryIO


@dataclass(frozen=True)
class Source:
    """A recording that can be opened again and again.

    Attributes:
        label: what messages call it.
        size: in bytes.
        path: where libsndfile can open it by itself, else None.
        file: the same bytes, to be sought in.
    """

    label: str
    size: int
    path: str | None
    file: BinaryIO

    def at(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``offset``."""
        place = self.file.tell()
        self.file.seek(offset)
        data = self.file.read(count)
        self.file.seek(place)  # libsndfile may be reading from it too
        return data

    def target(self) -> str | BinaryIO:
        """What soundfile opens."""
        if self.path is not None:
            return self.path
        self.file.seek(0)
        return self.file


@contextmanager
def open_source(file: AudioFile) -> Iterator[Source]:
    """Open what may be read from; what was opened here is closed, a caller's object stays open.

    A file object is read from where it stands, and stands there again afterwards. One that cannot
    seek, or does not stand at its beginning, is read into memory, and so is a member of an archive:
    a ``Member``, or a string "archive.zip::name/in/it".

    Raises:
        DecodeError: it cannot be opened, or it is something else.
        ArchiveError: the archive is damaged or has no such member.
    """
    if isinstance(file, Member):
        yield _memory(file.read(), file.place.label)
    elif isinstance(file, bytes | bytearray | memoryview):
        yield _memory(file, f"these {memoryview(file).nbytes} bytes")
    elif isinstance(file, str | PathLike):
        archive, mark, name = str(file).partition("::")
        if mark and not Path(file).exists():
            yield _memory(read_member(archive, name), f"{archive}: member {name!r}")
            return
        try:
            opened = Path(file).open("rb")  # noqa: SIM115 - closed below
        except OSError as error:
            raise DecodeError(
                f"{file}: cannot be opened: {error.strerror or error}. Check the path"
            ) from error
        with opened:
            size = os.fstat(opened.fileno()).st_size
            yield Source(str(file), size, str(file), opened)
    else:
        place = _place(file)
        try:
            yield _object(file)
        finally:
            if place is not None:
                with suppress(OSError, ValueError):  # it may be closed by now
                    file.seek(place)


def _memory(data: bytes | bytearray | memoryview, label: str) -> Source:
    return Source(label, memoryview(data).nbytes, None, io.BytesIO(data))


def _object(file: Any) -> Source:
    if not callable(getattr(file, "read", None)) or isinstance(file, io.TextIOBase):
        raise DecodeError(
            f"expected a path, bytes, a binary file object or a member of an archive, got "
            f"{type(file).__name__}: open text files with mode 'rb'"
        )
    name = getattr(file, "name", None)
    label = name if isinstance(name, str) else f"<{type(file).__name__}>"
    if _at_its_start(file):
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        return Source(label, int(size), None, file)
    data = file.read()
    if not isinstance(data, bytes):
        raise DecodeError(f"{label}: read() gave {type(data).__name__}, expected bytes")
    return _memory(data, label)


def _at_its_start(file: Any) -> bool:
    return _place(file) == 0 and callable(getattr(file, "readinto", None))


def _place(file: Any) -> int | None:
    """Where a file object stands, if it can seek."""
    with suppress(AttributeError, OSError, ValueError):
        if file.seekable():
            return int(file.tell())
    return None
