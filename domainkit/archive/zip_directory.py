"""The list of members at the end of a zip, read in parts and never held whole.

The layout is PKWARE's APPNOTE.TXT, 6.3.10, with the 64-bit fields and Info-ZIP's Unicode names.
"""

from __future__ import annotations

import io
import struct
import zlib
from array import array
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, NamedTuple

from domainkit.archive.streams import told
from domainkit.errors import ArchiveError

__all__ = ["Entry", "ZipDirectory"]

_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_RECORD = struct.Struct("<5xB2x2H4x3I2H6x2I")
_LENGTHS = struct.Struct("<I24x3H")  # of the same record
_OFFSET = struct.Struct("<42xI")
_LONGEST = _RECORD.size + 3 * 0xFFFF  # with name, extra field and comment
_BLOCK = 1 << 20
_ELSEWHERE = 0xFFFFFFFF  # "see the 64-bit field"
_UNIX = (3, 19)  # and macOS
_SIZES, _UNICODE_NAME = 0x0001, 0x7075  # extra fields


class Entry(NamedTuple):
    """One record.

    Attributes:
        raw: the name as bytes, which the header before the data repeats.
        extra: the extra field.
        host: system that it was made on.
        flags: as in the header.
        method: of compression.
        crc: of the expanded bytes.
        packed: bytes of the data in the file.
        size: expanded bytes.
        offset: of the member's header from the start of the file.
        mode: of Unix, 0 if unknown.
    """

    raw: bytes
    extra: bytes
    host: int
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int

    @property
    def name(self) -> str:
        """Raises UnicodeDecodeError for a name that says it is UTF-8 and is not."""
        if self.raw.isascii():
            return self.raw.decode("ascii")
        if self.flags & 0x800:
            return self.raw.decode("utf-8")
        told = _field(self.extra, _UNICODE_NAME)  # a version, the CRC-32 of the other name, UTF-8
        if told[:5] == struct.pack("<BI", 1, zlib.crc32(self.raw)):
            return told[5:].decode("utf-8")
        if self.host in _UNIX:
            with suppress(UnicodeDecodeError):  # they write what the file system says
                return self.raw.decode("utf-8")
        return self.raw.decode("cp437")


