"""One file as a stream of its expanded bytes, told by content, held to limits, errors named."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from domainkit.archive.frames import kind_of
from domainkit.archive.limits import Layer, Limits
from domainkit.archive.sources import Stream, peek, source_of
from domainkit.errors import ArchiveError

if TYPE_CHECKING:
    from domainkit.archive.member import Member

__all__ = ["DAMAGE", "Guard", "expanded", "open_stream", "told"]

# What the standard library raises on damaged input.
DAMAGE = (
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    RuntimeError,
    IndexError,  # tarfile, where a sparse file's map is cut off
    struct.error,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
)


def open_stream(
    source: str | PathLike[str] | Member | BinaryIO, *, limits: Limits | None = None
) -> BinaryIO:
    """One file as a stream of its expanded bytes: gzip, bzip2, xz, zstd by content, else plain.

    Every byte of gzip, bzip2 and xz is covered by a checksum, which is looked at where the stream
    ends; a zstd file has one if its writer wished so, and a plain file has none. A file of several
    packed streams one after another that is cut exactly between two of them looks whole, and so
    does one of gzip or xz that ends in zeros in place of further streams: only a digest tells.

    Args:
        source: a path, a member of an archive that is being walked, or a binary stream.
        limits: how far it may expand; a member has those of its archive.

    Raises:
        ArchiveError: now or while reading: no such file, damaged, cut off, beyond ``limits``.
        MissingExtraError: zstd on a Python without it and without the extra ``zstd``.

    Example:
        >>> import gzip, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with gzip.open(f"{folder}/numbers", "wb") as file:
        ...         _ = file.write(b"1 2 3")
        ...     with open_stream(f"{folder}/numbers") as stream:
        ...         stream.read()
        b'1 2 3'
    """
    origin = source_of(source, limits)
    place = origin.place
    opened = origin.open()
    try:
        with told(place.label):
            head, start = peek(opened)
        inner, packed = expanded(start, head, place.label)
    except BaseException:
        opened.close()
        raise
    if not packed and start.seekable():
        return start
    layer = Layer(place.budget, place.label) if packed else None
    inside = replace(place, depth=place.depth + 1)
    return Stream(Guard(inner, place.label, layer, (start,)), inside, 1 << 17)


def expanded(stream: BinaryIO, head: bytes, label: str) -> tuple[BinaryIO, bool]:
    """The expanded stream, and whether it had been compressed at all."""
    if head.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream, mode="rb")), True
    kind = kind_of(head, label)
    return (stream, False) if kind is None else (kind.open(stream), True)


class Guard(io.RawIOBase):
    """A stream whose faults are ArchiveErrors that begin with ``label``.

    With a ``layer`` its bytes are spent. ``below`` is closed with it.
    """

    def __init__(
        self,
        inner: BinaryIO,
        label: str | None,
        layer: Layer | None = None,
        below: tuple[BinaryIO, ...] = (),
    ) -> None:
        self._inner = inner
        self._label = label  # None leaves faults as they are, for the caller
        self._layer = layer
        self._below = below
        self._total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._label is None:
            data = self._inner.read(len(buffer))
        else:
            with told(self._label):
                data = self._inner.read(len(buffer))
        buffer[: len(data)] = data
        self._total += len(data)
        if self._layer is not None:
            last = self._layer.last
            where = "while unpacking, at or after member" if last else "while unpacking"
            self._layer.reach(self._total, where, last)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            for stream in (self._inner, *self._below):
                stream.close()
        super().close()


@contextmanager
def told(label: str) -> Iterator[None]:
    """Turns what the libraries raise on damage into an ArchiveError that says where."""
    try:
        yield
    except DAMAGE as error:
        raise ArchiveError(
            f"{label}: cannot be read, the archive is damaged or "
            f"cut off ({type(error).__name__}: {error}). Fetch it again."
        ) from error
