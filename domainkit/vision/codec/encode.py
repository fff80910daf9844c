"""Tensors to PNG and JPEG files."""

from __future__ import annotations

import io
from typing import Any

import torch
from PIL import Image

from domainkit.errors import TransformError

__all__ = ["encode_jpeg", "encode_png"]


def encode_png(image: torch.Tensor, max_side: int | None = None) -> bytes:
    """Encode one picture as PNG, for thumbnails and reports.

    Args:
        image: uint8 tensor [C, H, W] with C = 1 (grey), 3 (RGB) or 4 (RGBA).
        max_side: shrink the picture, keeping its proportions, until no side is longer (pixels).

    Raises:
        TransformError: another dtype or shape.

    Example:
        >>> from domainkit.vision.codec import decode_image
        >>> picture = encode_png(torch.zeros(3, 40, 80, dtype=torch.uint8), max_side=20)
        >>> tuple(decode_image(picture).shape)
        (3, 10, 20)
    """
    pixels = _pixels("encode_png", image, (1, 3, 4))
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if max_side is not None:
        picture.thumbnail((max_side, max_side))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def encode_jpeg(image: torch.Tensor, quality: int = 90, subsampling: str = "420") -> bytes:
    """Encode one picture as JPEG (libjpeg-turbo); Python's lock is let go meanwhile.

    Args:
        image: uint8 tensor [C, H, W] with C = 1 (grey) or 3 (RGB).
        quality: 1 to 100.
        subsampling: of the colours: "444" (none), "422", "420", "440" or "411".

    Raises:
        TransformError: another dtype or shape, or a wrong argument.

    Example:
        >>> encode_jpeg(torch.zeros(3, 40, 80, dtype=torch.uint8), quality=75)[:3]
        b'\\xff\\xd8\\xff'
    """
    import simplejpeg

    if type(quality) is not int or not 1 <= quality <= 100:
        raise TransformError(f"encode_jpeg: quality must be an int from 1 to 100, got {quality!r}")
    if subsampling not in ("444", "422", "420", "440", "411"):
        raise TransformError(
            "encode_jpeg: subsampling must be '444', '422', '420', '440' or '411', "
            f"got {subsampling!r}"
        )
    pixels = _pixels("encode_jpeg", image, (1, 3))
    if 0 in pixels.shape:
        raise TransformError(f"encode_jpeg: the picture {tuple(image.shape)} has no pixels")
    if pixels.shape[2] == 1:
        return bytes(simplejpeg.encode_jpeg(pixels, quality, "GRAY", "Gray"))
    return bytes(simplejpeg.encode_jpeg(pixels, quality, "RGB", subsampling))


def _pixels(name: str, image: torch.Tensor, channels: tuple[int, ...]) -> Any:
    """[H, W, C] on the host."""
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] not in channels:
        *first, last = map(str, channels)
        raise TransformError(
            f"{name} takes a uint8 tensor [C, H, W] with {', '.join(first)} or {last} channels, "
            f"got {image.dtype} {tuple(image.shape)}"
        )
    return image.detach().cpu().permute(1, 2, 0).contiguous().numpy()
