"""The Numba form of ``warp``: plain functions, compiled at first use.

Per output row the source coordinates come first (float64, so no error piles up along a row), then
the stretch of the row whose four neighbours all lie inside is sampled without a check, channel by
channel. What is left, a few pixels at the picture's edge, is checked one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from domainkit.jit import jit

__all__ = ["compiled", "warp_bilinear", "warp_nearest"]


@functools.cache
def compiled(name: str) -> Callable[..., Any]:
    """``warp_bilinear`` or ``warp_nearest``, compiled; releases the GIL, kept on disk."""
    return jit(fastmath={"contract"}, error_model="numpy")(globals()[name])


def warp_bilinear(
    source: np.ndarray,
    source_at: np.ndarray,
    source_shape: np.ndarray,
    out: np.ndarray,
    out_at: np.ndarray,
    out_size: np.ndarray,
    last: bool,
    matrix: np.ndarray,
    fill: np.ndarray,
    filled: bool,
    levels: bool,
    start: int,
    stop: int,
) -> None:
    """Warp samples ``start`` to ``stop``.

    Args:
        source, out: flat pixels; ``*_at`` int64 [B]: where each picture starts in them.
        source_shape: int64 [B, 3]: channels, height, width; ``out_size`` int64 [B, 2].
        last: whether channels lie last, in both.
        matrix: float64 [B, 3, 3], with 1 at the lower right for affine ones.
        fill: float32 [channels]; ``filled``: whether it is used, else 0 without the mask's rule.
        levels: whether results are rounded to whole numbers.
    """
    a00: Any
    a01: Any
    a10: Any
    a11: Any
    widest = 0
    for b in range(start, stop):
        widest = max(widest, out_size[b, 1])
    where = np.empty(widest, np.int64)
    left = np.empty(widest, np.int32)
    top = np.empty(widest, np.int32)
    right_share = np.empty(widest, np.float32)
    lower_share = np.empty(widest, np.float32)
    one = np.float32(1.0)
    for b in range(start, stop):
        channels, height, width = source_shape[b, 0], source_shape[b, 1], source_shape[b, 2]
        rows, columns = out_size[b, 0], out_size[b, 1]
        if last:
            step_c, step_y, step_x = 1, width * channels, channels
            put_c, put_y, put_x = 1, columns * channels, channels
        else:
            step_c, step_y, step_x = height * width, width, 1
            put_c, put_y, put_x = rows * columns, columns, 1
        m = matrix[b]
        xx, xy, yx, yy, zx = m[0, 0], m[0, 1], m[1, 0], m[1, 1], m[2, 0]
        affine = m[2, 0] == 0.0 and m[2, 1] == 0.0
        far_x, far_y = width + 1.0, height + 1.0
        for i in range(rows):
            x0 = 0.5 * xx + (i + 0.5) * xy + m[0, 2]
            y0 = 0.5 * yx + (i + 0.5) * yy + m[1, 2]
            if affine:
                x0 -= 0.5
                y0 -= 0.5
                for j in range(columns):
                    x = x0 + j * xx
                    y = y0 + j * yx
                    x = x if x > -2.0 else -2.0  # far away is as good as just outside
                    x = x if x < far_x else far_x
                    y = y if y > -2.0 else -2.0
                    y = y if y < far_y else far_y
                    low_x, low_y = np.floor(x), np.floor(y)
                    left[j], top[j] = np.int32(low_x), np.int32(low_y)
                    right_share[j] = np.float32(x - low_x)
                    lower_share[j] = np.float32(y - low_y)
            else:
                z0 = 0.5 * zx + (i + 0.5) * m[2, 1] + m[2, 2]
                for j in range(columns):
                    z = z0 + j * zx
                    x = (x0 + j * xx) / z - 0.5
                    y = (y0 + j * yx) / z - 0.5
                    x = x if x > -2.0 else -2.0  # and a point at infinity becomes a number
                    x = x if x < far_x else far_x
                    y = y if y > -2.0 else -2.0
                    y = y if y < far_y else far_y
                    low_x, low_y = np.floor(x), np.floor(y)
                    left[j], top[j] = np.int32(low_x), np.int32(low_y)
                    right_share[j] = np.float32(x - low_x)
                    lower_share[j] = np.float32(y - low_y)
            # the stretch [begin, end) with all four neighbours inside
            begin, end = 0, columns
            while begin < end and not (
                0 <= left[begin] < width - 1 and 0 <= top[begin] < height - 1
            ):
                begin += 1
            while end > begin and not (
                0 <= left[end - 1] < width - 1 and 0 <= top[end - 1] < height - 1
            ):
                end -= 1
            if not affine:  # past a horizon it may have gaps
                for j in range(begin, end):
                    if not (0 <= left[j] < width - 1 and 0 <= top[j] < height - 1):
                        end = j
                        break
            for j in range(begin, end):
                where[j] = top[j] * step_y + left[j] * step_x
            for c in range(channels):
                at = source_at[b] + c * step_c
                put = out_at[b] + c * put_c + i * put_y
                if levels:
                    for j in range(begin, end):  # unsigned: no test for negative indices
                        o = np.uint64(at + where[j])
                        a00, a01 = np.int32(source[o]), np.int32(source[o + np.uint64(step_x)])
                        p = o + np.uint64(step_y)
                        a10, a11 = np.int32(source[p]), np.int32(source[p + np.uint64(step_x)])
                        u = right_share[j]
                        above = np.float32(a00) + u * np.float32(a01 - a00)
                        below = np.float32(a10) + u * np.float32(a11 - a10)
                        value = above + lower_share[j] * (below - above)
                        out[np.uint64(put + j * put_x)] = np.int32(np.rint(value))
                else:
                    for j in range(begin, end):
                        o = np.uint64(at + where[j])
                        a00, a01 = np.float32(source[o]), np.float32(source[o + np.uint64(step_x)])
                        p = o + np.uint64(step_y)
                        a10, a11 = np.float32(source[p]), np.float32(source[p + np.uint64(step_x)])
                        u = right_share[j]
                        above = a00 + u * (a01 - a00)
                        below = a10 + u * (a11 - a10)
                        out[np.uint64(put + j * put_x)] = above + lower_share[j] * (below - above)
                background = fill[c] if filled else np.float32(0.0)
                for k in range(columns - (end - begin)):
                    j = k if k < begin else k + end - begin
                    x, y = left[j], top[j]
                    value = background
                    if -1 <= x < width and -1 <= y < height:
                        total, mask = np.float32(0.0), np.float32(0.0)
                        for dy in range(2):
                            for dx in range(2):
                                if 0 <= x + dx < width and 0 <= y + dy < height:
                                    w = right_share[j] if dx == 1 else one - right_share[j]
                                    w *= lower_share[j] if dy == 1 else one - lower_share[j]
                                    total += w * source[at + (y + dy) * step_y + (x + dx) * step_x]
                                    mask += w
                        value = (total - background) * mask + background if filled else total
                    if levels:
                        out[put + j * put_x] = np.int32(np.rint(value))
                    else:
                        out[put + j * put_x] = value


def warp_nearest(
    source: np.ndarray,
    source_at: np.ndarray,
    source_shape: np.ndarray,
    out: np.ndarray,
    out_at: np.ndarray,
    out_size: np.ndarray,
    last: bool,
    matrix: np.ndarray,
    fill: np.ndarray,
    filled: bool,
    levels: bool,
    start: int,
    stop: int,
) -> None:
    """``warp_bilinear``'s arguments; the nearest pixel, of two equally near the even one."""
    widest = 0
    for b in range(start, stop):
        widest = max(widest, out_size[b, 1])
    where = np.empty(widest, np.int64)
    for b in range(start, stop):
        channels, height, width = source_shape[b, 0], source_shape[b, 1], source_shape[b, 2]
        rows, columns = out_size[b, 0], out_size[b, 1]
        if last:
            step_c, step_y, step_x = 1, width * channels, channels
            put_c, put_y, put_x = 1, columns * channels, channels
        else:
            step_c, step_y, step_x = height * width, width, 1
            put_c, put_y, put_x = rows * columns, columns, 1
        m = matrix[b]
        affine = m[2, 0] == 0.0 and m[2, 1] == 0.0
        far_x, far_y = width + 1.0, height + 1.0
        for i in range(rows):
            x0 = 0.5 * m[0, 0] + (i + 0.5) * m[0, 1] + m[0, 2]
            y0 = 0.5 * m[1, 0] + (i + 0.5) * m[1, 1] + m[1, 2]
            z0 = 0.5 * m[2, 0] + (i + 0.5) * m[2, 1] + m[2, 2]
            for j in range(columns):
                x = x0 + j * m[0, 0]
                y = y0 + j * m[1, 0]
                if not affine:
                    z = z0 + j * m[2, 0]
                    x /= z
                    y /= z
                x -= 0.5
                y -= 0.5
                x = x if x > -2.0 else -2.0
                x = x if x < far_x else far_x
                y = y if y > -2.0 else -2.0
                y = y if y < far_y else far_y
                column, row = np.int64(np.rint(x)), np.int64(np.rint(y))
                inside = 0 <= column < width and 0 <= row < height
                where[j] = row * step_y + column * step_x if inside else -1
            for c in range(channels):
                at = source_at[b] + c * step_c
                put = out_at[b] + c * put_c + i * put_y
                background = fill[c] if filled else np.float32(0.0)
                if levels:
                    background = np.rint(background)
                for j in range(columns):
                    if where[j] >= 0:
                        out[put + j * put_x] = source[at + where[j]]
                    elif levels:
                        out[put + j * put_x] = np.int32(background)
                    else:
                        out[put + j * put_x] = background
