"""decode_image against torchvision.io on real photographs; damage; every kind of PNG."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
import torchvision.io
from PIL import Image
from support.pictures import photo_files, photos
from torchvision.io import ImageReadMode

from domainkit.errors import DecodeError, DomainkitError, TransformError
from domainkit.vision.codec import decode_image, encode_png, from_pillow

READ = {"RGB": ImageReadMode.RGB, "L": ImageReadMode.GRAY}


def by_torchvision(data: bytes, mode: str) -> torch.Tensor:
    raw = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    with warnings.catch_warnings():  # torchvision 0.29 announces that its decoders will go
        warnings.simplefilter("ignore", DeprecationWarning)
        return torchvision.io.decode_image(raw, mode=READ[mode])


def encoded(pixels: np.ndarray | Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(out, kind, **options)
    return out.getvalue()


@pytest.fixture
def photo() -> Image.Image:
    return Image.open(photo_files()[0]).crop((100, 100, 301, 243))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("path", photo_files(), ids=lambda path: path.stem)
def test_photographs_equal_torchvision(path: Path, mode: str) -> None:
    data = path.read_bytes()
    mine = decode_image(data, mode)
    assert mine.dtype == torch.uint8 and mine.shape == (3 if mode == "RGB" else 1, 427, 640)
    assert torch.equal(mine, by_torchvision(data, mode))
    assert torch.equal(mine, decode_image(memoryview(data), mode))
    signed = memoryview(pa.py_buffer(b"before" + data + b"after"))[6:-5]
    assert signed.format == "b" and signed.readonly
    assert torch.equal(mine, decode_image(signed, mode))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("stored", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize(
    "options", [{"quality": 60}, {"quality": 95, "subsampling": 0}, {"progressive": True}]
)
def test_every_kind_of_jpeg(
    photo: Image.Image, stored: str, mode: str, options: dict[str, Any]
) -> None:
    data = encoded(photo.convert(stored), "JPEG", **options)
    assert torch.equal(decode_image(data, mode), by_torchvision(data, mode))


@pytest.mark.parametrize("stored", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_kind_of_png(photo: Image.Image, stored: str) -> None:
    if stored in ("LA", "RGBA"):
        photo.putalpha(Image.linear_gradient("L").resize(photo.size))
    data = encoded(photo.convert(stored), "PNG")
    assert torch.equal(decode_image(data, "RGB"), by_torchvision(data, "RGB"))
    if stored in ("1", "L", "LA"):
        assert torch.equal(decode_image(data, "L"), by_torchvision(data, "L"))
    else:  # Pillow and libpng round the grey of a colour differently
        grey = Image.open(io.BytesIO(data)).convert("RGB").convert("L")
        mine = decode_image(data, "L")
        assert np.array_equal(mine[0].numpy(), np.asarray(grey))
        assert (mine.int() - by_torchvision(data, "L").int()).abs().max() <= 1


def test_palette_with_transparency(photo: Image.Image) -> None:
    data = encoded(photo.convert("P"), "PNG", transparency=bytes(range(256)))
    assert torch.equal(decode_image(data), by_torchvision(data, "RGB"))


def test_sixteen_bits_keep_the_upper_eight() -> None:
    pixels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    data = encoded(pixels, "PNG")
    truth = torch.from_numpy((pixels >> 8).astype(np.uint8))
    assert torch.equal(decode_image(data, "L")[0], truth)
    assert torch.equal(decode_image(data, "RGB"), truth.expand(3, -1, -1))


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF", "WEBP"])
def test_other_formats(photo: Image.Image, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(photo, kind, **options)
    truth = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(decode_image(data).permute(1, 2, 0).numpy(), truth)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["JPEG", "progressive", "CMYK", "PNG", "GIF", "WEBP"])
def test_a_cut_off_picture_is_an_error(photo: Image.Image, kind: str, share: float) -> None:
    if kind == "CMYK":
        data = encoded(photo.convert("CMYK"), "JPEG")
    elif kind == "progressive":
        data = encoded(photo, "JPEG", progressive=True)
    else:
        data = encoded(photo, kind)
    with pytest.raises(DecodeError, match="cut off"):
        decode_image(data[: int(len(data) * share)])


def test_a_jpeg_without_its_end_marker_is_an_error() -> None:
    with pytest.raises(DecodeError, match="Premature end"):
        decode_image(photo_files()[0].read_bytes()[:-2])


def test_overwritten_bytes_are_an_error() -> None:
    data = bytearray(photo_files()[0].read_bytes())
    random = np.random.default_rng(0)
    for place in random.integers(2000, len(data), 40):
        data[place] = random.integers(256)
    with pytest.raises(DecodeError, match="damaged"):
        decode_image(bytes(data))


def test_odd_bytes_that_cost_no_pixel_are_let_be(capfd: pytest.CaptureFixture[str]) -> None:
    # some published JPEGs have padding before the end marker
    data = photo_files()[0].read_bytes()
    padded = data[:-2] + b"\0\0\0\0" + data[-2:]
    assert torch.equal(decode_image(padded), decode_image(data))
    with pytest.raises(DecodeError):  # but not in a file that is cut off as well
        decode_image(padded[:-2])
    assert torch.equal(decode_image(data + b"trailing"), decode_image(data))
    capfd.readouterr()  # libjpeg remarks on the padding


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"<html>not found</html>", bytes(100)])
def test_what_is_no_picture(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_image(data)
    assert issubclass(DecodeError, DomainkitError)


def test_an_enormous_picture_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DecodeError, match="refused"):
        decode_image(encode_png(torch.zeros(1, 20, 20, dtype=torch.uint8)))


def test_unknown_mode() -> None:
    with pytest.raises(DecodeError, match=r"'RGB', 'L', .* got 'HSV'"):
        decode_image(b"", mode="HSV")


@pytest.mark.parametrize("channels", [1, 3])
def test_png_there_and_back(channels: int) -> None:
    image = photos(1, channels)[0]
    mode = "RGB" if channels == 3 else "L"
    assert torch.equal(decode_image(encode_png(image), mode), image)
    assert torch.equal(by_torchvision(encode_png(image), mode), image)


def test_png_thumbnail() -> None:
    image = photos(1)[0]  # 96 x 120
    small = decode_image(encode_png(image, max_side=60))
    assert small.shape == (3, 48, 60)
    assert abs(small.float().mean() - image.float().mean()) < 2
    assert torch.equal(decode_image(encode_png(image, max_side=500)), image)  # never enlarged


@pytest.mark.parametrize(
    "image",
    [torch.zeros(3, 4, 4), torch.zeros(4, 4, dtype=torch.uint8), torch.zeros(2, 4, 4).byte()],
)
def test_png_refuses_other_arrays(image: torch.Tensor) -> None:
    with pytest.raises(TransformError, match="uint8 tensor"):
        encode_png(image)


@pytest.mark.parametrize("mode", ["P", "L"])
def test_index_keeps_the_numbers_of_a_mask(mode: str) -> None:
    """Segmentation masks are often palette PNGs: the class is the index, not the colour's grey."""
    classes = np.arange(12, dtype=np.uint8).reshape(3, 4)
    picture = Image.fromarray(classes)
    if mode == "P":
        picture.putpalette([(7 * i) % 256 for i in range(768)])
    out = io.BytesIO()
    picture.save(out, "PNG")
    assert (decode_image(out.getvalue(), mode="index")[0].numpy() == classes).all()


