"""Colour steps on a block of pixels, compiled by Numba: what ``color`` and ``levels`` do in torch.

A block is three lines of float32 that stay in the processor's nearest cache; every step runs over
them once, in loops without branches, which LLVM turns into vector code. ``whole`` says that the
pictures are uint8: values are 0..255 then, and cut to whole levels after each step. Products and
sums are made one by one, in the order of the reference, so that results have its bits.

Imported only by what runs the kernels, as it imports Numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from domainkit.jit import jit

__all__ = ["block_step", "grey_total", "least_and_most"]

f4 = np.float32
RED, GREEN, BLUE = f4(0.2989), f4(0.587), f4(0.114)
TO_UNIT, TO_LEVEL = f4(1 / 255), f4(255.999)
SIXTH = f4(1 / 6)
ZERO, ONE, TWO, FOUR, SIX = f4(0), f4(1), f4(2), f4(4), f4(6)
TOP = f4(255)
ORDERS = np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])


@jit()
def _cut(v: Any, top: Any) -> Any:
    v = ZERO if v < ZERO else v  # NaN stays NaN
    return top if v > top else v


@jit()
def _scale(line: Any, factor: Any, whole: bool) -> None:
    if whole:
        for i in range(line.size):
            line[i] = np.floor(_cut(line[i] * factor, TOP))
    else:
        for i in range(line.size):
            line[i] = _cut(line[i] * factor, ONE)


@jit()
def _towards(line: Any, factor: Any, mean: Any, whole: bool) -> None:
    other = mean * (ONE - factor)
    if whole:
        for i in range(line.size):
            line[i] = np.floor(_cut(line[i] * factor + other, TOP))
    else:
        for i in range(line.size):
            line[i] = _cut(line[i] * factor + other, ONE)


@jit()
def _saturate(r: Any, g: Any, b: Any, factor: Any, whole: bool) -> None:
    rest = ONE - factor
    if whole:
        for i in range(r.size):
            other = np.floor(r[i] * RED + g[i] * GREEN + b[i] * BLUE) * rest
            r[i] = np.floor(_cut(r[i] * factor + other, TOP))
            g[i] = np.floor(_cut(g[i] * factor + other, TOP))
            b[i] = np.floor(_cut(b[i] * factor + other, TOP))
    else:
        for i in range(r.size):
            other = (r[i] * RED + g[i] * GREEN + b[i] * BLUE) * rest
            r[i] = _cut(r[i] * factor + other, ONE)
            g[i] = _cut(g[i] * factor + other, ONE)
            b[i] = _cut(b[i] * factor + other, ONE)


@jit()
def _channel(sixths: Any, n: Any, value: Any, spread: Any) -> Any:
    k = sixths + n
    k = k - SIX if k >= SIX else k
    down = FOUR - k
    k = down if down < k else k
    return value - _cut(k, ONE) * spread


@jit()
def _turn(r: Any, g: Any, b: Any, shift: Any, whole: bool) -> None:
    """Hue; the three cases of the hexagon are chosen by value, and so one division is enough."""
    unit = TO_UNIT if whole else ONE
    for i in range(r.size):
        red, green, blue = r[i] * unit, g[i] * unit, b[i] * unit
        most = green if green > red else red
        most = blue if blue > most else most
        least = green if green < red else red
        least = blue if blue < least else least
        spread = most - least
        divisor = ONE if spread == ZERO else spread
        part = blue - red if most == green else red - green
        corner = TWO if most == green else FOUR
        part = green - blue if most == red else part
        corner = ZERO if most == red else corner
        turn = (part / divisor + corner) * SIXTH + shift
        sixths = (turn - np.floor(turn)) * SIX
        r[i] = _channel(sixths, f4(5), most, spread)
        g[i] = _channel(sixths, f4(3), most, spread)
        b[i] = _channel(sixths, ONE, most, spread)
    if whole:
        for i in range(r.size):
            r[i] = np.floor(_cut(r[i] * TO_LEVEL, TOP))
            g[i] = np.floor(_cut(g[i] * TO_LEVEL, TOP))
            b[i] = np.floor(_cut(b[i] * TO_LEVEL, TOP))


@jit()
def _invert(line: Any, top: Any) -> None:
    for i in range(line.size):
        line[i] = top - line[i]


@jit()
def _solarize(line: Any, limit: Any, top: Any) -> None:
    for i in range(line.size):
        line[i] = top - line[i] if line[i] >= limit else line[i]


@jit()
def _posterize(line: Any, bits: int, whole: bool) -> None:
    levels = f4(1 << bits)
    if whole:
        mask = np.int32(256 - (256 >> bits))
        for i in range(line.size):
            line[i] = f4(np.int32(line[i]) & mask)
    else:
        for i in range(line.size):
            v = np.floor(line[i] * levels)
            v = ZERO if v < ZERO else v
            line[i] = (levels - ONE if v > levels - ONE else v) / levels


@jit()
def _grey(r: Any, g: Any, b: Any, whole: bool) -> None:
    for i in range(r.size):
        v = r[i] * RED + g[i] * GREEN + b[i] * BLUE
        v = np.floor(v) if whole else v
        r[i], g[i], b[i] = v, v, v


@jit()
def _permute(r: Any, g: Any, b: Any, order: Any) -> None:
    x, y, z = order[0], order[1], order[2]
    for i in range(r.size):
        c0, c1, c2 = r[i], g[i], b[i]
        r[i] = c0 if x == 0 else (c1 if x == 1 else c2)
        g[i] = c0 if y == 0 else (c1 if y == 1 else c2)
        b[i] = c0 if z == 0 else (c1 if z == 1 else c2)


@jit()
def _stretch(line: Any, least: Any, most: Any, whole: bool) -> None:
    top = TOP if whole else ONE
    if least == most:
        for i in range(line.size):  # flat: only cut to the range
            line[i] = _cut(line[i], top)
        return
    scale = (most - least) * (TO_UNIT if whole else ONE)
    for i in range(line.size):
        v = _cut((line[i] - least) / scale, top)
        line[i] = np.floor(v) if whole else v


@jit()
def _look_up(line: Any, table: Any, whole: bool) -> None:
    if whole:
        for i in range(line.size):
            line[i] = table[np.uint8(np.int32(line[i]))]
    else:
        for i in range(line.size):
            level = np.uint8(np.int32(_cut(line[i] * TO_LEVEL, TOP)))
            line[i] = table[level] * TO_UNIT


@jit()
def block_step(
    work: Any, m: int, n: int, code: int, amount: Any, facts: Any, tables: Any, whole: bool
) -> None:
    """One step on the first ``m`` numbers of ``n`` lines of ``work``.

    ``facts`` [3, 2] and ``tables`` [3, 256] are the picture's own: mean grey (contrast), least and
    most (autocontrast), new levels (equalize).
    """
    if code == 1:
        for c in range(n):
            _scale(work[c][:m], amount, whole)
    elif code == 2:
        for c in range(n):
            _towards(work[c][:m], amount, facts[0, 0], whole)
    elif code == 3 and n == 3:
        _saturate(work[0][:m], work[1][:m], work[2][:m], amount, whole)
    elif code == 4 and n == 3:
        _turn(work[0][:m], work[1][:m], work[2][:m], amount, whole)
    elif code == 5:
        for c in range(n):
            _invert(work[c][:m], TOP if whole else ONE)
    elif code == 6:
        for c in range(n):
            _solarize(work[c][:m], amount, TOP if whole else ONE)
    elif code == 7:
        for c in range(n):
            _posterize(work[c][:m], int(amount), whole)
    elif code == 8 and n == 3:
        _grey(work[0][:m], work[1][:m], work[2][:m], whole)
    elif code == 9 and n == 3:
        _permute(work[0][:m], work[1][:m], work[2][:m], ORDERS[int(amount)])
    elif code == 10:
        for c in range(n):
            _stretch(work[c][:m], facts[c, 0], facts[c, 1], whole)
    elif code == 11:
        for c in range(n):
            _look_up(work[c][:m], tables[c], whole)


# -- what some steps have to know of the whole picture -------------------------------------------


@jit()
def _grey_levels(r: Any, g: Any, b: Any) -> Any:
    total = np.int32(0)  # a block has fewer than 2**23 pixels
    for i in range(r.size):
        grey = np.int32(r[i] * RED + g[i] * GREEN + b[i] * BLUE)
        total = np.int32(total + grey)
    return total


@jit()
def _grey_line(r: Any, g: Any, b: Any, into: Any) -> None:
    for i in range(r.size):
        into[i] = r[i] * RED + g[i] * GREEN + b[i] * BLUE


@jit(fastmath={"reassoc", "nsz"})
def _sum(line: Any) -> Any:
    """In any order: that lets the processor add several numbers at once."""
    total = 0.0
    for start in range(0, line.size, 1024):
        part = f4(0)
        for i in range(start, min(start + 1024, line.size)):
            part += line[i]
        total += np.float64(part)
    return total


@jit()
def grey_total(work: Any, m: int, channels: int, whole: bool) -> Any:
    """Sum of the grey of a block, float64; line 3 of ``work`` is overwritten."""
    if channels == 1:
        return _sum(work[0][:m])
    r, g, b = work[0][:m], work[1][:m], work[2][:m]
    if whole:
        return np.float64(_grey_levels(r, g, b))
    _grey_line(r, g, b, work[3][:m])
    return _sum(work[3][:m])


@jit(fastmath={"nnan", "nsz"})
def least_and_most(line: Any) -> Any:
    """Smallest and largest number of a line."""
    least, most = line[0], line[0]
    for i in range(line.size):
        least = line[i] if line[i] < least else least
        most = line[i] if line[i] > most else most
    return least, most
