"""EXIF orientation: how a camera was held, read from a file's header, and the turn that undoes it.

JPEG, PNG and WebP files carry it in an EXIF block, a small TIFF file of its own; it is found here
by walking the file's sections, without a decoder. The eight cases are those of the EXIF standard
(CIPA DC-008, tag 0x0112).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["JPEG", "PNG", "exif_orientation", "orientation", "swaps_sides", "turn"]

JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG\r\n\x1a\n"
_TAG = 0x0112
_NUMBER = {3: "H", 4: "I"}  # types of TIFF that writers use for the tag -> struct's letter


def orientation(data: bytes | memoryview) -> int:
    """1 (upright) to 8, from the EXIF block of a JPEG, PNG or WebP file; 1 where there is none.

    Example:
        >>> orientation(b"no picture")
        1
    """
    start = bytes(data[:12])
    try:
        if start[:3] == JPEG:
            blocks = _jpeg_blocks(data)
        elif start[:8] == PNG:
            blocks = _png_blocks(data)
        elif start[:4] == b"RIFF" and start[8:] == b"WEBP":
            blocks = _webp_blocks(data)
        else:
            return 1
        for block in blocks:
            return exif_orientation(block)
    except (struct.error, IndexError):  # cut off: decoding will say so
        pass
    return 1


def exif_orientation(block: bytes) -> int:
    """The orientation that an EXIF block (a TIFF header and its directory) holds; 1 if none."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    try:
        if order is None or struct.unpack_from(order + "H", block, 2)[0] != 42:
            return 1
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, length = struct.unpack_from(order + "HHI", block, at)
            if tag == _TAG:
                if length != 1 or kind not in _NUMBER:
                    return 1
                (found,) = struct.unpack_from(order + _NUMBER[kind], block, at + 8)
                return found if 1 <= found <= 8 else 1
    except struct.error:
        pass
    return 1


def swaps_sides(found: int) -> bool:
    """Whether the turn of this orientation swaps height and width."""
    return found >= 5


def turn(pixels: Any, found: int) -> Any:
    """Pixels [H, W, ...] (numpy array) turned upright: a view, whose strides may be negative.

    Example:
        >>> turn(np.array([[1, 2], [3, 4]]), 6).tolist()  # a quarter to the right
        [[3, 1], [4, 2]]
    """
    if swaps_sides(found):
        pixels = np.swapaxes(pixels, 0, 1)
    rows = slice(None, None, -1 if found in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if found in (2, 3, 6, 7) else 1)
    return pixels[rows, columns]


def _jpeg_blocks(data: bytes | memoryview) -> Iterator[bytes]:
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if 0xC0 <= marker <= 0xC3 or marker == 0xDA:  # the frame: APP sections stand before it
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD9:  # these have no length
            at += 2
            continue
        end = at + 2 + (data[at + 2] << 8 | data[at + 3])
        if marker == 0xE1 and bytes(data[at + 4 : at + 10]) == b"Exif\0\0":
            yield bytes(data[at + 10 : end])
        at = end


def _png_blocks(data: bytes | memoryview) -> Iterator[bytes]:
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"eXIf":
            yield bytes(data[at + 8 : at + 8 + length])
        at += 12 + length


def _webp_blocks(data: bytes | memoryview) -> Iterator[bytes]:
    at = 12
    while at < len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"EXIF":  # some writers put JPEG's prefix in front
            yield bytes(data[at + 8 : at + 8 + length]).removeprefix(b"Exif\0\0")
        at += 8 + length + length % 2
