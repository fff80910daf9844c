"""One file as a stream of its expanded bytes, told by content, held to limits, errors named."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, cast

from domainkit.errors import ArchiveError, MissingExtraError

__all__ = ["DAMAGE", "Guard", "Limits", "expanded", "magic", "open_stream", "told"]

# What the standard library raises on damaged input.
DAMAGE = (
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    NotImplementedError,  # a compression method that zipfile does not know
    RuntimeError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class Limits:
    """How far an archive may expand before it is refused.

    Attributes:
        max_members: members of any kind.
        max_total: bytes of all members together.
        max_ratio: expanded bytes per byte of the archive, looked at from ``ratio_floor`` on.
        ratio_floor: bytes below which the ratio is let be (a small file of zeros packs well).
    """

    max_members: int = 20_000_000
    max_total: int = 4 << 40
    max_ratio: float = 250.0
    ratio_floor: int = 64 << 20

    def check_total(self, total: int, packed: int, archive: Path, where: str) -> None:
        """Raises ArchiveError where ``total`` bytes out of ``packed`` is too much."""
        if total > self.max_total:
            raise ArchiveError(
                f"{archive}: expands beyond {self.max_total:,} bytes ({where}). "
                "If the file is known to be good, pass a larger limits=Limits(max_total=...)."
            )
        if total > self.ratio_floor and total > self.max_ratio * max(packed, 1):
            raise ArchiveError(
                f"{archive}: {packed:,} bytes expand to more than {total:,} ({where}), beyond "
                f"the ratio of {self.max_ratio:g}: a decompression bomb? If the file is known to "
                "be good, pass a larger limits=Limits(max_ratio=...)."
            )


def open_stream(path: str | PathLike[str], *, limits: Limits | None = None) -> BinaryIO:
    """One file as a stream of its expanded bytes: gzip, bzip2, xz, zstd by content, else plain.

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
    archive = Path(path)
    inner, packed = expanded(archive)
    if not packed:
        return inner
    guard = Guard(inner, archive, "", limits or Limits(), archive.stat().st_size)
    return io.BufferedReader(guard, 1 << 17)


def magic(archive: Path) -> bytes:
    try:
        with archive.open("rb") as file:
            return file.read(8)
    except OSError as error:
        raise ArchiveError(f"{archive}: cannot be opened: {error.strerror or error}.") from error


def expanded(archive: Path) -> tuple[BinaryIO, bool]:
    """The expanded stream, and whether it had been compressed at all."""
    start = magic(archive)
    if start.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.open(archive, "rb")), True
    if start.startswith(b"BZh"):
        return cast(BinaryIO, bz2.open(archive, "rb")), True
    if start.startswith(b"\xfd7zXZ\x00"):
        return cast(BinaryIO, lzma.open(archive, "rb")), True
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return _open_zstd(archive), True
    return archive.open("rb"), False


def _open_zstd(archive: Path) -> BinaryIO:
    if sys.version_info >= (3, 14):
        zstd = importlib.import_module("compression.zstd")
        start, error = zstd.ZstdDecompressor, zstd.ZstdError
    else:
        try:
            zstd = importlib.import_module("zstandard")
        except ImportError as missing:
            raise MissingExtraError(
                f"{archive}: reading zstd on this Python needs the library zstandard. "
                'Install it: pip install "domainkit[zstd]".'
            ) from missing
        start, error = zstd.ZstdDecompressor().decompressobj, zstd.ZstdError
    return io.BufferedReader(_ZstdFrames(archive.open("rb"), start, error), 1 << 17)


class _ZstdFrames(io.RawIOBase):
    """Frames one after another; zstandard's own reader takes a cut-off frame for the end.

    ``start()`` gives the decompressor of one frame, ``error`` is what it raises on damage.
    """

    def __init__(self, source: BinaryIO, start: Callable[[], Any], error: type[Exception]) -> None:
        self._source = source
        self._error = error
        self._start = start
        self._frame: Any = None
        self._ready = memoryview(b"")
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            # Small bites: 4 KiB of run-length blocks already expand to 128 MiB.
            data = self._rest or self._source.read(4096)
            self._rest = b""
            if not data:
                if self._frame is not None:
                    raise EOFError("the last zstd frame is cut off")
                return 0
            self._frame = self._frame or self._start()
            try:
                self._ready = memoryview(self._frame.decompress(data))
            except self._error as error:
                raise ValueError(str(error)) from error
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        self._source.close()
        super().close()


class Guard(io.RawIOBase):
    """A stream whose faults are ArchiveErrors and whose length is held to the limits.

    ``where`` names the member for the message; None leaves faults as they are for the caller.
    """

    def __init__(
        self,
        inner: BinaryIO,
        archive: Path,
        where: str | None,
        limits: Limits | None = None,
        packed: int = 0,
    ) -> None:
        self._inner = inner
        self._archive = archive
        self._where = where
        self._limits = limits
        self._packed = packed
        self._total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._where is None:
            data = self._inner.read(len(buffer))
        else:
            with told(self._archive, self._where):
                data = self._inner.read(len(buffer))
        buffer[: len(data)] = data
        if self._limits is not None:
            self._total += len(data)
            self._limits.check_total(self._total, self._packed, self._archive, "while unpacking")
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()


@contextmanager
def told(archive: Path, where: str) -> Iterator[None]:
    """Turns what the libraries raise on damage into an ArchiveError that says where."""
    try:
        yield
    except DAMAGE as error:
        raise ArchiveError(
            f"{archive}: {where}{': ' if where else ''}cannot be read, the archive is damaged or "
            f"cut off ({type(error).__name__}: {error}). Fetch it again."
        ) from error