def test_index_of_a_coloured_picture_is_an_error() -> None:
    png = encode_png(torch.zeros(3, 2, 2, dtype=torch.uint8))
    with pytest.raises(DecodeError, match="one number per pixel"):
        decode_image(png, mode="index")


def test_index_of_one_bit_is_zero_and_one() -> None:
    classes = np.array([[0, 1, 1], [1, 0, 1]], dtype=bool)
    mask = decode_image(encoded(classes, "PNG"), mode="index")
    assert mask.dtype == torch.uint8
    assert np.array_equal(mask[0].numpy(), classes.astype(np.uint8))


def test_index_of_sixteen_bits_says_what_to_do() -> None:
    data = encoded(np.arange(12, dtype=np.uint16).reshape(3, 4), "PNG")
    with pytest.raises(DecodeError, match=r"16 bits .*convert to 8 bits"):
        decode_image(data, mode="index")


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("stored", ["1", "L", "P", "RGB", "RGBA", "I;16"])
def test_a_pillow_picture_is_its_file(photo: Image.Image, stored: str, mode: str) -> None:
    if stored == "I;16":
        picture = Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100)
    else:
        picture = photo.convert(stored)
    mine = from_pillow(picture, mode)
    assert mine.dtype == torch.uint8
    assert torch.equal(mine, decode_image(encoded(picture, "PNG"), mode))


def test_a_damaged_pillow_picture(photo: Image.Image) -> None:
    with pytest.raises(DecodeError, match="cannot be read"):
        from_pillow(Image.open(io.BytesIO(encoded(photo, "PNG")[:-500])))


@pytest.mark.parametrize("depth", [2, 4])
def test_index_of_a_png_with_few_greys(depth: int) -> None:
    """Written by hand: two or four bits a pixel, which Pillow would spread over 0..255."""
    rows = np.arange(16, dtype=np.uint8).reshape(2, 8) % 2**depth
    bits = np.unpackbits(rows[..., None], axis=-1)[..., -depth:].reshape(2, -1)
    lines = b"".join(b"\0" + np.packbits(row).tobytes() for row in bits)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", 8, 2, depth, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    png += chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    assert (decode_image(png, mode="index")[0].numpy() == rows).all()
