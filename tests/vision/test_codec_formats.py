"""``decode_image``'s other modes - alpha, as stored, 16 bits - and files that somebody broke."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
import simplejpeg
import torch
import torchvision.io
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops
from support.pictures import photo_files, photos
from torchvision.io import ImageReadMode

from domainkit.errors import DecodeError, TransformError
from domainkit.features import Image as ImageFeature
from domainkit.vision.codec import (
    decode_image,
    decode_image_into,
    encode_jpeg,
    encode_png,
    from_pillow,
    image_shape,
)

READ = {
    "RGB": ImageReadMode.RGB,
    "L": ImageReadMode.GRAY,
    "RGBA": ImageReadMode.RGB_ALPHA,
    "LA": ImageReadMode.GRAY_ALPHA,
    "unchanged": ImageReadMode.UNCHANGED,
}


def by_torchvision(data: bytes, mode: str) -> torch.Tensor:
    raw = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    with warnings.catch_warnings():  # torchvision 0.29 announces that its decoders will go
        warnings.simplefilter("ignore", DeprecationWarning)
        return torchvision.io.decode_image(raw, mode=READ[mode])


def picture(stored: str) -> Image.Image:
    photo = Image.open(photo_files()[1]).crop((100, 100, 161, 143))
    if stored in ("LA", "RGBA"):
        photo.putalpha(Image.linear_gradient("L").resize(photo.size))
    return photo.convert(stored)


def encoded(stored: str, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture(stored).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("stored", ["1", "L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "unchanged"])
def test_png_with_and_without_alpha(stored: str, mode: str) -> None:
    data = encoded(stored, "PNG")
    mine = decode_image(data, mode)
    truth = by_torchvision(data, mode)
    if stored == "1" and mode != "unchanged":  # torchvision gives 1 for opaque there
        assert (mine[-1] == 255).all()
        mine, truth = mine[:-1], truth[:-1]
    # Pillow and libpng round the grey of a colour differently
    slack = 1 if mode == "LA" and stored in ("RGB", "RGBA") else 0
    torch.testing.assert_close(mine, truth, rtol=0, atol=slack)
    assert image_shape(data, mode) == tuple(decode_image(data, mode).shape)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "unchanged"])
@pytest.mark.parametrize("clear", [False, True])
def test_palettes(mode: str, clear: bool) -> None:
    data = encoded("P", "PNG", **({"transparency": bytes(range(256))} if clear else {}))
    mine = decode_image(data, mode)
    wanted = {"unchanged": "RGBA" if clear else "RGB"}.get(mode, mode)
    truth = Image.open(io.BytesIO(data)).convert("RGBA").convert(wanted)
    assert np.array_equal(mine.permute(1, 2, 0).numpy().squeeze(), np.asarray(truth))
    assert image_shape(data, mode) == tuple(mine.shape)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
@pytest.mark.parametrize("stored", ["L", "RGB"])
def test_a_clear_colour(stored: str, mode: str) -> None:
    """PNG's tRNS for a grey or RGB picture; torchvision's decoder does not heed it."""
    plain = picture(stored)
    first = plain.getpixel((3, 4))
    mine = decode_image(encoded(stored, "PNG", transparency=first), mode)
    if mode in ("RGBA", "LA"):
        flat = np.asarray(plain).reshape(43, 61, -1)
        assert np.array_equal(mine[-1].numpy() == 0, (flat == np.array(first)).all(-1))
        assert mine[-1].max() == 255
        mine, mode = mine[:-1], mode[:-1]
    assert torch.equal(mine, decode_image(encoded(stored, "PNG"), mode))


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "unchanged"])
@pytest.mark.parametrize("stored", ["L", "RGB"])
def test_jpeg(stored: str, mode: str) -> None:
    data = encoded(stored, "JPEG", quality=90)
    mine = decode_image(data, mode)
    if mode in ("RGBA", "LA"):
        assert (mine[-1] == 255).all()
        mine, mode = mine[:-1], mode[:-1]
    assert image_shape(data, mode) == tuple(mine.shape)
    # Pillow's grey of a colour is made from RGB, libjpeg's is the file's own
    slack = 1 if mode == "L" and stored == "RGB" else 0
    torch.testing.assert_close(mine, by_torchvision(data, mode), rtol=0, atol=slack)


def test_cmyk_and_ycck_jpeg() -> None:
    """Pillow writes CMYK; YCCK is made of it by what Adobe's section says of the numbers."""
    data = encoded("CMYK", "JPEG", quality=95)
    raw = Image.open(io.BytesIO(data))
    assert raw.mode == "CMYK"
    mine = decode_image(data, "unchanged")
    assert np.array_equal(mine.permute(1, 2, 0).numpy(), np.asarray(raw))
    assert image_shape(data, "unchanged") == (4, 43, 61)
    at = data.index(b"Adobe") + 11  # the byte that tells the transform
    ycck = data[:at] + b"\2" + data[at + 1 :]
    assert simplejpeg.decode_jpeg_header(ycck)[2] in ("YCCK", "CMYK")
    for mode in ("RGB", "L"):
        assert torch.equal(decode_image(ycck, mode), by_torchvision(ycck, mode))
        assert torch.equal(decode_image(data, mode), by_torchvision(data, mode))
    assert not torch.equal(decode_image(ycck), decode_image(data))
    alpha = decode_image(data, "RGBA")
    assert torch.equal(alpha[:3], decode_image(data)) and (alpha[3] == 255).all()


