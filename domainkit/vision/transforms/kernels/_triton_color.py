"""``color_finish`` in Triton: a read, the mirrors, all colour steps, the number type, a write.

Steps that need to know the whole picture (contrast, autocontrast, equalize) are served by a pass
before, one per such step of the sample that has most of them: it runs the steps that come before
and reduces. Sums are taken over blocks of a fixed size and then over the blocks, so that a picture
gives the same bits alone and in any batch. Nothing waits for the device.

Exactness, against ``color_finish_torch``: uint8 equal (1 level is allowed for); floating within
1e-5, since the mean of the grey picture is added up in another order.
"""

# device functions: their arguments have the types that the launch gives them
# ruff: noqa: SIM108
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, misc"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl

from domainkit.ragged import Ragged
from domainkit.vision.transforms.kernels._triton_layout import layout
from domainkit.vision.transforms.kernels._triton_steps import grey, step

if TYPE_CHECKING:
    from domainkit.vision.transforms._program import Program

__all__ = ["can_run", "color_finish_triton"]

_BLOCK = 1024  # pixels; sums depend on it, so it is the same for every picture
_STATISTICS = (2, 10, 11)  # codes of steps that need to know the whole picture
_DTYPES = (torch.uint8, torch.float16, torch.bfloat16, torch.float32)
_FAITHFUL: dict[str, Any] = {"enable_fp_fusion": False}  # a product and a sum round one by one


@triton.jit
def _read(
    first, channel, line, column, height, width, flips, row, place, inside, GREY: tl.constexpr
):
    """Three float32 blocks: the pixels that come to lie at ``place`` of the mirrored picture."""
    y = place // width
    x = place % width
    x = tl.where(tl.load(flips + row * 2) != 0, width - 1 - x, x)
    y = tl.where(tl.load(flips + row * 2 + 1) != 0, height - 1 - y, y)
    there = first + y * line + x * column
    r = tl.load(there, mask=inside, other=0).to(tl.float32)
    if GREY:
        g = r
        b = r
    else:
        g = tl.load(there + channel, mask=inside, other=0).to(tl.float32)
        b = tl.load(there + 2 * channel, mask=inside, other=0).to(tl.float32)
    return r, g, b


@triton.jit
def _is_statistic(code):
    return (code == 2) | (code == 10) | (code == 11)


@triton.jit(do_not_specialize=["h", "w", "which", "blocks"])
def _reduce(
    x, offsets, shapes, s0, s1, s2, s3, h, w, flips, codes, amounts, stats, tables, partial,
    counts, which, blocks, K: tl.constexpr, J: tl.constexpr, BLOCK: tl.constexpr, R: tl.constexpr,
    LAST: tl.constexpr, GREY: tl.constexpr, U8: tl.constexpr, DT: tl.constexpr,
):  # fmt: skip
    """Statistics of one block of pixels, as they are before the sample's ``which``-th such step."""
    row = tl.program_id(1).to(tl.int64)
    block = tl.program_id(0)
    first, channel, line, column, height, width = layout(
        x, offsets, shapes, row, s0, s1, s2, s3, h, w, R, LAST, 1 if GREY else 3
    )
    count = height * width
    place = block.to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < count
    r, g, b = _read(first, channel, line, column, height, width, flips, row, place, inside, GREY)
    seen = tl.full((), 0, tl.int32)
    found = tl.full((), 0, tl.int32)
    for k in range(K):
        code = tl.load(codes + row * K + k).to(tl.int32)
        statistic = _is_statistic(code).to(tl.int32)
        if (statistic == 1) & (seen == which):
            found = code
        if (found == 0) & (code != 0):
            r, g, b = step(
                r, g, b, code, tl.load(amounts + row * K + k), stats + (row * K + k) * 6,
                tables + (row * J + tl.minimum(seen, J - 1)) * 768, U8, DT, GREY,
            )  # fmt: skip
        seen += statistic
    there = partial + (row * blocks + block) * 6
    if found == 2:
        level = tl.where(inside, grey(r, g, b, U8, GREY), 0.0)
        tl.store(there, tl.sum(level, 0))
    elif found == 10:
        tl.store(there, tl.min(tl.where(inside, r, 256.0), 0))
        tl.store(there + 1, tl.min(tl.where(inside, g, 256.0), 0))
        tl.store(there + 2, tl.min(tl.where(inside, b, 256.0), 0))
        tl.store(there + 3, tl.max(tl.where(inside, r, -1.0), 0))
        tl.store(there + 4, tl.max(tl.where(inside, g, -1.0), 0))
        tl.store(there + 5, tl.max(tl.where(inside, b, -1.0), 0))
    elif found == 11:
        if not U8:
            r = tl.minimum(tl.maximum(r * 255.999, 0.0), 255.0)
            g = tl.minimum(tl.maximum(g * 255.999, 0.0), 255.0)
            b = tl.minimum(tl.maximum(b * 255.999, 0.0), 255.0)
        bins = counts + row * 768
        tl.atomic_add(bins + r.to(tl.int32), 1, mask=inside)
        tl.atomic_add(bins + 256 + g.to(tl.int32), 1, mask=inside)
        tl.atomic_add(bins + 512 + b.to(tl.int32), 1, mask=inside)


