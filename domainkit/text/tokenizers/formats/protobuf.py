"""Reading protocol buffers without the ``protobuf`` library: fields of a message, one by one.

The wire format is that of https://protobuf.dev/programming-guides/encoding: each field begins with
a varint that holds its number and how its value is written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from domainkit.errors import DecodeError

__all__ = ["fields"]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """The fields of one message in the order they were written, as (number, value).

    Varints come as int, 32 and 64 fixed bits as float, and what has a length (strings, bytes,
    messages inside this one) as bytes.

    Raises:
        DecodeError: the bytes are no message of this format, or end in the middle of a field.

    Example:
        >>> list(fields(bytes([8, 150, 1, 18, 2, 104, 105])))
        [(1, 150), (2, b'hi')]
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == BYTES:
            size, at = _varint(message, at)
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
        else:
            raise DecodeError(f"byte {at} begins no protobuf field (wire type {wire})")
        part = message[at : at + size]
        if len(part) < size:
            raise DecodeError(f"the file ends {size - len(part)} bytes too early: fetch it again")
        at += size
        if wire == BYTES:
            yield number, part
        else:
            yield number, struct.unpack("<f" if size == 4 else "<d", part)[0]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Seven bits a byte, lowest first, until a byte without its top bit."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise DecodeError("the file ends in the middle of a number: fetch it again")
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise DecodeError(f"byte {at} belongs to a number of more than 64 bits: no protobuf file")
