"""Archives made by hand, byte by byte, where the standard library refuses to make them."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import random
import struct
import sys
import tarfile
import zipfile
import zlib
from dataclasses import dataclass

import pytest

__all__ = [
    "COMPRESSIONS",
    "FILES",
    "Part",
    "raw_zip",
    "special",
    "tar_bytes",
    "zip_bytes",
    "zstd_bytes",
]

FILES = {
    "set/cats/1.jpg": random.Random(0).randbytes(70_000),
    "set/cats/2.jpg": b"",
    "set/dogs/1.jpg": b"woof" * 128,  # a whole tar block
    "set/readme.txt": "größe\n".encode(),
}
COMPRESSIONS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "": bytes}


def tar_bytes(*members: tarfile.TarInfo | tuple[str, bytes], **options) -> bytes:
    """A tar of (name, data) pairs and of headers as they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as file:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                file.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                file.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_bytes(*members: tuple[str | zipfile.ZipInfo, bytes], method=zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, data in members:
            file.writestr(name, data)
    return buffer.getvalue()


def zstd_bytes(data: bytes) -> bytes:
    """One frame with a checksum."""
    if sys.version_info >= (3, 14):
        zstd = importlib.import_module("compression.zstd")
        return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})
    return pytest.importorskip("zstandard").ZstdCompressor(write_checksum=True).compress(data)


@dataclass
class Part:
    """A member of a zip as its two headers tell of it; None is what would be true."""

    name: str | bytes
    packed: bytes = b""
    data: bytes | None = None  # expanded; None: as packed
    method: int = 0
    flags: int = 0
    mode: int = 0
    extra: bytes = b""
    header: bytes | None = None  # all of the header and the packed data
    header_name: bytes | None = None
    header_flags: int | None = None
    header_method: int | None = None
    size: int | None = None
    packed_size: int | None = None
    offset: int | None = None

    @property
    def raw(self) -> bytes:
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    @property
    def expanded(self) -> bytes:
        return self.packed if self.data is None else self.data

    def local(self) -> bytes:
        if self.header is not None:
            return self.header
        name = self.raw if self.header_name is None else self.header_name
        flags = self.flags if self.header_flags is None else self.header_flags
        method = self.method if self.header_method is None else self.header_method
        sizes = zlib.crc32(self.expanded), len(self.packed), len(self.expanded)
        fields = struct.pack("<5H3I2H", 20, flags, method, 0, 33, *sizes, len(name), 0)
        return b"PK\x03\x04" + fields + name + self.packed

    def record(self, offset: int) -> bytes:
        packed = len(self.packed) if self.packed_size is None else self.packed_size
        size = len(self.expanded) if self.size is None else self.size
        fields = (788, 20, self.flags, self.method, 0, 33)
        numbers = zlib.crc32(self.expanded), packed, size
        lengths = (len(self.raw), len(self.extra), 0, 0, 0)
        offset = offset if self.offset is None else self.offset
        where = struct.pack("<II", self.mode << 16, offset)
        head = b"PK\x01\x02" + struct.pack("<6H3I5H", *fields, *numbers, *lengths)
        return head + where + self.raw + self.extra


def raw_zip(*parts: Part, count: int | None = None, comment: bytes = b"", order=None) -> bytes:
    """A zip of members as they say; ``order`` is that of the list at the end."""
    out, records = bytearray(), []
    for part in parts:
        records.append(part.record(len(out)))
        out += part.local()
    listed = b"".join(records[i] for i in (order or range(len(records))))
    many = len(records) if count is None else count
    end = struct.pack("<4H2IH", 0, 0, many, many, len(listed), len(out), len(comment))
    return bytes(out) + listed + b"PK\x05\x06" + end + comment
