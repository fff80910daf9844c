"""A window of every picture resampled to one size in Triton: crop, filter and mirrors in one pass.

The filter is the triangle of ``torch.nn.functional.interpolate(mode="bilinear", antialias=True)``,
whose weights every output pixel computes for itself: a window that shrinks n times is read n * n
times per output pixel, from the cache. Nothing waits for the device: windows come from the host in
one table.

Exactness, against ``resize`` of each window: uint8 within 1 level, floating within 1e-5.
"""

# device functions: their arguments have the types that the launch gives them
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, misc"

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

from domainkit.ragged import Ragged
from domainkit.vision.transforms.kernels._triton_layout import described, layout, lies_last

__all__ = ["can_run", "resize_windows_triton"]

_TILE = (16, 32)
_DTYPES = (torch.uint8, torch.float16, torch.bfloat16, torch.float32)


@triton.jit
def _scale(length, full):
    """Source pixels per output pixel, and how far the filter reaches: its half width."""
    scale = length.to(tl.float64) / full.to(tl.float64)
    return scale, tl.where(scale > 1.0, scale, 1.0)


@triton.jit
def _taps(place, scale, reach, length):
    """Filter at ``place``: its centre less a half, its first source pixel and the end."""
    centre = (place.to(tl.float64) + 0.5) * scale
    begin = tl.maximum((centre - reach + 0.5).to(tl.int64), 0)
    end = tl.minimum((centre + reach + 0.5).to(tl.int64), length)
    return centre - 0.5, begin, end


@triton.jit
def _weight(at, middle, end, narrow):
    """The triangle at source pixels ``at``; 0 from ``end`` on."""
    far = tl.abs((at.to(tl.float64) - middle).to(tl.float32)) * narrow
    return tl.where(at < end, tl.maximum(1.0 - far, 0.0), 0.0)


@triton.jit
def _level(v, U8: tl.constexpr):
    """Rounded to a whole level, of two equally near the even one, for uint8 pictures."""
    if U8:
        low = tl.floor(v)
        over = v - low
        odd = low - 2.0 * tl.floor(low * 0.5)
        v = low + tl.where((over > 0.5) | ((over == 0.5) & (odd != 0.0)), 1.0, 0.0)
        v = tl.minimum(tl.maximum(v, 0.0), 255.0)
    return v


