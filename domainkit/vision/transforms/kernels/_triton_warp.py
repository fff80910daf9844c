"""``warp`` in Triton: every output pixel finds its source by its sample's homography.

A program does a tile of 16 x 32 output pixels in all channels, so that turned pictures read what
lies together. Coordinates are float64, in the order of ``source_points``. Nothing waits for the
device: matrices and sizes come from the host.

Exactness, against ``warp_torch``: nearest equal; bilinear uint8 within 1 level, floating within
2e-5 (grid_sample cuts coordinates to float32).
"""

# device functions: their arguments have the types that the launch gives them
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, misc"

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import triton
import triton.language as tl

from domainkit.ragged import Ragged
from domainkit.vision.transforms.kernels._triton_layout import described, layout, lies_last

__all__ = ["can_run", "warp_triton"]

_TILE = (16, 32)
_SMOOTH = (torch.uint8, torch.float16, torch.bfloat16, torch.float32)
_COPIED = (*_SMOOTH, torch.int8, torch.int16, torch.int32, torch.int64, torch.float64)


@triton.jit
def _even(v):
    """The nearest whole number, of two equally near the even one."""
    low = tl.floor(v)
    over = v - low
    odd = low - 2.0 * tl.floor(low * 0.5)
    return low + tl.where((over > 0.5) | ((over == 0.5) & (odd != 0.0)), 1.0, 0.0)


@triton.jit
def _near(v, length):
    """A coordinate from which -0.5 is taken; far away is as good as just outside."""
    v = tl.where(v - 0.5 > -2.0, v - 0.5, -2.0)  # so does what is not a number
    far = length.to(tl.float64) + 1.0
    return tl.where(v < far, v, far)


@triton.jit
def _tap(there, line, column, x, y, width, height, inside):
    """A neighbour, 0 beyond the border, and whether it lies inside."""
    hit = inside & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return tl.load(there + y * line + x * column, mask=hit, other=0).to(tl.float32), hit