def test_sixteen_bits_of_grey() -> None:
    pixels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    for kind in ("PNG", "TIFF"):
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, kind)
        mine = decode_image(out.getvalue(), "unchanged")
        assert mine.dtype == torch.uint16
        assert np.array_equal(mine[0].numpy(), pixels)
        assert image_shape(out.getvalue(), "unchanged") == (1, 256, 256)
    with pytest.raises(DecodeError, match="uint16"):
        decode_image_into(out.getvalue(), torch.zeros(1, 256, 256, dtype=torch.uint8), "unchanged")


@pytest.mark.parametrize(("color", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_of_colour(color: int, channels: int) -> None:
    """Written by hand: Pillow writes no such PNG."""
    truth = np.random.default_rng(0).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in truth)

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 7, 5, 16, color, 0, 0, 0))
    tail = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    png = b"\x89PNG\r\n\x1a\n" + head + tail
    mine = decode_image(png, "unchanged")
    assert mine.dtype == torch.uint16
    assert np.array_equal(mine.permute(1, 2, 0).numpy(), truth)
    assert image_shape(png, "unchanged") == tuple(mine.shape)
    assert decode_image(png).dtype == torch.uint8
    with pytest.raises(DecodeError, match="cut off"):
        decode_image(png[:-30], "unchanged")


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_thirty_two_bits_of_a_tiff(dtype: Any) -> None:
    pixels = (np.random.default_rng(0).normal(size=(5, 7)) * 1e5).astype(dtype)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "TIFF")
    assert np.array_equal(decode_image(out.getvalue(), "unchanged")[0].numpy(), pixels)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "unchanged"])
def test_other_formats(kind: str, mode: str) -> None:
    stored = "RGBA" if kind in ("WEBP", "TIFF") else "RGB"
    data = encoded(stored, kind, **({"lossless": True} if kind == "WEBP" else {}))
    mine = decode_image(data, mode)
    file = Image.open(io.BytesIO(data))
    truth = (
        file
        if mode == "unchanged" and kind != "GIF"
        else file.convert("RGB" if mode == "unchanged" else mode)
    )
    assert np.array_equal(mine.permute(1, 2, 0).numpy().squeeze(), np.asarray(truth))
    assert image_shape(data, mode) == tuple(mine.shape)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
def test_the_first_frame(kind: str) -> None:
    first = picture("RGB").convert("L")
    out = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    second = ImageChops.invert(first)
    first.save(out, kind, save_all=True, append_images=[second], **options)
    mine = decode_image(out.getvalue(), "L")
    assert (mine[0].int() - torch.from_numpy(np.array(first)).int()).abs().max() <= 1


BASE = [
    encoded(
        "RGB",
        "JPEG",
        quality=50,
        exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0",
    ),
    encoded("L", "JPEG", progressive=True),
    encoded("CMYK", "JPEG"),
    encoded("P", "PNG", transparency=bytes(range(256))),
    encoded("RGBA", "PNG"),
    encoded("P", "GIF"),
    encoded("RGB", "WEBP"),
    encoded("RGB", "TIFF"),
    encoded("L", "TIFF", compression="tiff_lzw"),
    encoded("RGB", "BMP"),
]


@pytest.mark.filterwarnings("default")
@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, len(BASE) - 1),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    st.floats(0, 1.3),
    st.sampled_from(["RGB", "L", "RGBA", "LA", "index", "unchanged"]),
)
def test_broken_files_are_errors_or_pictures(
    which: int, changes: list[tuple[float, int]], share: float, mode: str
) -> None:
    data = bytearray(BASE[which])
    for place, value in changes:  # mostly in the header
        data[int(place**3 * (len(data) - 1))] = value
    broken = bytes(data[: int(len(data) * share)])
    shape = image_shape(broken, mode)
    assert shape is None or len(shape) == 3
    try:
        mine = decode_image(broken, mode)
    except DecodeError:
        return
    assert mine.ndim == 3 and mine.dtype in (torch.uint8, torch.uint16, torch.int32, torch.float32)


def test_a_jpeg_that_promises_too_much_is_refused() -> None:
    data = bytearray(encoded("RGB", "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xea\x60\xea\x60"
    with pytest.raises(DecodeError, match="refused"):
        decode_image(bytes(data))


@pytest.mark.parametrize("stored", ["L", "P", "RGB", "RGBA", "LA", "CMYK"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
def test_a_pillow_picture(stored: str, mode: str) -> None:
    kind = "TIFF" if stored == "CMYK" else "PNG"
    assert torch.equal(
        from_pillow(picture(stored), mode), decode_image(encoded(stored, kind), mode)
    )
    with pytest.raises(DecodeError, match="mode must be"):
        from_pillow(picture(stored), "index")


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_there_and_back(channels: int) -> None:
    image, mode = photos(1, channels)[0], "RGB" if channels == 3 else "L"
    data = encode_jpeg(image, quality=95, subsampling="444")
    difference = (decode_image(data, mode).int() - image.int()).abs().float()
    assert difference.mean() < 2
    assert len(encode_jpeg(image, quality=30)) < len(data)
    assert torch.equal(by_torchvision(data, mode), decode_image(data, mode))


def test_encode_jpeg_refuses() -> None:
    image = torch.zeros(3, 4, 4, dtype=torch.uint8)
    for wrong in (image.float(), image[0], image[:2], image[:, :0]):
        with pytest.raises(TransformError, match="encode_jpeg"):
            encode_jpeg(wrong)
    for args in ({"quality": 0}, {"quality": 101}, {"quality": 50.0}, {"subsampling": "410"}):
        with pytest.raises(TransformError, match="encode_jpeg"):
            encode_jpeg(image, **args)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_the_feature_takes_alpha(mode: str) -> None:
    feature = ImageFeature(mode=mode)
    data = encode_png(torch.full((4, 3, 5), 9, dtype=torch.uint8))
    assert feature.shape_of(data) == (len(mode), 3, 5) == tuple(feature.decode(data).shape)
