"""The members of a zip, checked before they are handed out, with their data held to its checksum.

Overlap, and the reasons to look for it: D. Fifield, "A better zip bomb", WOOT 2019.
"""

from __future__ import annotations

import bz2
import io
import lzma
import stat
import struct
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO, cast

from domainkit.archive.frames import zstd
from domainkit.archive.gate import Gate
from domainkit.archive.member import Member
from domainkit.archive.streams import told
from domainkit.archive.zip_directory import Entry, ZipDirectory
from domainkit.errors import ArchiveError

__all__ = ["walk_zip"]

_ENCRYPTED = 0x2041  # by password, by certificate, with its header masked
_PATCH, _UTF8 = 0x20, 0x800
_STORED, _DEFLATED, _BZIP2, _LZMA, _ZSTD = 0, 8, 12, 14, 93
_METHODS = (_STORED, _DEFLATED, _BZIP2, _LZMA, _ZSTD)
_OTHERS = {9: " (Deflate64)", 95: " (xz)", 97: " (WavPack)", 98: " (PPMd)"}
_HEADER = struct.Struct("<I2x2H16x2H")


def walk_zip(file: BinaryIO, gate: Gate) -> Iterator[Member]:
    """The members of a zip in ``file``, which must seek."""
    with told(gate.label):
        directory = ZipDirectory(file, gate.label)
        starts, ordered = directory.starts()
    # damage in a later part of the list is told by the directory itself
    for index, entry in enumerate(directory, 1):
        name = gate.name(_text(entry, gate))
        if ordered:
            limit = starts[index] if index < len(starts) else directory.start
        else:
            limit = _next(starts, entry.offset, directory.start)
        if entry.offset + _HEADER.size + len(entry.raw) + entry.packed > limit:
            raise gate.refuse(name, "overlaps another member or the list of members")
        _check_method(entry, name, gate)
        opener = partial(_open, file, gate.label, name, entry, limit)
        kind = stat.S_IFMT(entry.mode)
        if entry.raw.endswith(b"/") or kind == stat.S_IFDIR:
            _folder(entry, name, gate, opener)
        elif kind == stat.S_IFLNK:
            _link(entry, name, gate, opener)
        elif kind not in (0, stat.S_IFREG):
            raise gate.refuse(name, "is a device or another special file")
        else:
            gate.file(name, entry.size)
            yield Member(gate.place, name, entry.size, opener)


def _next(starts: array[int], offset: int, end: int) -> int:
    """Where the data after a member begins; its own offset if another member shares that."""
    after = bisect_left(starts, offset) + 1
    return starts[after] if after < len(starts) else end


def _text(entry: Entry, gate: Gate) -> str:
    try:
        return entry.name
    except UnicodeDecodeError as error:
        name = entry.raw.decode("cp437")
        raise gate.refuse(name, "has a name that says it is UTF-8 and is not") from error


def _check_method(entry: Entry, name: str, gate: Gate) -> None:
    if entry.flags & _ENCRYPTED or entry.method == 99:
        raise gate.refuse(name, "is encrypted")
    if entry.flags & _PATCH:
        raise gate.refuse(name, "is a patch of another file, a compression that is not read")
    if entry.method not in _METHODS:
        raise ArchiveError(
            f"{gate.label}: member {name!r} uses compression method {entry.method}"
            f"{_OTHERS.get(entry.method, '')}; stored, deflate, bzip2, lzma and zstd are read. "
            "Repack it."
        )


def _folder(entry: Entry, name: str, gate: Gate, opener: Any) -> None:
    """A folder is passed over, so it must be one: no file whose list entry was damaged."""
    if entry.size:
        raise gate.refuse(name, f"is a folder and has {entry.size:,} bytes")
    if not entry.raw.endswith(b"/"):
        raise gate.refuse(name, "is a folder by its mode and a file by its name")
    with told(f"{gate.label}: member {name!r}"):
        opener().close()  # compares the name with that before the data


def _link(entry: Entry, name: str, gate: Gate, opener: Any) -> None:
    if entry.size > 4096:
        raise gate.refuse(name, f"is a link to a name of {entry.size:,} bytes")
    with told(f"{gate.label}: member {name!r}"), opener() as stream:
        target = stream.read().decode("utf-8", "surrogateescape")
    if not target or "\0" in target:
        raise gate.refuse(name, f"is a link to {target[:40]!r}, which is no name")
    gate.link(name, target)