@triton.jit(do_not_specialize=["h", "w", "oh", "ow"])
def _warp(
    x, offsets, shapes, s0, s1, s2, s3, h, w, out, out_offsets, out_shapes, t0, t1, t2, t3, oh, ow,
    matrix, fill, R: tl.constexpr, LAST: tl.constexpr, OR: tl.constexpr, C: tl.constexpr,
    U8: tl.constexpr, NEAREST: tl.constexpr, FILLED: tl.constexpr, TY: tl.constexpr,
    TX: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(1).to(tl.int64)
    first, channel, line, column, height, width = layout(
        x, offsets, shapes, row, s0, s1, s2, s3, h, w, R, LAST, C
    )
    put, put_c, put_y, put_x, rows, columns = layout(
        out, out_offsets, out_shapes, row, t0, t1, t2, t3, oh, ow, OR, LAST, C
    )
    tile = tl.program_id(0).to(tl.int64)
    across = (columns + TX - 1) // TX
    lane = tl.arange(0, TY * TX)
    i = (tile // across) * TY + lane // TX
    j = (tile % across) * TX + lane % TX
    inside = (i < rows) & (j < columns)
    there_out = put + i * put_y + j * put_x
    m = matrix + row * 9
    px = j.to(tl.float64) + 0.5
    py = i.to(tl.float64) + 0.5
    z = px * tl.load(m + 6) + py * tl.load(m + 7) + tl.load(m + 8)
    u = _near((px * tl.load(m) + py * tl.load(m + 1) + tl.load(m + 2)) / z, width)
    v = _near((px * tl.load(m + 3) + py * tl.load(m + 4) + tl.load(m + 5)) / z, height)
    if NEAREST:
        near_x = _even(u).to(tl.int64)
        near_y = _even(v).to(tl.int64)
        hit = inside & (near_x >= 0) & (near_x < width) & (near_y >= 0) & (near_y < height)
        there = first + near_y * line + near_x * column
        for c in range(C):
            value = tl.load(there + c * channel, mask=hit, other=0)
            value = tl.where(hit, value, tl.load(fill + c))
            tl.store(there_out + c * put_c, value, mask=inside)
    else:
        low_x = tl.floor(u)
        low_y = tl.floor(v)
        right = (u - low_x).to(tl.float32)
        lower = (v - low_y).to(tl.float32)
        left = low_x.to(tl.int64)
        top = low_y.to(tl.int64)
        w00 = (1.0 - right) * (1.0 - lower)
        w01 = right * (1.0 - lower)
        w10 = (1.0 - right) * lower
        w11 = right * lower
        for c in range(C):
            there = first + c * channel
            a, in_a = _tap(there, line, column, left, top, width, height, inside)
            b, in_b = _tap(there, line, column, left + 1, top, width, height, inside)
            d, in_d = _tap(there, line, column, left, top + 1, width, height, inside)
            e, in_e = _tap(there, line, column, left + 1, top + 1, width, height, inside)
            value = a * w00 + b * w01 + d * w10 + e * w11
            if FILLED:
                share = tl.where(in_a, w00, 0.0) + tl.where(in_b, w01, 0.0)
                share = share + tl.where(in_d, w10, 0.0) + tl.where(in_e, w11, 0.0)
                around = tl.load(fill + c)
                value = (value - around) * share + around
            if U8:
                value = tl.minimum(tl.maximum(_even(value), 0.0), 255.0)
            tl.store(there_out + c * put_c, value.to(out.dtype.element_ty), mask=inside)


def can_run(x: torch.Tensor | Ragged, sizes: torch.Tensor, interpolation: str) -> bool:
    """Whether ``warp_triton`` does this work: what it refuses the torch form does or explains."""
    values = x.values if isinstance(x, Ragged) else x
    channels = x.host_shapes[:, 0] if isinstance(x, Ragged) else np.array([x.shape[1]])
    return (
        interpolation in ("bilinear", "nearest")
        and values.dtype in (_COPIED if interpolation == "nearest" else _SMOOTH)
        and not values.requires_grad
        and not torch.compiler.is_compiling()
        and 0 < len(x) < 1 << 16  # the second side of a grid
        and values.numel() > 0
        and bool((channels == channels[0]).all())
        and int(sizes.min()) > 0
    )


def warp_triton(
    x: torch.Tensor | Ragged,
    matrix: torch.Tensor,
    sizes: torch.Tensor,
    interpolation: str = "bilinear",
    fill: float | Sequence[float] | None = None,
) -> torch.Tensor | Ragged:
    """``warp`` of pictures on a GPU for which ``can_run`` holds."""
    from domainkit.vision.transforms.kernels.warp import fill_values

    nearest = interpolation == "nearest"
    channels = int(x.host_shapes[0, 0]) if isinstance(x, Ragged) else x.shape[1]
    around = fill_values(fill, channels)
    if nearest:
        around = (around if x.dtype.is_floating_point else around.round()).to(x.dtype)
    else:
        around = around.float()
    out = _result(x, sizes, channels)
    source, ragged, last = described(x)
    target, out_ragged, _ = described(out)
    tiles = ((sizes + torch.tensor(_TILE) - 1) // torch.tensor(_TILE)).prod(1)
    _warp[(int(tiles.max()), len(x))](
        *(*source, *target, matrix.double().contiguous().to(x.device, non_blocking=True)),
        around.contiguous().to(x.device, non_blocking=True),
        R=ragged,
        LAST=last or (out_ragged and lies_last(x)),
        OR=out_ragged,
        C=channels,
        U8=x.dtype == torch.uint8,
        NEAREST=nearest,
        FILLED=fill is not None,
        TY=_TILE[0],
        TX=_TILE[1],
        enable_fp_fusion=False,  # a product and a sum round one by one, as in source_points
    )
    return out


def _result(x: torch.Tensor | Ragged, sizes: torch.Tensor, channels: int) -> torch.Tensor | Ragged:
    """Room for pictures of these sizes, with the channels where ``x`` has them."""
    last = lies_last(x)
    values = x.values if isinstance(x, Ragged) else x
    if bool((sizes == sizes[:1]).all()):
        shape = (len(x), channels, *sizes[0].tolist())
        layout = torch.channels_last if last else torch.contiguous_format
        return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout)
    shapes = torch.cat([torch.full_like(sizes[:, :1], channels), sizes], 1)
    room = values.new_empty(int(shapes.prod(1).sum()))
    return Ragged.from_shapes(room, shapes.numpy(), channels_last=last)
