"""Pictures by way of Pillow: every format but plain JPEG, and what its modes become."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from domainkit.errors import DecodeError
from domainkit.vision.codec.orientation import PNG, swaps_sides, turn

__all__ = ["by_pillow", "convert", "damaged", "shape_by_pillow"]

_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_CHANNELS = {"LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4, "YCbCr": 3, "HSV": 3, "LAB": 3, "PA": 4}
_UNDO = {6: 8, 8: 6}  # orientations whose turn is not its own inverse
_ORIENTATION, _WIDTH, _HEIGHT, _BITS = 274, 256, 257, 258  # TIFF tags


def by_pillow(data: bytes | memoryview, mode: str, turned: int, orient: bool) -> np.ndarray:
    """[H, W, C], upright where ``orient``; ``turned`` is what ``orientation`` said of the file."""
    kind = "picture"
    try:
        with Image.open(io.BytesIO(data)) as picture:
            kind = picture.format or kind
            if mode == "unchanged" and (pixels := _deep_png(data)) is not None:
                return turn(pixels, turned) if orient else pixels
            in_tiff = _tiff_orientation(picture)
            if mode == "unchanged":
                _check_deep_tiff(picture)
            picture.load()
            pixels = np.array(convert(picture, mode))  # a copy: torch wants writable memory
            if mode == "index" and kind == "PNG":
                depth, color = data[24:26]  # IHDR: bits per sample, then the kind of colour
                if color == 0 and depth in (2, 4):  # Pillow spreads few greys over 0..255
                    pixels //= 255 // (2**depth - 1)
    except DecodeError:
        raise
    except Image.DecompressionBombError as error:
        raise DecodeError(f"the {kind} is refused: {error}") from error
    except Exception as error:  # over damaged bytes a plugin may raise anything
        raise DecodeError(damaged(kind, data, error)) from error
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if not orient:  # Pillow turns TIFF files itself
        return turn(pixels, _UNDO.get(in_tiff, in_tiff))
    return turn(pixels, turned)


def shape_by_pillow(
    data: bytes | memoryview, mode: str, turned: int, orient: bool
) -> tuple[int, int, int] | None:
    """(C, H, W) from the header; None where it cannot be read."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            channels = _channels(picture, data) if mode == "unchanged" else len(mode)
            if picture.format == "TIFF":  # whether size is turned yet depends on Pillow's version
                turned = _tiff_orientation(picture)
                width, height = picture.tag_v2[_WIDTH], picture.tag_v2[_HEIGHT]  # type: ignore[attr-defined]
    except Exception:  # over damaged bytes a plugin may raise anything; decoding tells
        return None
    if mode == "index":
        channels = 1
    if orient and swaps_sides(turned):
        height, width = width, height
    return channels, height, width


def convert(picture: Any, mode: str) -> Any:
    """The picture, or an array, in one of ``decode_image``'s modes."""
    if mode == "unchanged":
        return _as_stored(picture)
    if mode == "index":
        return _as_index(picture)
    if picture.mode in _SIXTEEN_BITS:
        # Pillow would clip 16 bits to 8; the upper 8 are meant
        upper = np.clip(np.asarray(picture).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return Image.fromarray(upper).convert(mode)
    alpha = mode in ("RGBA", "LA")
    clear = "transparency" in picture.info  # a clear colour, or alpha of the palette's entries
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA" if clear or alpha else "RGB")
    elif alpha and clear and picture.mode in ("1", "L", "RGB"):
        picture = picture.convert("RGBA")
    elif alpha and picture.mode not in ("L", "LA", "RGB", "RGBA"):
        picture = picture.convert("RGB")
    return picture.convert(mode)


def damaged(kind: str, data: bytes | memoryview, error: BaseException) -> str:
    """What to tell about bytes that are no picture."""
    if len(data) == 0:
        return "the picture is empty (0 bytes)"
    start = bytes(data[:8])
    return (
        f"the {kind} of {len(data):,} bytes (it starts with {start!r}) is damaged, cut off or not "
        f"a picture: {error}. Fetch or prepare it again."
    )


def _as_index(picture: Any) -> Any:
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


def _as_stored(picture: Any) -> Any:
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode in ("P", "PA"):
        clear = picture.mode == "PA" or "transparency" in picture.info
        return picture.convert("RGBA" if clear else "RGB")
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG"):
        return np.asarray(picture).astype(np.uint16)  # in this machine's byte order
    return picture


def _channels(picture: Any, data: bytes | memoryview) -> int:
    """How many there are in mode "unchanged"."""
    if bytes(data[:8]) == PNG and data[24] == 16:
        return {0: 1, 2: 3, 4: 2, 6: 4}[data[25]]
    if picture.mode == "P":
        return 4 if "transparency" in picture.info else 3
    return _CHANNELS.get(picture.mode, 1)


def _deep_png(data: bytes | memoryview) -> np.ndarray | None:
    """uint16 [H, W, C] of a coloured PNG of 16 bits, of which Pillow keeps 8; None for others."""
    if bytes(data[:8]) != PNG or data[24] != 16 or data[25] == 0:
        return None
    import torch
    import torchvision  # noqa: F401  # registers the decoder

    try:
        decoder = torch.ops.image.decode_png
    except AttributeError as error:
        raise DecodeError(
            "this coloured PNG has 16 bits, which only torchvision's decoder reads, and the "
            "torchvision that is installed has none: take mode='RGB' or 'RGBA' (8 bits)"
        ) from error
    raw = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    pixels: np.ndarray = decoder(raw, 0, False).permute(1, 2, 0).numpy()
    return pixels


def _tiff_orientation(picture: Any) -> int:
    if picture.format != "TIFF":
        return 1
    found = picture.tag_v2.get(_ORIENTATION, 1)
    return found if found in range(1, 9) else 1


def _check_deep_tiff(picture: Any) -> None:
    if picture.format == "TIFF" and picture.mode not in (*_SIXTEEN_BITS, "F"):
        bits = picture.tag_v2.get(_BITS, (8,))
        if max(bits if isinstance(bits, tuple) else (bits,)) > 8:
            raise DecodeError(
                f"this coloured TIFF has {max(bits)} bits per channel, of which Pillow keeps 8: "
                "take mode='RGB' or 'RGBA'"
            )