@triton.jit
def _table(bins, table, count):
    """Pillow's rule, see ``levels.equalize``."""
    level = tl.arange(0, 256)
    here = tl.load(bins + level).to(tl.int64)
    below = tl.cumsum(here, 0) - here
    highest = tl.max(tl.where(here > 0, level, 0), 0)
    step_size = (count - tl.sum(tl.where(level == highest, here, 0), 0)) // 255
    new = (below + step_size // 2) // tl.maximum(step_size, 1)
    new = tl.where(step_size > 0, tl.minimum(new, 255), level)
    tl.store(table + level, new.to(tl.uint8))


@triton.jit(do_not_specialize=["h", "w", "which", "blocks"])
def _join(
    shapes, h, w, codes, stats, tables, partial, counts, which, blocks,
    K: tl.constexpr, J: tl.constexpr, BLOCK: tl.constexpr, R: tl.constexpr, U8: tl.constexpr,
):  # fmt: skip
    """The blocks' statistics of one sample to what its step needs."""
    row = tl.program_id(0).to(tl.int64)
    count = row * 0 + h.to(tl.int64) * w
    if R:
        count = tl.load(shapes + row * 3 + 1) * tl.load(shapes + row * 3 + 2)
    mine = (count + BLOCK - 1) // BLOCK
    lane = tl.arange(0, 128)
    seen = tl.full((), 0, tl.int32)
    for k in range(K):
        code = tl.load(codes + row * K + k).to(tl.int32)
        statistic = _is_statistic(code).to(tl.int32)
        if (statistic == 1) & (seen == which):
            there = stats + (row * K + k) * 6
            if code == 2:
                total = tl.zeros((128,), tl.float64)
                for start in range(0, blocks, 128):
                    at = start + lane
                    values = tl.load(partial + (row * blocks + at) * 6, mask=at < mine, other=0.0)
                    total += values.to(tl.float64)
                mean = tl.sum(total, 0) / tl.maximum(count, 1).to(tl.float64)
                tl.store(there, mean.to(tl.float32))
            elif code == 10:
                for c in tl.static_range(3):
                    least = tl.full((128,), 256.0, tl.float32)
                    most = tl.full((128,), -1.0, tl.float32)
                    for start in range(0, blocks, 128):
                        at = start + lane
                        values = partial + (row * blocks + at) * 6 + c
                        least = tl.minimum(least, tl.load(values, mask=at < mine, other=256.0))
                        most = tl.maximum(most, tl.load(values + 3, mask=at < mine, other=-1.0))
                    low = tl.min(least, 0)
                    spread = tl.max(most, 0) - low
                    if U8:
                        scale = spread * 0.00392156862745098
                    else:
                        scale = spread
                    tl.store(there + c, tl.where(spread == 0.0, 0.0, low))
                    tl.store(there + 3 + c, tl.where(spread == 0.0, 1.0, scale))
            elif code == 11:
                for c in tl.static_range(3):
                    table = tables + (row * J + which) * 768 + c * 256
                    _table(counts + row * 768 + c * 256, table, count)
        seen += statistic


@triton.jit
def _written(v, mean, std, SCALE: tl.constexpr, NORM: tl.constexpr, OT: tl.constexpr):
    """To the output's dtype as ToDtype and Normalize do it: cut after each of them."""
    if SCALE:
        v = v * 0.00392156862745098
    if NORM:
        v = v.to(OT).to(tl.float32)
        v = (v - mean).to(OT).to(tl.float32)
        v = tl.div_rn(v, std)
    return v.to(OT)


@triton.jit(do_not_specialize=["h", "w"])
def _apply(
    x, offsets, shapes, s0, s1, s2, s3, h, w, out, t0, t1, t2, t3, flips, codes, amounts, stats,
    tables, m0, m1, m2, d0, d1, d2,
    K: tl.constexpr, J: tl.constexpr, BLOCK: tl.constexpr, R: tl.constexpr, LAST: tl.constexpr,
    GREY: tl.constexpr, U8: tl.constexpr, DT: tl.constexpr, OT: tl.constexpr,
    SCALE: tl.constexpr, NORM: tl.constexpr,
):  # fmt: skip
    """All steps on one block of pixels of one sample."""
    row = tl.program_id(1).to(tl.int64)
    first, channel, line, column, height, width = layout(
        x, offsets, shapes, row, s0, s1, s2, s3, h, w, R, LAST, 1 if GREY else 3
    )
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < height * width
    r, g, b = _read(first, channel, line, column, height, width, flips, row, place, inside, GREY)
    seen = tl.full((), 0, tl.int32)
    for k in range(K):
        code = tl.load(codes + row * K + k).to(tl.int32)
        if code != 0:
            r, g, b = step(
                r, g, b, code, tl.load(amounts + row * K + k), stats + (row * K + k) * 6,
                tables + (row * J + tl.minimum(seen, J - 1)) * 768, U8, DT, GREY,
            )  # fmt: skip
        seen += _is_statistic(code).to(tl.int32)
    begin, channel, line, column, height, width = layout(
        out, offsets, shapes, row, t0, t1, t2, t3, h, w, R, LAST, 1 if GREY else 3
    )
    there = begin + (place // width) * line + (place % width) * column
    tl.store(there, _written(r, m0, d0, SCALE, NORM, OT), mask=inside)
    if not GREY:
        v = _written(g, m1, d1, SCALE, NORM, OT)
        tl.store(there + channel, v, mask=inside)
        v = _written(b, m2, d2, SCALE, NORM, OT)
        tl.store(there + 2 * channel, v, mask=inside)


def can_run(
    x: torch.Tensor | Ragged,
    mean: tuple[float, ...] | None = None,
    out_dtype: torch.dtype | None = None,
    *,
    scale: bool = True,
) -> bool:
    """Whether ``color_finish_triton`` does this work: what it refuses the torch form explains."""
    values = x.values if isinstance(x, Ragged) else x
    target = values.dtype if out_dtype is None else out_dtype
    if values.dtype not in _DTYPES or target not in _DTYPES or values.numel() == 0:
        return False
    channels = set(x.host_shapes[:, 0].tolist()) if isinstance(x, Ragged) else {x.shape[1]}
    floating = target.is_floating_point
    from_bytes = values.dtype == torch.uint8
    return (
        channels in ({1}, {3})
        and (from_bytes or floating)
        and (scale or from_bytes != floating)
        and (mean is None or (floating and len(mean) in {1, *channels}))
        and not values.requires_grad
        and not torch.compiler.is_compiling()
        and len(x) < 1 << 16  # the second side of a grid
    )


def color_finish_triton(
    x: torch.Tensor | Ragged,
    program: Program | None = None,
    *,
    hflip: torch.Tensor | None = None,
    vflip: torch.Tensor | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    out_dtype: torch.dtype | None = None,
    scale: bool = True,
    passes: int | None = None,
) -> torch.Tensor | Ragged:
    """``color_finish`` of pictures on a GPU for which ``can_run`` holds.

    Args:
        passes: how many steps of one sample at most need to know the whole picture; None looks into
            the program, which must then be on the host. To capture a CUDA graph give this, and
            ``program``, ``hflip`` and ``vflip`` on the device.
    """
    ragged = isinstance(x, Ragged)
    values = x.values if isinstance(x, Ragged) else x
    device, target = values.device, out_dtype or values.dtype
    batch, slots = len(x), 0 if program is None else program.codes.shape[1]
    channels = int(x.host_shapes[0, 0]) if isinstance(x, Ragged) else x.shape[1]
    if passes is None:
        passes = _passes(program)
    if isinstance(x, Ragged):
        offsets, shapes, last = x.offsets, x.shapes.contiguous(), x.channels_last
        values = values.contiguous()
        out = torch.empty_like(values, dtype=target)
        strides: tuple[int, ...] = (0, 0, 0, 0)
        out_strides: tuple[int, ...] = strides
        size: tuple[int, ...] = (0, 0)
        most = int(x.host_shapes[:, 1:].prod(axis=1).max())
    else:
        out, last = torch.empty_like(x, dtype=target), False
        offsets = shapes = values
        strides, out_strides, size = x.stride(), out.stride(), tuple(x.shape[2:])
        most = size[0] * size[1]
    flips = torch.zeros(batch, 2, dtype=torch.uint8, device=device)
    for side, mask in enumerate((hflip, vflip)):
        if mask is not None:
            flips[:, side] = mask.to(device, non_blocking=True)
    codes = flips if program is None else program.codes.to(device, non_blocking=True).contiguous()
    amounts = (
        torch.empty(1, device=device)
        if program is None
        else program.amounts.to(device, non_blocking=True).contiguous()
    )
    blocks, kinds = triton.cdiv(most, _BLOCK), max(1, passes)
    stats = torch.empty(batch, max(1, slots), 6, device=device)
    partial = torch.empty(batch, blocks, 6, device=device)
    tables = torch.empty(batch, kinds, 768, dtype=torch.uint8, device=device)
    meta: dict[str, Any] = {"K": slots, "J": kinds, "BLOCK": _BLOCK, "R": ragged}
    dtype = getattr(tl, str(values.dtype).removeprefix("torch."))
    work = {"LAST": last, "GREY": channels == 1, "U8": values.dtype == torch.uint8, "DT": dtype}
    for j in range(passes):
        counts = torch.zeros(batch, 768, dtype=torch.int32, device=device)
        _reduce[(blocks, batch)](
            *(values, offsets, shapes, *strides, *size, flips, codes, amounts, stats, tables),
            *(partial, counts, j, blocks),
            **(meta | work | _FAITHFUL),
        )
        _join[(batch,)](
            *(shapes, *size, codes, stats, tables, partial, counts, j, blocks),
            **(meta | _FAITHFUL),
            U8=work["U8"],
        )
    normal = mean is not None and std is not None
    _apply[(blocks, batch)](
        *(values, offsets, shapes, *strides, *size, out, *out_strides, flips, codes, amounts),
        *(stats, tables, *_per_channel(mean, target), *_per_channel(std, target)),
        **(meta | work | _FAITHFUL),
        OT=getattr(tl, str(target).removeprefix("torch.")),
        SCALE=values.dtype == torch.uint8 and target != torch.uint8,
        NORM=normal,
    )
    return x.with_values(out) if isinstance(x, Ragged) else out


def _passes(program: Program | None) -> int:
    if program is None or program.codes.numel() == 0:
        return 0
    known = torch.tensor(_STATISTICS, device=program.codes.device)
    return int(torch.isin(program.codes, known).sum(1).max())


def _per_channel(values: tuple[float, ...] | None, dtype: torch.dtype) -> list[float]:
    """Three numbers, cut to ``dtype`` as Normalize cuts them."""
    if values is None:
        return [0.0, 0.0, 0.0]
    cut: list[float] = torch.tensor(values, dtype=dtype).float().tolist()
    return cut if len(cut) == 3 else cut[:1] * 3
