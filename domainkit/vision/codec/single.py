"""One picture: ``decode_image``, the shape that it will have, and decoding into given memory."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import torch
from PIL import Image

from domainkit.errors import DecodeError
from domainkit.vision.codec.orientation import JPEG, orientation, swaps_sides, turn
from domainkit.vision.codec.pillow import by_pillow, convert, damaged, shape_by_pillow

__all__ = ["MODES", "decode_image", "decode_image_into", "from_pillow", "image_shape"]

MODES = ("RGB", "L", "RGBA", "LA", "index", "unchanged")
_COLORSPACE = {"RGB": "RGB", "L": "GRAY", "RGBA": "RGBA"}
# What libjpeg says of odd bytes that cost no pixel; published sets have such files. All else that
# it says means that pixels are lost.
_HARMLESS = ("extraneous bytes before marker", "Unknown Adobe color", "unknown JFIF revision")


def decode_image(
    data: bytes | memoryview, mode: str = "RGB", *, orient: bool = True
) -> torch.Tensor:
    """Decode one picture.

    Args:
        data: the bytes of a JPEG, PNG, BMP, GIF, TIFF or WebP file; the first frame or page.
        mode: what comes out, whatever the file holds - grey, palette, alpha, CMYK, 16 bits:

            - "RGB" or "L" (grey): alpha is dropped, of 16 bits the upper 8 are kept.
            - "RGBA" or "LA": the same with alpha, 255 where the file has none.
            - "index": the numbers of a palette or grey picture as they are: the classes of a
              segmentation mask; a picture of 1 bit gives 0 and 1.
            - "unchanged": the channels that the file has, in its depth. A palette gives its
              colours (RGB, or RGBA), 1 bit gives 0 and 255, a CMYK or YCCK JPEG gives CMYK with 0
              for no ink. 16 bits give ``torch.uint16``, a TIFF of 32 bits int32 or float32.
        orient: turn the picture upright as its EXIF orientation says. Masks are turned too, so
            that they stay with their picture.

    Returns:
        uint8 tensor [C, H, W], values 0..255 (but see "unchanged"), C = 3 for "RGB", 4 for "RGBA",
        2 for "LA", 1 for "L" and "index"; a view of rows of pixels [H, W, C].

    Raises:
        DecodeError: the data is damaged, cut off, no picture or too large (as Pillow sets the
            limit: twice ``PIL.Image.MAX_IMAGE_PIXELS``).

    Example:
        >>> from domainkit.vision.codec import encode_png
        >>> decode_image(encode_png(torch.full((3, 2, 2), 7, dtype=torch.uint8)), mode="L")
        tensor([[[7, 7],
                 [7, 7]]], dtype=torch.uint8)
    """
    _check_mode(mode)
    pixels = _pixels(_unsigned(data), mode, None, orient)
    if min(pixels.strides) < 0:  # turned: torch has no such views
        pixels = np.ascontiguousarray(pixels)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def image_shape(
    data: bytes | memoryview, mode: str = "RGB", *, orient: bool = True
) -> tuple[int, int, int] | None:
    """The shape (C, H, W) that ``decode_image`` will give, from the file's header alone.

    None where the header cannot be read; decoding tells what is wrong.

    Example:
        >>> from domainkit.vision.codec import encode_png
        >>> image_shape(encode_png(torch.zeros(3, 40, 80, dtype=torch.uint8)), mode="L")
        (1, 40, 80)
    """
    _check_mode(mode)
    data = _unsigned(data)
    found = orientation(data) if orient else 1
    if bytes(data[:3]) == JPEG:
        import simplejpeg

        with suppress(ValueError, KeyError, MemoryError):  # Pillow may still read it
            height, width, colors, _ = simplejpeg.decode_jpeg_header(data)
            if mode == "unchanged":
                channels = {"Gray": 1, "CMYK": 4, "YCCK": 4}.get(colors, 3)
            else:
                channels = 1 if mode == "index" else len(mode)
            return (channels, width, height) if swaps_sides(found) else (channels, height, width)
    return shape_by_pillow(data, mode, found, orient)


def decode_image_into(
    data: bytes | memoryview, out: torch.Tensor, mode: str = "RGB", *, orient: bool = True
) -> None:
    """``decode_image`` into memory that is there: JPEG files are decoded without another copy.

    Args:
        data: as for ``decode_image``.
        out: uint8 tensor [C, H, W] of the shape that ``image_shape`` told, a view of rows of
            pixels [H, W, C] (torch's channels-last order).
        mode: as for ``decode_image``; "unchanged" for files of 8 bits.
        orient: as for ``decode_image``; what has to be turned is decoded elsewhere and copied.

    Raises:
        DecodeError: as ``decode_image``, or the picture is not of the shape and dtype of ``out``.

    Example:
        >>> from domainkit.vision.codec import encode_png
        >>> out = torch.empty(2, 2, 3, dtype=torch.uint8).permute(2, 0, 1)
        >>> decode_image_into(encode_png(torch.full((3, 2, 2), 7, dtype=torch.uint8)), out)
        >>> out[0]
        tensor([[7, 7],
                [7, 7]], dtype=torch.uint8)
    """
    _check_mode(mode)
    place = out.permute(1, 2, 0).numpy()
    pixels = _pixels(_unsigned(data), mode, place, orient)
    if np.may_share_memory(pixels, place):
        return
    if pixels.shape != place.shape or pixels.dtype != place.dtype:
        raise DecodeError(
            f"the picture's header promises (H, W, C) = {place.shape} of {place.dtype}, "
            f"its data {pixels.shape} of {pixels.dtype}"
        )
    np.copyto(place, pixels)


def from_pillow(picture: Image.Image, mode: str = "RGB", *, orient: bool = True) -> torch.Tensor:
    """The pixels of a Pillow picture, as ``decode_image`` would give them.

    Args:
        picture: of any of Pillow's modes.
        mode: "RGB", "L" (grey), "RGBA" or "LA".
        orient: turn it upright as its EXIF data says, if it still has any.

    Returns:
        uint8 tensor [C, H, W], as ``decode_image``.

    Raises:
        DecodeError: the picture's file is damaged or closed.

    Example:
        >>> from_pillow(Image.new("RGB", (4, 2), "white"), "L").shape
        torch.Size([1, 2, 4])
    """
    if mode not in MODES[:4]:
        raise DecodeError(f"mode must be one of {', '.join(MODES[:4])}, got {mode!r}")
    try:
        picture.load()  # Pillow reads a file only when its pixels are wanted
        # Pillow has turned a TIFF file when it is loaded
        found = 1 if picture.format == "TIFF" or not orient else picture.getexif().get(0x0112, 1)
        pixels = np.array(convert(picture, mode))
    except (OSError, ValueError, SyntaxError) as error:
        raise DecodeError(f"the Pillow picture cannot be read: {error}") from error
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if found in range(2, 9):
        pixels = np.ascontiguousarray(turn(pixels, found))
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise DecodeError(f"mode must be one of {', '.join(map(repr, MODES))}, got {mode!r}")


def _unsigned(data: bytes | memoryview) -> bytes | memoryview:
    """pyarrow gives signed bytes, which simplejpeg refuses."""
    return data.cast("B") if isinstance(data, memoryview) else data


def _pixels(
    data: bytes | memoryview, mode: str, place: np.ndarray | None, orient: bool
) -> np.ndarray:
    """[H, W, C]; within ``place`` where the decoder can write there; maybe with odd strides."""
    found = orientation(data) if orient else 1
    if mode not in ("index", "LA") and bytes(data[:3]) == JPEG:
        pixels = _jpeg(data, mode, place if found == 1 else None)
        if pixels is not None:
            return pixels if found == 1 else turn(pixels, found)
    return by_pillow(data, mode, found, orient)


def _jpeg(data: bytes | memoryview, mode: str, place: np.ndarray | None) -> np.ndarray | None:
    """[H, W, C], or None where Pillow has to do it."""
    import simplejpeg

    try:
        height, width, colors, _ = simplejpeg.decode_jpeg_header(data)
        if colors in ("CMYK", "YCCK"):
            return None  # simplejpeg rounds the way from CMYK otherwise than torchvision
        _check_size(height, width)
        space = _COLORSPACE.get(mode) or ("GRAY" if colors == "Gray" else "RGB")
        fits = (
            place is not None
            and place.flags.c_contiguous
            and place.shape == (height, width, {"GRAY": 1, "RGB": 3, "RGBA": 4}[space])
        )
        pixels: np.ndarray = simplejpeg.decode_jpeg(data, space, buffer=place if fits else None)
        return pixels
    except (ValueError, KeyError, MemoryError) as error:
        # Only libjpeg's first remark comes back. Pillow refuses what is cut off further on.
        if any(harmless in str(error) for harmless in _HARMLESS):
            return None
        raise DecodeError(damaged("JPEG", data, error)) from error


def _check_size(height: int, width: int) -> None:
    """A damaged header may promise more pixels than there is memory for; Pillow's own limit."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and height * width > 2 * limit:
        raise DecodeError(
            f"the JPEG is refused: {height} x {width} pixels are more than twice "
            f"PIL.Image.MAX_IMAGE_PIXELS ({limit})"
        )
