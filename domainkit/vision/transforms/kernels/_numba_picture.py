"""A picture's way through the fused colour pass, compiled by Numba: read, colour steps, write.

A picture is worked on in blocks of whole rows (``_numba_steps``). A step that has to know the whole
picture - contrast its mean grey, autocontrast its extremes, equalize its histogram - ends a sweep:
blocks before it are put into a scratch picture of the input's own type, and the next sweep goes on
from there. Where nothing was done before such a step, the next sweep reads the input again.

Imported only by what runs the kernels, as it imports Numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from domainkit.jit import jit
from domainkit.vision.transforms.kernels._numba_steps import (
    block_step,
    grey_total,
    least_and_most,
)

__all__ = ["BLOCK", "run_batch"]

BLOCK = 4096  # pixels, if a row has not more: lines of 16 KB; smaller blocks cost calls
CONTRAST, AUTOCONTRAST, EQUALIZE = 2, 10, 11
f4 = np.float32


@jit()
def _read(row: Any, into: Any, step: int, mirrored: bool) -> None:
    n = into.size
    if step == 1 and not mirrored:
        for i in range(n):
            into[i] = f4(row[i])
    elif step == 1:
        for i in range(n):
            # unsigned: a place that cannot be negative needs no test, and becomes vector code
            into[np.uint64(n - 1) - np.uint64(i)] = f4(row[i])
    elif not mirrored:
        for i in range(n):
            into[i] = f4(row[i * step])
    else:
        for i in range(n):
            into[np.uint64(n - 1) - np.uint64(i)] = f4(row[i * step])


@jit()
def _read_pixels(row: Any, work: Any, begin: int, n: int, mirrored: bool) -> None:
    """``n`` pixels whose three channels lie together."""
    r, g, b = work[0][begin : begin + n], work[1][begin : begin + n], work[2][begin : begin + n]
    if mirrored:
        for i in range(n):
            j = np.uint64(n - 1) - np.uint64(i)
            r[j], g[j], b[j] = f4(row[3 * i]), f4(row[3 * i + 1]), f4(row[3 * i + 2])
    else:
        for i in range(n):
            r[i], g[i], b[i] = f4(row[3 * i]), f4(row[3 * i + 1]), f4(row[3 * i + 2])


@jit()
def _write_pixels(
    work: Any, begin: int, n: int, row: Any, unit: Any, mean: Any, std: Any, norm: bool
) -> None:
    r, g, b = work[0][begin : begin + n], work[1][begin : begin + n], work[2][begin : begin + n]
    if row.itemsize == 1:
        for i in range(n):
            row[3 * i] = np.uint8(np.int32(r[i]))
            row[3 * i + 1] = np.uint8(np.int32(g[i]))
            row[3 * i + 2] = np.uint8(np.int32(b[i]))
    elif norm:
        m0, m1, m2, s0, s1, s2 = mean[0], mean[1], mean[2], std[0], std[1], std[2]
        for i in range(n):
            row[3 * i] = (r[i] * unit - m0) / s0
            row[3 * i + 1] = (g[i] * unit - m1) / s1
            row[3 * i + 2] = (b[i] * unit - m2) / s2
    else:
        for i in range(n):
            row[3 * i] = r[i] * unit
            row[3 * i + 1] = g[i] * unit
            row[3 * i + 2] = b[i] * unit


@jit()
def _write_levels(line: Any, row: Any, step: int) -> None:
    if step == 1:
        for i in range(line.size):
            row[i] = np.uint8(np.int32(line[i]))
    else:
        for i in range(line.size):
            row[i * step] = np.uint8(np.int32(line[i]))


@jit()
def _write_floats(
    line: Any, row: Any, step: int, unit: Any, mean: Any, std: Any, norm: bool
) -> None:
    if step != 1:
        for i in range(line.size):
            v = line[i] * unit
            row[i * step] = (v - mean) / std if norm else v
    elif norm:
        for i in range(line.size):
            row[i] = (line[i] * unit - mean) / std
    else:
        for i in range(line.size):
            row[i] = line[i] * unit


@jit()
def _write(line: Any, row: Any, step: int, unit: Any, mean: Any, std: Any, norm: bool) -> None:
    if row.itemsize == 1:
        _write_levels(line, row, step)
    else:
        _write_floats(line, row, step, unit, mean, std, norm)


@jit()
def _next_stop(codes: Any, start: int) -> int:
    for k in range(start, codes.size):
        if codes[k] == CONTRAST or codes[k] == AUTOCONTRAST or codes[k] == EQUALIZE:
            return k
    return codes.size


@jit()
def _equal_levels(count: Any, pixels: int, table: Any) -> None:
    """As Pillow: see ``levels.equalize``."""
    highest = 0
    for level in range(256):
        if count[level] > 0:
            highest = count[level]
    step = (pixels - highest) // 255
    below = 0
    for level in range(256):
        if step > 0:
            table[level] = f4(min((below + step // 2) // step, 255))
        else:
            table[level] = f4(level)
        below += count[level]


@jit()
def _count(line: Any, count: Any, whole: bool) -> None:
    for i in range(line.size):
        v = line[i]
        if not whole:
            v = min(max(v * f4(255.999), f4(0)), f4(255))
        count[np.uint8(np.int32(v))] += 1


@jit()
def _read_rows(
    src: Any, at: int, steps: Any, height: int, width: int, y: int, n: int, channels: int,
    mirror: bool, upside: bool, work: Any,
) -> None:  # fmt: skip
    if steps[2] == 1 and steps[1] == width and not mirror and not upside:
        for c in range(channels):  # the rows lie together: one long line is quicker
            start = at + c * steps[0] + y * width
            _read(src[start : start + n * width], work[c][: n * width], 1, False)
        return
    if channels == 3 and steps[0] == 1 and steps[2] == 3:
        for j in range(n):
            row = height - 1 - (y + j) if upside else y + j
            start = at + row * steps[1]
            _read_pixels(src[start : start + 3 * width], work, j * width, width, mirror)
        return
    for c in range(channels):
        for j in range(n):
            row = height - 1 - (y + j) if upside else y + j
            start = at + c * steps[0] + row * steps[1]
            stop = start + (width - 1) * steps[2] + 1
            _read(src[start:stop], work[c][j * width : (j + 1) * width], steps[2], mirror)


@jit()
def _write_rows(
    dst: Any, to: int, steps: Any, width: int, y: int, n: int, channels: int, work: Any,
    unit: Any, mean: Any, std: Any, norm: bool,
) -> None:  # fmt: skip
    if steps[2] == 1 and steps[1] == width:
        for c in range(channels):
            start = to + c * steps[0] + y * width
            line = work[c][: n * width]
            _write(line, dst[start : start + n * width], 1, unit, mean[c], std[c], norm)
        return
    if channels == 3 and steps[0] == 1 and steps[2] == 3:
        for j in range(n):
            start = to + (y + j) * steps[1]
            row = dst[start : start + 3 * width]
            _write_pixels(work, j * width, width, row, unit, mean, std, norm)
        return
    for c in range(channels):
        for j in range(n):
            start = to + c * steps[0] + (y + j) * steps[1]
            row = dst[start : start + (width - 1) * steps[2] + 1]
            line = work[c][j * width : (j + 1) * width]
            _write(line, row, steps[2], unit, mean[c], std[c], norm)


@jit()
def _from_scratch(scratch: Any, start: int, area: int, m: int, channels: int, work: Any) -> None:
    for c in range(channels):
        at = c * area + start
        _read(scratch[at : at + m], work[c][:m], 1, False)


@jit()
def _to_scratch(scratch: Any, start: int, area: int, m: int, channels: int, work: Any) -> None:
    for c in range(channels):
        at = c * area + start
        _write(work[c][:m], scratch[at : at + m], 1, f4(1), f4(0), f4(1), False)


@jit()
def _look(kind: int, work: Any, m: int, channels: int, whole: bool, seen: Any, count: Any) -> None:
    """Add a block to what is known: ``seen`` float64 [3, 2], ``count`` int64 [3, 256]."""
    if kind == CONTRAST:
        seen[0, 0] += grey_total(work, m, channels, whole)
    elif kind == AUTOCONTRAST:
        for c in range(channels):
            least, most = least_and_most(work[c][:m])
            seen[c, 0] = min(seen[c, 0], least)
            seen[c, 1] = max(seen[c, 1], most)
    elif kind == EQUALIZE:
        for c in range(channels):
            _count(work[c][:m], count[c], whole)


@jit()
def _begin(kind: int, seen: Any, count: Any) -> None:
    for c in range(3):
        seen[c, 0] = 0.0 if kind == CONTRAST else np.inf
        seen[c, 1] = -np.inf
        for level in range(256):
            count[c, level] = 0


@jit()
def _conclude(
    kind: int, seen: Any, count: Any, area: int, channels: int, facts: Any, tables: Any
) -> None:
    for c in range(channels):
        if kind == CONTRAST:
            facts[c, 0] = f4(seen[0, 0] / area)
        elif kind == AUTOCONTRAST:
            facts[c, 0], facts[c, 1] = f4(seen[c, 0]), f4(seen[c, 1])
        else:
            _equal_levels(count[c], area, tables[c])


@jit()
def _steps(
    codes: Any, amounts: Any, pos: int, stop: int, work: Any, m: int, channels: int, facts: Any,
    tables: Any, whole: bool,
) -> None:  # fmt: skip
    for k in range(pos, stop):
        if codes[k] != 0:
            block_step(work, m, channels, codes[k], amounts[k], facts, tables, whole)


@jit()
def _picture(
    src: Any, at: int, steps: Any, dst: Any, to: int, to_steps: Any, shape: Any, codes: Any,
    amounts: Any, mirror: bool, upside: bool, unit: Any, mean: Any, std: Any, norm: bool,
    work: Any, scratch: Any, facts: Any, tables: Any, seen: Any, count: Any,
) -> None:  # fmt: skip
    channels, height, width = shape[0], shape[1], shape[2]
    area = height * width
    whole = src.itemsize == 1
    rows = max(1, BLOCK // max(1, width))
    pos, kept, last, after = 0, False, False, 0
    while not last:
        # from the second sweep on the step at ``pos`` is the one that the first was for
        stop = _next_stop(codes, pos + after)
        last = stop == codes.size
        kind = 0 if last else codes[stop]
        keep = kept
        for k in range(pos, stop):
            keep = keep or codes[k] != 0
        if not last:
            _begin(kind, seen, count)
        for y in range(0, height, rows):
            n = min(rows, height - y)
            m = n * width
            if kept:
                _from_scratch(scratch, y * width, area, m, channels, work)
            else:
                _read_rows(
                    src, at, steps, height, width, y, n, channels, mirror, upside, work
                )  # fmt: skip
            _steps(codes, amounts, pos, stop, work, m, channels, facts, tables, whole)
            if last:
                _write_rows(
                    dst, to, to_steps, width, y, n, channels, work, unit, mean, std, norm
                )  # fmt: skip
            else:
                if keep:
                    _to_scratch(scratch, y * width, area, m, channels, work)
                _look(kind, work, m, channels, whole, seen, count)
        if not last:  # only now: the sweep itself needed what was known before
            _conclude(kind, seen, count, area, channels, facts, tables)
            kept, pos, after = keep, stop, 1


@jit()
def run_batch(
    src: Any, at: Any, steps: Any, dst: Any, to: Any, to_steps: Any, shapes: Any, codes: Any,
    amounts: Any, hflip: Any, vflip: Any, unit: Any, mean: Any, std: Any, norm: bool,
    first: int, end: int,
) -> None:  # fmt: skip
    """Pictures first..end of a batch.

    Args:
        src, dst: all numbers of the batches, flat: uint8 or float32.
        at, to: int64 [B], where each picture starts; steps, to_steps: int64 [B, 3], its strides by
            channel, row and column; shapes: int64 [B, 3].
        codes, amounts: the ``Program``, int64 and float32 [B, K].
        hflip, vflip: bool [B].
        unit: float32 that is multiplied in before float32 ``mean`` and ``std`` [3] (if ``norm``).
    """
    wide, large = 8, 0
    for s in range(first, end):
        wide = max(wide, shapes[s, 2])
        for k in range(codes.shape[1]):
            if codes[s, k] == CONTRAST or codes[s, k] == AUTOCONTRAST or codes[s, k] == EQUALIZE:
                large = max(large, shapes[s, 0] * shapes[s, 1] * shapes[s, 2])
    work = np.empty((4, max(BLOCK, wide)), np.float32)
    scratch = np.empty(large, src.dtype)
    facts = np.zeros((3, 2), np.float32)
    tables = np.zeros((3, 256), np.float32)
    seen = np.zeros((3, 2), np.float64)
    count = np.zeros((3, 256), np.int64)
    for s in range(first, end):
        _picture(
            src, at[s], steps[s], dst, to[s], to_steps[s], shapes[s], codes[s], amounts[s],
            hflip[s], vflip[s], unit, mean, std, norm, work, scratch, facts, tables, seen, count,
        )  # fmt: skip
