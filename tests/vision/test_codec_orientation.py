"""EXIF orientation against torchvision and Pillow: all eight, in every format that carries it."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.io
from PIL import Image, ImageOps
from support.pictures import photo_files
from torchvision.io import ImageReadMode

from domainkit.vision.codec import (
    decode_image,
    decode_image_into,
    encode_png,
    from_pillow,
    image_shape,
)
from domainkit.vision.codec.orientation import exif_orientation, orientation

KINDS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
}


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.open(photo_files()[0]).crop((100, 100, 161, 143))


def encoded(picture: Image.Image, kind: str, found: int, **options: Any) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = found
    out = io.BytesIO()
    if kind == "TIFF":
        picture.save(out, kind, tiffinfo={0x0112: found}, **options)
    else:
        picture.save(out, kind, exif=exif.tobytes(), **{**KINDS[kind], **options})
    return out.getvalue()


def upright(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.array(ImageOps.exif_transpose(picture).convert("RGB"))


def by_torchvision(data: bytes) -> torch.Tensor:
    raw = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    with warnings.catch_warnings():  # torchvision 0.29 announces that its decoders will go
        warnings.simplefilter("ignore", DeprecationWarning)
        return torchvision.io.decode_image(raw, mode=ImageReadMode.RGB, apply_exif_orientation=True)


@pytest.mark.parametrize("found", range(1, 9))
@pytest.mark.parametrize("kind", KINDS)
def test_all_eight_in_every_format(photo: Image.Image, kind: str, found: int) -> None:
    data = encoded(photo, kind, found)
    mine = decode_image(data)
    assert np.array_equal(mine.permute(1, 2, 0).numpy(), upright(data))
    if kind in ("JPEG", "PNG"):
        assert torch.equal(mine, by_torchvision(data))
    assert image_shape(data) == tuple(mine.shape)
    assert image_shape(data, "unchanged") == tuple(decode_image(data, "unchanged").shape)
    place = torch.zeros(*mine.shape[1:], 3, dtype=torch.uint8).permute(2, 0, 1)
    decode_image_into(data, place)
    assert torch.equal(place, mine)
    assert torch.equal(from_pillow(Image.open(io.BytesIO(data))), mine)


@pytest.mark.parametrize("found", range(1, 9))
@pytest.mark.parametrize("kind", KINDS)
def test_as_it_lies_in_the_file(photo: Image.Image, kind: str, found: int) -> None:
    data, plain = encoded(photo, kind, found), encoded(photo, kind, 1)
    mine = decode_image(data, orient=False)
    assert torch.equal(mine, decode_image(plain))
    assert image_shape(data, orient=False) == tuple(mine.shape) == (3, 43, 61)


@pytest.mark.parametrize("found", [3, 6])
def test_cmyk_and_masks_are_turned_too(photo: Image.Image, found: int) -> None:
    data = encoded(photo.convert("CMYK"), "JPEG", found)
    assert torch.equal(decode_image(data), by_torchvision(data))
    classes = photo.convert("L").quantize(9)
    mask = decode_image(encoded(classes, "PNG", found), "index")
    classes.putpalette([i for k in range(9) for i in (k, k, k)])
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded(classes, "PNG", found))))
    assert np.array_equal(mask[0].numpy(), np.asarray(expected))


def test_the_first_sections_may_be_others(photo: Image.Image) -> None:
    """APP1 with XMP text before the EXIF block, padding between sections, big-endian numbers."""
    plain = encoded(photo, "JPEG", 1)
    end = plain.index(b"\xff\xdb")
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    block = b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)

    def section(marker: int, body: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body

    head = section(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>") + b"\xff\xff"
    data = b"\xff\xd8" + head + section(0xE1, b"Exif\0\0" + block) + plain[end:]
    assert orientation(data) == 6 and exif_orientation(block) == 6
    assert np.array_equal(decode_image(data).permute(1, 2, 0).numpy(), upright(data))
    assert orientation(memoryview(data)) == 6


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II",
        b"II*\0\xff\xff\xff\xff",
        b"XX*\0\x08\0\0\0\x01\0",
        b"II*\0\x08\0\0\0\x09\0",
        b"II+\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0),
        b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, 9, 0),
        b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 2, 4, 6, 0),
    ],
)
def test_a_block_without_sense_turns_nothing(block: bytes) -> None:
    assert exif_orientation(block) == 1
    data = photo_files()[0].read_bytes()
    body = b"Exif\0\0" + block
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]
    assert decode_image(data).shape == (3, 427, 640)


@pytest.mark.parametrize("start", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP"])
def test_headers_that_end_early(start: bytes) -> None:
    for rest in (b"", b"\xe1", b"\xe1\xff\xffEx", b"eXIf", bytes(7)):
        assert orientation(start + rest) == 1


def test_what_is_encoded_here_is_upright() -> None:
    assert orientation(encode_png(torch.zeros(3, 2, 4, dtype=torch.uint8))) == 1
