"""The resize as two matrix products: ``resize_matmul`` for export, ``windows_matmul`` for crops.

Other runtimes have no antialiased resize, but all of them multiply matrices. The weights of a
resize depend on the sizes alone, so they are constants of the exported program; those of a crop
are computed from its box with torch. Both have fixed shapes and ask the host for nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

__all__ = ["resize_matmul", "resize_weights", "windows_matmul", "windows_nearest"]


def resize_matmul(
    x: torch.Tensor,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    *,
    antialias: bool = True,
) -> torch.Tensor:
    """Resize pictures [B, C, H, W], uint8 or floating, to ``size`` (height, width).

    Exactness: against ``resize``, float64 within 1e-12, float32 within 4e-6 (what torch's own
        float32 filter is off), uint8 within 1 level.

    Example:
        >>> resize_matmul(torch.ones(1, 1, 4, 4), (2, 2)).tolist()
        [[[[1.0, 1.0], [1.0, 1.0]]]]
    """
    rows, columns = (
        torch.from_numpy(resize_weights(source, target, interpolation, antialias=antialias))
        for source, target in zip(x.shape[2:], size, strict=True)
    )
    return _products(x, rows, columns)


def resize_weights(
    source: int, target: int, interpolation: str = "bilinear", *, antialias: bool = True
) -> np.ndarray:
    """float64 [target, source]: what each pixel of the result takes of each pixel before."""
    steps = np.arange(target) + 0.5
    pixels = np.arange(source) + 0.5
    return np.asarray(
        _weights(pixels, steps, np.full(1, float(source)), interpolation, antialias=antialias)[0]
    )


def windows_matmul(
    x: torch.Tensor,
    boxes: torch.Tensor,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    *,
    antialias: bool = True,
) -> torch.Tensor:
    """Cut a window out of each of the pictures [B, C, H, W] and bring it to ``size``.

    Args:
        boxes: int64 [B, 4] on the device of ``x``: top, left, height and width of each window,
            inside the picture.

    Exactness: as ``resize_matmul``, against ``resize`` of the windows.

    Example:
        >>> ramp = torch.arange(4.0).repeat(1, 1, 4, 1)
        >>> windows_matmul(ramp, torch.tensor([[0, 2, 2, 2]]), (1, 1)).tolist()
        [[[[2.5]]]]
    """
    sides = []
    for side in (0, 1):
        pixels = torch.arange(x.shape[2 + side], device=x.device) + 0.5 - boxes[:, side, None]
        steps = torch.arange(size[side], device=x.device) + 0.5
        lengths = boxes[:, 2 + side].double()
        sides.append(
            _weights(pixels.double(), steps.double(), lengths, interpolation, antialias=antialias)
        )
    return _products(x, sides[0][:, None], sides[1][:, None])


def windows_nearest(
    x: torch.Tensor, boxes: torch.Tensor, size: tuple[int, int], *, middle: float = 0.0
) -> torch.Tensor:
    """``windows_matmul`` by the nearest pixel: 0 as "nearest", 0.5 as "nearest-exact".

    Example:
        >>> ramp = torch.arange(4).repeat(1, 1, 4, 1)
        >>> windows_nearest(ramp, torch.tensor([[0, 2, 2, 2]]), (1, 1)).tolist()
        [[[[2]]]]
    """
    sides = []
    for side in (0, 1):
        lengths = boxes[:, 2 + side, None]
        scale = (lengths.double() / size[side]).float()  # in float32 as torch counts
        steps = torch.arange(size[side], dtype=torch.float32, device=x.device) + middle
        inside = torch.minimum((steps * scale).floor().to(torch.int64), lengths - 1)
        sides.append(boxes[:, side, None] + inside)
    samples = torch.arange(len(x), device=x.device)[:, None, None, None]
    channels = torch.arange(x.shape[1], device=x.device)[:, None, None]
    return x[samples, channels, sides[0][:, None, :, None], sides[1][:, None, None, :]]


def _products(x: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    work = torch.float64 if x.dtype == torch.float64 else torch.float32
    rows, columns = rows.to(x.device, work), columns.to(x.device, work)
    out = rows @ (x.to(work) @ columns.mT)
    return out.round().clamp(0, 255).to(x.dtype) if x.dtype == torch.uint8 else out.to(x.dtype)


def _weights(pixels: Any, steps: Any, lengths: Any, interpolation: str, *, antialias: bool) -> Any:
    """float64 [n, target, source], of numpy arrays or torch tensors alike.

    Args:
        pixels: [source] or [n, source], the middles of the pixels, counted from the window's begin.
        steps: [target], 0.5, 1.5 ...
        lengths: float64 [n], how many pixels each window has.
    """
    pixels = pixels[..., None, :]
    lengths = lengths[:, None, None]
    scale = lengths / len(steps)
    middles = scale * steps[:, None]
    inside = (pixels > 0) & (pixels < lengths)
    kernel = _triangle if interpolation == "bilinear" else _cubic
    if antialias:  # as wide as the scale, cut at the borders
        weights = kernel(abs(pixels - middles) / scale.clip(1), -0.5) * inside
        return weights / weights.sum(-1, keepdims=True)
    if interpolation == "bilinear":  # the border repeats
        last = lengths - 0.5
        middles = middles.clip(0.5)
        middles = middles - (middles - last).clip(0)
        return kernel(abs(pixels - middles), 0.0) * inside
    first = (middles - 0.5) // 1 - 0.5  # the middle of the first of the four pixels
    weights = 0.0
    for tap in range(4):
        at = first + tap
        repeated = at.clip(0.5)
        repeated = repeated - (repeated - (lengths - 0.5)).clip(0)  # the border repeats
        weights = weights + kernel(abs(at - middles), -0.75) * (abs(pixels - repeated) < 0.25)
    return weights


def _triangle(t: Any, _: float) -> Any:
    return (1 - t).clip(0)


def _cubic(t: Any, a: float) -> Any:
    """Keys' cubic of t >= 0."""
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return near * (t < 1) + far * ((t >= 1) & (t < 2))