def _open(file: BinaryIO, label: str, name: str, entry: Entry, limit: int) -> BinaryIO:
    """The expanded bytes of a member; its data must end before ``limit``."""

    def damaged(why: str) -> ArchiveError:
        return ArchiveError(f"{label}: member {name!r} {why}: the zip is damaged. Fetch it again.")

    file.seek(entry.offset)
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise damaged("should begin where the file ends")
    mark, flags, method, of_name, of_extra = _HEADER.unpack(header)
    if mark != 0x04034B50:
        raise damaged(f"has no header at byte {entry.offset:,}")
    raw = file.read(of_name)
    if raw != entry.raw or ((flags ^ entry.flags) & _UTF8 and not raw.isascii()):
        raise damaged(f"is called {raw!r} before its data, another name than in the list")
    if flags & _ENCRYPTED or method != entry.method:
        raise damaged("is packed in another way than the list says")
    start = entry.offset + _HEADER.size + of_name + of_extra
    if start + entry.packed > limit:
        raise damaged("overlaps another member or the list of members")
    window = cast(BinaryIO, io.BufferedReader(_Window(file, start, entry.packed), 1 << 14))
    if method == _STORED:
        stream: Any = window
    elif method == _DEFLATED:
        stream = _Inflated(window)
    elif method == _BZIP2:
        stream = bz2.BZ2File(window)
    elif method == _LZMA:
        stream = _Unlzma(window, entry.size)
    else:
        stream = zstd(label).open(window)
    return io.BufferedReader(_Checked(stream, entry), 1 << 16)


class _Window(io.RawIOBase):
    """Some bytes of a file that others read too."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._at = start
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._at)
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._at += len(data)
        self._left -= len(data)
        return len(data)


class _Inflated(io.RawIOBase):
    """Deflated bytes, expanded as far as they are asked for."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._source.read(1 << 14)
            data = self._inflate.decompress(packed, len(buffer))
            buffer[: len(data)] = data
            if data:
                return len(data)
            if not packed:
                raise EOFError("the packed data ends too early")
        return 0


class _Unlzma(io.RawIOBase):
    """LZMA as in a zip: two bytes of version, two of a length, five of properties, the data.

    A mark at the end of the data may be left out (APPNOTE.TXT 4.4.4, bit 1); ``size`` tells then.
    """

    def __init__(self, source: BinaryIO, size: int) -> None:
        head = source.read(9)
        if len(head) < 9 or head[2:4] != b"\x05\x00" or head[4] >= 225:
            raise lzma.LZMAError("the header of the packed data is wrong")
        rest, lc = divmod(head[4], 9)
        pb, lp = divmod(rest, 5)
        # a dictionary that is larger than the data is of no use, and would be allocated
        wanted = min(int.from_bytes(head[5:9], "little"), size)
        options = {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb}
        options["dict_size"] = max(wanted, 4096)
        self._source, self._left = source, size
        self._expand = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options])

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._expand.eof:
            packed = self._source.read(1 << 14) if self._expand.needs_input else b""
            data = self._expand.decompress(packed, len(buffer))
            if data:
                buffer[: len(data)] = data
                self._left -= len(data)
                return len(data)
            if not packed and self._expand.needs_input:
                if self._left:
                    raise EOFError("the packed data ends too early")
                break
        return 0


class _Checked(io.RawIOBase):
    """Expanded bytes whose number and CRC-32 must be those of the list."""

    def __init__(self, inner: Any, entry: Entry) -> None:
        self._inner = inner
        self._entry = entry
        self._crc = 0
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._inner.read(len(buffer))
        buffer[: len(data)] = data
        self._crc = zlib.crc32(data, self._crc)
        self._count += len(data)
        size = self._entry.size
        if self._count > size or (not data and self._count < size):
            more = "more than " if self._count > size else ""
            raise ValueError(f"{more}{self._count:,} bytes where the list says {size:,}")
        if self._count == size and self._crc != self._entry.crc:
            raise ValueError(f"CRC-32 is {self._crc:08x}, the list says {self._entry.crc:08x}")
        return len(data)
