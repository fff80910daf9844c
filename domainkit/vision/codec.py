"""Picture files to tensors and back.

JPEG goes through libjpeg-turbo (simplejpeg), which lets go of Python's lock while it works; every
other format, and the JPEGs that simplejpeg does not do as torchvision does, through Pillow. Pixels
of JPEG and PNG files are those of ``torchvision.io.decode_image``, bit for bit, but for the grey of
a coloured PNG (``mode="L"``), which may be rounded the other way.

A cut-off picture is an error, never a picture that is half grey.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from domainkit.errors import DecodeError, TransformError

__all__ = ["decode_image", "decode_image_into", "encode_png", "from_pillow", "image_shape"]

_JPEG = b"\xff\xd8\xff"
_COLORSPACE = {"RGB": "RGB", "L": "GRAY"}
# What libjpeg says of odd bytes that cost no pixel; published sets have such files. All else that
# it says means that pixels are lost.
_HARMLESS = ("extraneous bytes before marker", "Unknown Adobe color", "unknown JFIF revision")
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N", "I")


def decode_image(data: bytes | memoryview, mode: str = "RGB") -> torch.Tensor:
    """Decode one picture.

    Args:
        data: the bytes of a JPEG, PNG, BMP, GIF (first frame), TIFF or WebP file.
        mode: "RGB" or "L" (grey). Whatever the file holds - grey, palette, alpha, CMYK, 16 bits -
            is turned into it; alpha is dropped, of 16 bits the upper 8 are kept. "index" gives the
            numbers of a palette or grey picture as they are: the classes of a segmentation mask;
            a picture of 1 bit gives 0 and 1.

    Returns:
        uint8 tensor [C, H, W], C = 3 for "RGB", else 1, values 0..255; a view of rows of pixels
        [H, W, C].

    Raises:
        DecodeError: the data is damaged, cut off or no picture.

    Example:
        >>> decode_image(encode_png(torch.full((3, 2, 2), 7, dtype=torch.uint8)), mode="L")
        tensor([[[7, 7],
                 [7, 7]]], dtype=torch.uint8)
    """
    if mode not in ("RGB", "L", "index"):
        raise DecodeError(f"mode must be 'RGB', 'L' or 'index', got {mode!r}")
    return torch.from_numpy(_pixels(_unsigned(data), mode, None)).permute(2, 0, 1)


def image_shape(data: bytes | memoryview, mode: str = "RGB") -> tuple[int, int, int] | None:
    """The shape (C, H, W) that ``decode_image`` will give, from the file's header alone.

    None where the header cannot be read; decoding tells what is wrong.

    Example:
        >>> image_shape(encode_png(torch.zeros(3, 40, 80, dtype=torch.uint8)), mode="L")
        (1, 40, 80)
    """
    data = _unsigned(data)
    channels = 3 if mode == "RGB" else 1
    if bytes(data[:3]) == _JPEG:
        import simplejpeg

        with suppress(ValueError, KeyError, MemoryError):  # Pillow may still read it
            height, width = simplejpeg.decode_jpeg_header(data)[:2]
            return channels, height, width
    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError):
        return None
    return channels, height, width


def decode_image_into(data: bytes | memoryview, out: torch.Tensor, mode: str = "RGB") -> None:
    """``decode_image`` into memory that is there: JPEG files are decoded without another copy.

    Args:
        data: as for ``decode_image``.
        out: uint8 tensor [C, H, W] of the shape that ``image_shape`` told, a view of rows of
            pixels [H, W, C] (torch's channels-last order).
        mode: as for ``decode_image``.

    Raises:
        DecodeError: as ``decode_image``, or the picture is not of the shape of ``out``.

    Example:
        >>> out = torch.empty(2, 2, 3, dtype=torch.uint8).permute(2, 0, 1)
        >>> decode_image_into(encode_png(torch.full((3, 2, 2), 7, dtype=torch.uint8)), out)
        >>> out[0]
        tensor([[7, 7],
                [7, 7]], dtype=torch.uint8)
    """
    place = out.permute(1, 2, 0).numpy()
    pixels = _pixels(_unsigned(data), mode, place)
    if np.may_share_memory(pixels, place):
        return
    if pixels.shape != place.shape:
        raise DecodeError(
            f"the picture's header promises (H, W, C) = {place.shape}, its data {pixels.shape}"
        )
    np.copyto(place, pixels)


def from_pillow(picture: Image.Image, mode: str = "RGB") -> torch.Tensor:
    """The pixels of a Pillow picture, as ``decode_image`` would give them.

    Args:
        picture: of any of Pillow's modes.
        mode: "RGB" or "L" (grey).

    Returns:
        uint8 tensor [C, H, W], C = 3 for "RGB", else 1, values 0..255.

    Raises:
        DecodeError: the picture's file is damaged or closed.

    Example:
        >>> from_pillow(Image.new("RGB", (4, 2), "white"), "L").shape
        torch.Size([1, 2, 4])
    """
    try:
        picture.load()  # Pillow reads a file only when its pixels are wanted
        pixels = np.array(_convert(picture, mode))
    except (OSError, ValueError, SyntaxError) as error:
        raise DecodeError(f"the Pillow picture cannot be read: {error}") from error
    return torch.from_numpy(pixels[..., None] if pixels.ndim == 2 else pixels).permute(2, 0, 1)


def encode_png(image: torch.Tensor, max_side: int | None = None) -> bytes:
    """Encode one picture as PNG, for thumbnails and reports.

    Args:
        image: uint8 tensor [C, H, W] with C = 1 (grey), 3 (RGB) or 4 (RGBA).
        max_side: shrink the picture, keeping its proportions, until no side is longer (pixels).

    Raises:
        TransformError: another dtype or shape.

    Example:
        >>> picture = encode_png(torch.zeros(3, 40, 80, dtype=torch.uint8), max_side=20)
        >>> tuple(decode_image(picture).shape)
        (3, 10, 20)
    """
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] not in (1, 3, 4):
        raise TransformError(
            "encode_png takes a uint8 tensor [C, H, W] with 1, 3 or 4 channels, got "
            f"{image.dtype} {tuple(image.shape)}"
        )
    pixels = image.detach().cpu().permute(1, 2, 0).contiguous().numpy()
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if max_side is not None:
        picture.thumbnail((max_side, max_side))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _unsigned(data: bytes | memoryview) -> bytes | memoryview:
    """pyarrow gives signed bytes, which simplejpeg refuses."""
    return data.cast("B") if isinstance(data, memoryview) else data


def _pixels(data: bytes | memoryview, mode: str, place: np.ndarray | None) -> np.ndarray:
    """[H, W, C]; within ``place`` where the decoder can write there."""
    if mode != "index" and bytes(data[:3]) == _JPEG:
        pixels = _jpeg(data, mode, place)
        if pixels is not None:
            return pixels
    return _pillow(data, mode)


def _jpeg(data: bytes | memoryview, mode: str, place: np.ndarray | None) -> np.ndarray | None:
    """[H, W, C], or None where Pillow has to do it."""
    import simplejpeg

    try:
        height, width, colors, _ = simplejpeg.decode_jpeg_header(data)
        if colors == "CMYK":
            return None  # simplejpeg rounds the way from CMYK otherwise than torchvision
        fits = place is not None and place.flags.c_contiguous and place.shape[:2] == (height, width)
        pixels: np.ndarray = simplejpeg.decode_jpeg(
            data, _COLORSPACE[mode], buffer=place if fits else None
        )
        return pixels
    except (ValueError, MemoryError) as error:
        # Only libjpeg's first remark comes back. Pillow refuses what is cut off further on.
        if any(harmless in str(error) for harmless in _HARMLESS):
            return None
        raise DecodeError(_message("JPEG", data, error)) from error


def _pillow(data: bytes | memoryview, mode: str) -> np.ndarray:
    kind = "picture"
    try:
        with Image.open(io.BytesIO(data)) as picture:
            kind = picture.format or kind
            picture.load()
            pixels = np.array(_convert(picture, mode))  # a copy: torch wants writable memory
            if mode == "index" and kind == "PNG":
                depth, color = data[24:26]  # IHDR: bits per sample, then the kind of colour
                if color == 0 and depth in (2, 4):  # Pillow spreads few greys over 0..255
                    pixels //= 255 // (2**depth - 1)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, MemoryError) as error:
        raise DecodeError(_message(kind, data, error)) from error
    except Image.DecompressionBombError as error:
        raise DecodeError(f"the {kind} is refused: {error}") from error
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _convert(picture: Any, mode: str) -> Any:
    if mode == "index":
        if picture.mode == "1":
            return np.asarray(picture, dtype=np.uint8)
        if picture.mode in _SIXTEEN_BITS:
            raise DecodeError(
                f"a mask has one number of 8 bits per pixel, got 16 bits ({picture.mode}): convert "
                "to 8 bits"
            )
        if picture.mode not in ("P", "L"):
            raise DecodeError(
                f"a mask has one number per pixel (palette or grey of 8 bits), got {picture.mode}"
            )
        return picture
    if picture.mode in _SIXTEEN_BITS:
        # Pillow would clip 16 bits to 8; the upper 8 are meant
        upper = np.clip(np.asarray(picture).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return Image.fromarray(upper).convert(mode)
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert(mode)


def _message(kind: str, data: bytes | memoryview, error: BaseException) -> str:
    if len(data) == 0:
        return "the picture is empty (0 bytes)"
    start = bytes(data[:8])
    return (
        f"the {kind} of {len(data):,} bytes (it starts with {start!r}) is damaged, cut off or not "
        f"a picture: {error}. Fetch or prepare it again."
    )
