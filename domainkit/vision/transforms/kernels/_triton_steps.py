"""Colour steps on pixels in registers: the device functions of the Triton colour kernels.

Pixels are float32 (whole levels where the pictures are uint8) and are cut after every step to what
the pictures' own dtype holds, as ``color.py`` and ``levels.py`` do it. Products and sums are never
contracted: the kernels are launched with ``enable_fp_fusion=False``. Grey pictures come with three
equal channels.
"""

# device functions: their arguments have the types that the launch gives them
# ruff: noqa: SIM108
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, misc"

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["grey", "step"]


@triton.jit
def grey(r, g, b, U8: tl.constexpr, GREY: tl.constexpr):
    """The grey of a pixel; a whole level for uint8 pictures."""
    if GREY:
        out = r
    else:
        out = (r * 0.2989 + g * 0.587) + b * 0.114
        if U8:
            out = tl.floor(out)
    return out


@triton.jit
def _cut(v, U8: tl.constexpr, DT: tl.constexpr):
    """Clip to the range and cut to the dtype."""
    if U8:
        out = tl.floor(tl.minimum(tl.maximum(v, 0.0), 255.0))
    else:
        out = tl.minimum(tl.maximum(v, 0.0), 1.0).to(DT).to(tl.float32)
    return out


@triton.jit
def _turned(n: tl.constexpr, sixths, value, spread, U8: tl.constexpr, DT: tl.constexpr):
    k = sixths + n
    k = tl.where(k >= 6.0, k - 6.0, k)
    out = value - tl.minimum(tl.maximum(tl.minimum(k, 4.0 - k), 0.0), 1.0) * spread
    if U8:
        out = tl.floor(tl.minimum(tl.maximum(out * 255.999, 0.0), 255.0))
    else:
        out = out.to(DT).to(tl.float32)
    return out


@triton.jit
def _hue(r, g, b, shift, U8: tl.constexpr, DT: tl.constexpr):
    if U8:
        r = r * 0.00392156862745098
        g = g * 0.00392156862745098
        b = b * 0.00392156862745098
    value = tl.maximum(tl.maximum(r, g), b)
    spread = value - tl.minimum(tl.minimum(r, g), b)
    divisor = tl.where(spread == 0.0, 1.0, spread)
    at_green = tl.div_rn(b - r, divisor) + 2.0
    at_blue = tl.div_rn(r - g, divisor) + 4.0
    hue = tl.where(value == g, at_green, at_blue)
    hue = tl.where(value == r, tl.div_rn(g - b, divisor), hue)
    turn = hue * 0.16666666666666666 + shift
    sixths = (turn - tl.floor(turn)) * 6.0
    red = _turned(5.0, sixths, value, spread, U8, DT)
    green = _turned(3.0, sixths, value, spread, U8, DT)
    blue = _turned(1.0, sixths, value, spread, U8, DT)
    return red, green, blue


@triton.jit
def _negative(v, U8: tl.constexpr, DT: tl.constexpr):
    if U8:
        out = 255.0 - v
    else:
        out = (1.0 - v).to(DT).to(tl.float32)
    return out


@triton.jit
def _fewer(v, amount, U8: tl.constexpr, DT: tl.constexpr):
    """Posterize: the upper ``amount`` bits."""
    levels = (tl.full((), 1, tl.int32) << amount.to(tl.int32)).to(tl.float32)
    if U8:
        step = tl.div_rn(256.0, levels)
        out = tl.floor(tl.div_rn(v, step)) * step
    else:
        cut = tl.minimum(tl.maximum(tl.floor(v * levels), 0.0), levels - 1.0)
        out = tl.div_rn(cut, levels).to(DT).to(tl.float32)
    return out


@triton.jit
def _stretched(v, least, scale, U8: tl.constexpr, DT: tl.constexpr):
    return _cut(tl.div_rn(v - least, scale), U8, DT)


@triton.jit
def _looked_up(v, table, U8: tl.constexpr, DT: tl.constexpr):
    if U8:
        out = tl.load(table + v.to(tl.int32)).to(tl.float32)
    else:
        level = tl.minimum(tl.maximum(v * 255.999, 0.0), 255.0).to(tl.int32)
        out = tl.load(table + level).to(tl.float32) * 0.00392156862745098
        out = out.to(DT).to(tl.float32)
    return out


@triton.jit
def step(r, g, b, code, f, stats, tables, U8: tl.constexpr, DT: tl.constexpr, GREY: tl.constexpr):
    """One step; ``stats`` and ``tables`` are where this slot's statistics lie."""
    if code == 1:
        r = _cut(r * f, U8, DT)
        g = _cut(g * f, U8, DT)
        b = _cut(b * f, U8, DT)
    elif code == 2:
        other = tl.load(stats) * (1.0 - f)
        r = _cut(r * f + other, U8, DT)
        g = _cut(g * f + other, U8, DT)
        b = _cut(b * f + other, U8, DT)
    elif code == 5:
        r = _negative(r, U8, DT)
        g = _negative(g, U8, DT)
        b = _negative(b, U8, DT)
    elif code == 6:
        r = tl.where(r >= f, _negative(r, U8, DT), r)
        g = tl.where(g >= f, _negative(g, U8, DT), g)
        b = tl.where(b >= f, _negative(b, U8, DT), b)
    elif code == 7:
        r = _fewer(r, f, U8, DT)
        g = _fewer(g, f, U8, DT)
        b = _fewer(b, f, U8, DT)
    elif code == 10:
        r = _stretched(r, tl.load(stats), tl.load(stats + 3), U8, DT)
        g = _stretched(g, tl.load(stats + 1), tl.load(stats + 4), U8, DT)
        b = _stretched(b, tl.load(stats + 2), tl.load(stats + 5), U8, DT)
    elif code == 11:
        r = _looked_up(r, tables, U8, DT)
        g = _looked_up(g, tables + 256, U8, DT)
        b = _looked_up(b, tables + 512, U8, DT)
    if not GREY:
        if code == 3:
            other = grey(r, g, b, U8, GREY) * (1.0 - f)
            r = _cut(r * f + other, U8, DT)
            g = _cut(g * f + other, U8, DT)
            b = _cut(b * f + other, U8, DT)
        elif code == 4:
            r, g, b = _hue(r, g, b, f, U8, DT)
        elif code == 8:
            r = grey(r, g, b, U8, GREY).to(DT).to(tl.float32)
            g = r
            b = r
        elif code == 9:  # itertools.permutations(range(3)): 012 021 102 120 201 210
            first = tl.where(f < 2.0, r, tl.where(f < 4.0, g, b))
            second = tl.where((f == 0.0) | (f == 5.0), g, tl.where((f == 1.0) | (f == 3.0), b, r))
            third = tl.where((f == 0.0) | (f == 2.0), b, tl.where((f == 1.0) | (f == 4.0), g, r))
            r = first
            g = second
            b = third
    return r, g, b
