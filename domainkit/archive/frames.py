"""Packed streams one after another: bzip2, xz and zstd, none of which may be lost in silence.

The standard library's ``BZ2File`` and ``LZMAFile`` pass over whatever follows the first stream and
is no further one. So a flipped bit in the second header would look like a shorter file.

Layouts: the .xz file format 1.2.1 (padding, 2.2), RFC 8878 (skippable frames, 3.1.2).
"""

from __future__ import annotations

import bz2
import importlib
import io
import lzma
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from domainkit.errors import MissingExtraError

__all__ = ["Kind", "kind_of", "zstd"]

_BUFFER = 1 << 17


@dataclass(frozen=True)
class Kind:
    """How the streams of one compression begin, and what may stand between them.

    Attributes:
        name: what messages call it.
        marks: what a stream begins with.
        start: makes the decompressor of one stream.
        errors: what that raises on damage.
        bite: packed bytes at a time.
        padding: zeros may follow a stream, a multiple of so many; 0 where none may.
        bounded: the decompressor takes ``max_length``.
    """

    name: str
    marks: tuple[bytes, ...]
    start: Callable[[], Any]
    errors: tuple[type[Exception], ...] = ()
    bite: int = 1 << 14
    padding: int = 0
    bounded: bool = True

    def open(self, stream: BinaryIO) -> BinaryIO:
        """The expanded bytes of ``stream``."""
        return io.BufferedReader(_Frames(stream, self), _BUFFER)


def zstd(label: str) -> Kind:
    """zstd, where this Python can read it.

    Raises:
        MissingExtraError: neither Python nor the extra ``zstd`` brings it.
    """
    if sys.version_info >= (3, 14):
        library = importlib.import_module("compression.zstd")
        start = library.ZstdDecompressor
    else:
        try:
            library = importlib.import_module("zstandard")
        except ImportError as missing:
            raise MissingExtraError(
                f"{label}: reading zstd on this Python needs the library zstandard. "
                'Install it: pip install "domainkit[zstd]".'
            ) from missing
        start = library.ZstdDecompressor().decompressobj
    # small bites: 4 KiB of run-length blocks already expand to 128 MiB
    errors = (library.ZstdError,)
    return Kind("zstd", _ZSTD, start, errors, bite=4096, bounded=False)


_ZSTD = (b"\x28\xb5\x2f\xfd", *(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60)))
_BZIP2 = Kind("bzip2", (b"BZh",), bz2.BZ2Decompressor)
_XZ = Kind("xz", (b"\xfd7zXZ\x00",), lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ), padding=4)


def kind_of(head: bytes, label: str) -> Kind | None:
    """The compression of a file that begins with ``head``; None for none of these."""
    if head.startswith(_ZSTD):
        return zstd(label)
    return next((kind for kind in (_BZIP2, _XZ) if head.startswith(kind.marks)), None)


class _Frames(io.RawIOBase):
    """The expanded bytes of all streams; every packed byte belongs to one, or is padding."""

    def __init__(self, source: BinaryIO, kind: Kind) -> None:
        self._source = source
        self._kind = kind
        self._frame: Any = None
        self._ready = memoryview(b"")
        self._packed = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            if self._frame is None and not self._begin():
                return 0
            try:
                self._ready = memoryview(self._expand(len(buffer)))
            except self._kind.errors as error:
                raise ValueError(str(error)) from error
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data, None
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _expand(self, wanted: int) -> bytes:
        bounded = self._kind.bounded
        packed, self._packed = self._packed, b""
        if not packed and not (bounded and not self._frame.needs_input):
            packed = self._source.read(self._kind.bite)
            if not packed:
                raise EOFError(f"the last {self._kind.name} stream is cut off")
        more: bytes = self._frame.decompress(packed, *([wanted] if bounded else []))
        return more

    def _begin(self) -> bool:
        """Starts the next stream; False at the end of the file."""
        kind, longest, zeros = self._kind, max(map(len, self._kind.marks)), 0
        while True:
            while len(self._packed) < longest and (more := self._source.read(kind.bite)):
                self._packed += more
            if not (kind.padding and self._packed.startswith(b"\0")):
                break
            rest = self._packed.lstrip(b"\0")
            zeros += len(self._packed) - len(rest)
            self._packed = rest
        if kind.padding and zeros % kind.padding:
            raise ValueError(f"{zeros} bytes of padding behind one stream of {kind.name}")
        if not self._packed:
            return False
        if not self._packed.startswith(kind.marks):
            head = self._packed[:longest]
            raise ValueError(f"behind one stream of {kind.name} comes {head!r}, which begins none")
        self._frame = kind.start()
        return True