class ZipDirectory:
    """The records of the zip in ``file``; ArchiveError where they are damaged."""

    def __init__(self, file: BinaryIO, label: str) -> None:
        self._file = file
        self._label = label
        length = file.seek(0, io.SEEK_END)
        floor = max(0, length - _END.size - 0xFFFF)
        file.seek(floor)
        tail = file.read()
        at = tail.rfind(b"PK\x05\x06")
        while at >= 0:
            if len(tail) - at >= _END.size:
                _, disk, first, _, count, size, offset, comment = _END.unpack_from(tail, at)
                if at + _END.size + comment <= len(tail):
                    break
            at = tail.rfind(b"PK\x05\x06", 0, at)
        else:
            raise self._damaged("has no list of members at its end")
        end, self._wrap = floor + at, 1 << 16  # old writers count modulo 65,536
        wide = self._wide_end(end)
        if wide is not None:
            end, disk, first, count, size, offset = wide
            self._wrap = 1 << 64
        if disk or first:
            raise ArchiveError(
                f"{label}: is one part of a zip in several parts. Join the parts "
                "(zip -s 0 parts.zip --out whole.zip) and read the whole."
            )
        self.start = end - size
        self._shift = self.start - offset  # bytes that were put before the archive
        self._size, self._count = size, count
        if self.start < 0 or self._shift < 0:
            raise self._damaged("says that its list of members begins elsewhere")

    def __iter__(self) -> Iterator[Entry]:
        unpack, header = _RECORD.unpack_from, _RECORD.size
        for block, at in self._records():
            host, flags, method, crc, packed, size, of_name, of_extra, mode, offset = unpack(
                block, at
            )
            name = at + header
            extra = name + of_name
            raw, more = block[name:extra], block[extra : extra + of_extra]
            if _ELSEWHERE in (size, packed, offset):
                size, packed, offset = self._wide(raw, more, size, packed, offset)
            offset += self._shift
            yield Entry(raw, more, host, flags, method, crc, packed, size, offset, mode >> 16)

    def starts(self) -> tuple[array[int], bool]:
        """Where the members begin, sorted, and whether the list has that order already."""
        starts = array("Q")
        last, ordered = -1, True
        unpack, shift = _OFFSET.unpack_from, self._shift
        for block, at in self._records():
            (offset,) = unpack(block, at)
            if offset == _ELSEWHERE:
                _, _, _, _, packed, size, of_name, of_extra, _, _ = _RECORD.unpack_from(block, at)
                name = at + _RECORD.size
                extra = name + of_name
                more = block[extra : extra + of_extra]
                offset = self._wide(block[name:extra], more, size, packed, offset)[2]
            ordered = ordered and offset > last
            last = offset
            starts.append(last + shift)
        return (starts if ordered else array("Q", sorted(starts))), ordered

    def _records(self) -> Iterator[tuple[bytes, int]]:
        """A block of the list and where a whole record begins in it."""
        block, at, position, left, count = b"", 0, self.start, self._size, 0
        unpack, header, whole = _LENGTHS.unpack_from, _RECORD.size, -1
        while left or at < len(block):
            if left and at > whole:
                with told(f"{self._label}: the list of members"):
                    self._file.seek(position)  # members may have been read in between
                    more = self._file.read(min(left, _BLOCK))
                if not more:
                    raise self._damaged("ends within its list of members")
                block, at = block[at:] + more, 0
                position += len(more)
                left -= len(more)
                whole = len(block) - _LONGEST
                continue
            if len(block) - at < header:
                raise self._damaged("has half a record in its list of members")
            mark, of_name, of_extra, of_comment = unpack(block, at)
            after = at + header + of_name + of_extra + of_comment
            if mark != 0x02014B50 or after > len(block):
                raise self._damaged(f"has no record where number {count + 1} of its list should be")
            count += 1
            yield block, at
            at = after
        if count % self._wrap != self._count % self._wrap:
            raise self._damaged(f"lists {count:,} members and says that it has {self._count:,}")

    def _wide_end(self, end: int) -> tuple[int, int, int, int, int, int] | None:
        """The 64-bit end record: its place, two numbers of parts, count, size, offset."""
        at = end - _LOCATOR.size
        if at < 0:
            return None
        self._file.seek(at)
        mark, _, where, _ = _LOCATOR.unpack(self._file.read(_LOCATOR.size))
        if mark != b"PK\x06\x07":
            return None
        for start in (at - _END64.size, where):
            if 0 <= start <= at - _END64.size:
                self._file.seek(start)
                fields = _END64.unpack(self._file.read(_END64.size))
                if fields[0] == b"PK\x06\x06":
                    return start, fields[4], fields[5], fields[7], fields[8], fields[9]
        raise self._damaged("has no 64-bit end record where it says")

    def _wide(self, raw: bytes, extra: bytes, *values: int) -> list[int]:
        """Sizes and offset, those that do not fit taken from the extra field."""
        field = _field(extra, _SIZES)
        found = []
        for value in values:
            if value != _ELSEWHERE or not field:
                found.append(value)
                continue
            if len(field) < 8:
                raise self._damaged(f"has half a 64-bit field at member {raw!r}")
            found.append(int.from_bytes(field[:8], "little"))
            field = field[8:]
        return found

    def _damaged(self, why: str) -> ArchiveError:
        return ArchiveError(
            f"{self._label}: the zip {why}: it is damaged or cut off. Fetch it again."
        )


def _field(extra: bytes, wanted: int) -> bytes:
    """The extra field of that kind; empty if there is none."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == wanted:
            return extra[at + 4 : at + 4 + size]
        at += 4 + size
    return b""