@triton.jit(do_not_specialize=["h", "w", "rows", "columns"])
def _resize(
    x, offsets, shapes, s0, s1, s2, s3, h, w, out, t0, t1, t2, t3, rows, columns, table,
    R: tl.constexpr, LAST: tl.constexpr, GREY: tl.constexpr, U8: tl.constexpr, TY: tl.constexpr,
    TX: tl.constexpr,
):  # fmt: skip
    """``table`` [B, 10]: box (top, left, height, width), full (height, width), corner, flips."""
    row = tl.program_id(1).to(tl.int64)
    first, channel, line, column, _, _ = layout(
        x, offsets, shapes, row, s0, s1, s2, s3, h, w, R, LAST, 1 if GREY else 3
    )
    t = table + row * 10
    height = tl.load(t + 2)
    width = tl.load(t + 3)
    first += tl.load(t) * line + tl.load(t + 1) * column
    scale_y, reach_y = _scale(height, tl.load(t + 4))
    scale_x, reach_x = _scale(width, tl.load(t + 5))
    tile = tl.program_id(0).to(tl.int64)
    across = (columns + TX - 1) // TX
    lane = tl.arange(0, TY * TX)
    i = (tile // across) * TY + lane // TX
    j = (tile % across) * TX + lane % TX
    inside = (i < rows) & (j < columns)
    put = out + row * t0 + i * t2 + j * t3
    # the pixel of the part, and of the whole, that a mirror brings to (i, j)
    i = tl.where(tl.load(t + 8) != 0, rows - 1 - i, i) + tl.load(t + 6)
    j = tl.where(tl.load(t + 9) != 0, columns - 1 - j, j) + tl.load(t + 7)
    middle_y, begin_y, end_y = _taps(i, scale_y, reach_y, height)
    middle_x, begin_x, end_x = _taps(j, scale_x, reach_x, width)
    narrow_y = (1.0 / reach_y).to(tl.float32)
    narrow_x = (1.0 / reach_x).to(tl.float32)
    r = tl.zeros((TY * TX,), tl.float32)
    g = tl.zeros((TY * TX,), tl.float32)
    b = tl.zeros((TY * TX,), tl.float32)
    total = tl.zeros((TY * TX,), tl.float32)
    for n in range((2.0 * reach_y).to(tl.int32) + 2):
        y = begin_y + n
        weight_y = _weight(y, middle_y, end_y, narrow_y)
        there_y = first + y * line
        for k in range((2.0 * reach_x).to(tl.int32) + 2):
            xx = begin_x + k
            weight = weight_y * _weight(xx, middle_x, end_x, narrow_x)
            there = there_y + xx * column
            seen = inside & (weight > 0.0)
            total += weight
            r += weight * tl.load(there, mask=seen, other=0).to(tl.float32)
            if not GREY:
                g += weight * tl.load(there + channel, mask=seen, other=0).to(tl.float32)
                b += weight * tl.load(there + 2 * channel, mask=seen, other=0).to(tl.float32)
    # beyond the right and lower edges of a tile no source pixel may be left
    total = tl.where(total > 0.0, total, 1.0)
    kind = out.dtype.element_ty
    tl.store(put, _level(r / total, U8).to(kind), mask=inside)
    if not GREY:
        tl.store(put + t1, _level(g / total, U8).to(kind), mask=inside)
        tl.store(put + 2 * t1, _level(b / total, U8).to(kind), mask=inside)


def can_run(x: torch.Tensor | Ragged, how: Any) -> bool:
    """Whether ``resize_windows_triton`` does this work: what it refuses is for the torch form.

    Args:
        how: a ``Resize`` or ``RandomResizedCrop``: its interpolation and antialias.
    """
    values = x.values if isinstance(x, Ragged) else x
    channels = set(x.host_shapes[:, 0].tolist()) if isinstance(x, Ragged) else {x.shape[1]}
    return (
        how.interpolation == "bilinear"
        and how.antialias
        and values.dtype in _DTYPES
        and channels in ({1}, {3})
        and values.numel() > 0
        and not values.requires_grad
        and not torch.compiler.is_compiling()
        and 0 < len(x) < 1 << 16  # the second side of a grid
    )


def resize_windows_triton(
    x: torch.Tensor | Ragged,
    box: torch.Tensor,
    full: torch.Tensor,
    cut: torch.Tensor,
    *,
    vflip: torch.Tensor | None = None,
    hflip: torch.Tensor | None = None,
) -> torch.Tensor:
    """Windows of pictures on a GPU for which ``can_run`` holds, in the dtype of ``x``.

    Args:
        box: int64 [B, 4] on the host: top, left, height and width of each window, inside of its
            picture.
        full: int64 [B, 2] on the host: height and width that each window is resized to.
        cut: int64 [B, 4] on the host: top, left, height and width of the part of that which is
            wanted; heights are equal, and widths.
        vflip, hflip: bool [B] on the host: what is mirrored in the end; None: nothing.
    """
    channels = int(x.host_shapes[0, 0]) if isinstance(x, Ragged) else x.shape[1]
    rows, columns = cut[0, 2:].tolist()
    last = torch.channels_last if lies_last(x) else torch.contiguous_format
    shape = (len(x), channels, rows, columns)
    out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=last)
    still = torch.zeros(len(x), dtype=torch.bool)
    turns = torch.stack([still if flip is None else flip for flip in (vflip, hflip)], 1)
    table = torch.cat([box, full, cut[:, :2], turns.to(torch.int64)], 1)
    source, ragged, ragged_last = described(x)
    tiles = triton.cdiv(rows, _TILE[0]) * triton.cdiv(columns, _TILE[1])
    if tiles == 0:
        return out
    _resize[(tiles, len(x))](
        *(*source, out, *out.stride(), rows, columns, table.to(x.device, non_blocking=True)),
        R=ragged,
        LAST=ragged_last,
        GREY=channels == 1,
        U8=x.dtype == torch.uint8,
        TY=_TILE[0],
        TX=_TILE[1],
        enable_fp_fusion=False,
    )
    return out
