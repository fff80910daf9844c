"""The Numba forms of ``gaussian_blur`` and ``adjust_sharpness``: plain functions, compiled at use.

Row by row, so that what is needed again is still in the cache. Sums and products are done in the
order of the torch forms and never fused: both give the same bits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from domainkit.jit import jit

__all__ = ["blur", "compiled", "sharpen"]


@functools.cache
def compiled(name: str) -> Callable[..., Any]:
    """``blur`` or ``sharpen``, compiled; releases the GIL, kept on disk."""
    return jit(error_model="numpy")(globals()[name])


def blur(
    source: np.ndarray,
    out: np.ndarray,
    across: np.ndarray,
    down: np.ndarray,
    columns: np.ndarray,
    rows: np.ndarray,
    levels: bool,
    start: int,
    stop: int,
) -> None:
    """Blur pictures ``start`` to ``stop``.

    Args:
        source, out: [B, C, H, W].
        across, down: float32 [B, taps] for the rows and the columns.
        columns, rows: int64: which pixel stands there, margins of half the taps included.
        levels: whether results are rounded to whole numbers.
    """
    _, channels, height, width = source.shape
    margin = across.shape[1] // 2
    padded = np.empty(width + 2 * margin, np.float32)
    between = np.empty((height, width), np.float32)
    total = np.empty(width, np.float32)
    for b in range(start, stop):
        for c in range(channels):
            for y in range(height):
                line, done = source[b, c, y], between[y]
                middle = padded[margin : margin + width]
                for x in range(width):
                    middle[x] = line[x]
                for x in range(margin):
                    padded[x] = line[columns[x]]
                    padded[margin + width + x] = line[columns[margin + width + x]]
                weight = across[b, 0]
                for x in range(width):
                    done[x] = padded[x] * weight
                for j in range(1, across.shape[1]):
                    weight, shifted = across[b, j], padded[j : j + width]
                    for x in range(width):
                        done[x] += shifted[x] * weight
            for y in range(height):
                weight, first, result = down[b, 0], between[rows[y]], out[b, c, y]
                for x in range(width):
                    total[x] = first[x] * weight
                for j in range(1, down.shape[1]):
                    weight, shifted = down[b, j], between[rows[y + j]]
                    for x in range(width):
                        total[x] += shifted[x] * weight
                if levels:
                    for x in range(width):
                        # never beyond the levels by more than a rounding: weights have sum 1
                        result[x] = np.int32(np.rint(total[x]))
                else:
                    for x in range(width):
                        result[x] = total[x]


def sharpen(
    source: np.ndarray,
    out: np.ndarray,
    which: np.ndarray,
    strength: np.ndarray,
    levels: bool,
    start: int,
    stop: int,
) -> None:
    """Sharpen pictures ``which[start:stop]``; ``out`` [B, C, H, W] is a copy of ``source``.

    Args:
        strength: float32 [B]: 1 - factor.
    """
    _, channels, height, width = source.shape
    inner = width - 2
    total = np.empty(inner, np.float32)
    part = np.empty(inner, np.float32)
    scale = np.float32(1 / 13)
    for i in range(start, stop):
        b = which[i]
        amount = strength[b]
        exact = np.float64(amount)
        for c in range(channels):
            for y in range(1, height - 1):
                for j in range(3):
                    line = source[b, c, y + j - 1]
                    one, two, three = line[:inner], line[1 : 1 + inner], line[2 : 2 + inner]
                    if j == 0:
                        for x in range(inner):
                            total[x] = (
                                np.float32(one[x]) + np.float32(two[x]) + np.float32(three[x])
                            )
                    else:
                        for x in range(inner):
                            part[x] = np.float32(one[x]) + np.float32(two[x]) + np.float32(three[x])
                        for x in range(inner):
                            total[x] += part[x]
                middle = source[b, c, y, 1 : 1 + inner]
                result = out[b, c, y, 1 : 1 + inner]
                if levels:
                    for x in range(inner):
                        here = np.float32(middle[x])
                        smooth = np.rint((total[x] + here * np.float32(4)) * scale)
                        # the sum that torchvision fuses, exact in float64 and then rounded once
                        blend = np.float32(np.float64(smooth - here) * exact + np.float64(here))
                        result[x] = np.int32(min(max(blend, np.float32(0)), np.float32(255)))
                else:
                    for x in range(inner):
                        here = np.float32(middle[x])
                        smooth = (total[x] + here * np.float32(4)) * scale
                        result[x] = here + (smooth - here) * amount
            if not levels:
                for y in range(height):
                    line = out[b, c, y]
                    for x in range(width):
                        line[x] = min(max(line[x], np.float32(0)), np.float32(1))
