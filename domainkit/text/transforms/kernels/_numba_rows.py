"""The loops behind ``rows`` and ``hiding``, compiled by Numba. Imported only by what runs them.

Random numbers are those of ``domainkit.draws``: Philox 4x32-10, number j of a sample being lane
j % 4 of block j // 4. Sixteen blocks are made at a time, in a loop that LLVM turns into vector
code.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from domainkit.jit import jit

__all__ = ["hide", "place"]

u4, u8, i8 = np.uint32, np.uint64, np.int64
M0, M1 = u8(0xD2511F53), u8(0xCD9E8D57)
W0, W1 = u4(0x9E3779B9), u4(0xBB67AE85)
LOW, HALF = u8(0xFFFFFFFF), u8(32)
BLOCKS = 16
IGNORED = i8(-100)
UNIT = 2.0**-24


@jit(boundscheck=False)
def _copy(source: Any, to: Any) -> None:
    for j in range(len(to)):  # from 0, so that LLVM sees that no index is negative
        to[j] = source[j]


@jit(boundscheck=False)
def _fill(to: Any, value: Any) -> None:
    for j in range(len(to)):
        to[j] = value


@jit(boundscheck=False)
def place(
    values: Any,
    starts: Any,
    counts: Any,
    begin: Any,
    end: Any,
    at: Any,
    room: Any,
    left: bool,
    fill: Any,
    out: Any,
    real: Any,
) -> None:
    """Sample b becomes begin + values[starts[b] : + counts[b]] + end, in out[at[b] : + room[b]].

    What is left of its room is filled; ``real``, where it is as long as ``out``, says which is not.
    """
    for b in range(len(starts)):
        width = len(begin) + counts[b] + len(end)
        first, stop = at[b], at[b] + room[b]
        where = stop - width if left else first
        body, tail = where + len(begin), where + width - len(end)
        _fill(out[first:where], fill)
        _copy(begin, out[where:body])
        _copy(values[starts[b] : starts[b] + counts[b]], out[body:tail])
        _copy(end, out[tail : tail + len(end)])
        _fill(out[where + width : stop], fill)
        if len(real):
            _fill(real[first:where], False)
            _fill(real[where : where + width], True)
            _fill(real[where + width : stop], False)


@jit(boundscheck=False)
def _blocks(first: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any, words: Any) -> None:
    """Blocks first .. first + 15 as uint32 words [64], in their order."""
    for i in range(BLOCKS):
        a, b, c, d = u4(first + i), c1, c2, c3
        x, y = k0, k1
        for _ in range(10):
            low, high = u8(a) * M0, u8(c) * M1
            a = u4(high >> HALF) ^ b ^ x
            b = u4(high & LOW)
            c = u4(low >> HALF) ^ d ^ y
            d = u4(low & LOW)
            x = u4(x + W0)
            y = u4(y + W1)
        words[4 * i] = a
        words[4 * i + 1] = b
        words[4 * i + 2] = c
        words[4 * i + 3] = d


@jit(boundscheck=False)
def _one(position: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any, words: Any) -> Any:
    """The number at one position of a sample, in [0, 1)."""
    a, b, c, d = u4(position >> 2), c1, c2, c3
    x, y = k0, k1
    for _ in range(10):
        low, high = u8(a) * M0, u8(c) * M1
        a, b = u4(high >> HALF) ^ b ^ x, u4(high & LOW)
        c, d = u4(low >> HALF) ^ d ^ y, u4(low & LOW)
        x, y = u4(x + W0), u4(y + W1)
    words[0], words[1], words[2], words[3] = a, b, c, d
    return np.float64(words[position & 3] >> u4(8)) * UNIT


@jit(boundscheck=False)
def hide(
    tokens: Any,
    labels: Any,
    firsts: Any,
    lengths: Any,
    ids: Any,
    op: Any,
    epoch: Any,
    seed: Any,
    cuts: Any,
    mask_id: Any,
    special: Any,
    vocab_size: Any,
    second: Any,
) -> None:
    """BERT's masking in place: token j of sample b lies at tokens[firsts[b] + j].

    cuts: of 2**24: below cuts[0] a token is hidden, below cuts[1] exchanged, below cuts[2] chosen.
    labels: filled with -100 already; gets the true token where one was chosen.
    """
    words = np.empty(4 * BLOCKS, np.uint32)
    spare = np.empty(4, np.uint32)
    k0, k1 = u4(seed & LOW), u4(seed >> HALF)
    c3 = u4(epoch)
    hidden, swapped, chosen = u4(cuts[0]), u4(cuts[1]), u4(cuts[2])
    for b in range(len(firsts)):
        c1 = u4(ids[b] & i8(0xFFFFFFFF))
        c2 = u4(((ids[b] >> 32) & i8(0xFFFF)) | (op << 16))
        for begin in range(0, lengths[b], 4 * BLOCKS):
            _blocks(begin >> 2, c1, c2, c3, k0, k1, words)
            stop = min(4 * BLOCKS, lengths[b] - begin)
            place = firsts[b] + begin
            for j in range(stop):
                chance = words[j] >> u4(8)
                if chance >= chosen:
                    continue
                token = tokens[place + j]
                skip = False
                for s in special:
                    skip |= token == s
                if skip:
                    continue
                labels[place + j] = token
                if chance < hidden:
                    tokens[place + j] = mask_id
                elif chance < swapped:
                    unit = _one(second + begin + j, c1, c2, c3, k0, k1, spare)
                    other = i8(unit * (vocab_size - len(special)))
                    for s in special:
                        other += other >= s
                    tokens[place + j] = other
