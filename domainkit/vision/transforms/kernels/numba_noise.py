"""The Numba forms of ``Draws.uniform`` for many numbers of one sample, and of ``add_noise``.

Plain functions, compiled at use. The generator is that of ``domainkit.draws`` (Philox 4x32-10), 64
counters side by side, so that the compiler can use vectors.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from domainkit.jit import jit

__all__ = ["add", "compiled", "unit_pairs"]

_LANES = 64


@functools.cache
def compiled(name: str) -> Callable[..., Any]:
    """``unit_pairs`` or ``add``, compiled; releases the GIL, kept on disk."""
    return jit(error_model="numpy")(globals()[name])


def unit_pairs(
    first: int, words: np.ndarray, key: np.ndarray, even: np.ndarray, odd: np.ndarray
) -> None:
    """Numbers 4 * first, 4 * first + 1, ... of a sample, in [0, 1).

    Args:
        first: the first block of four.
        words: uint64 [3]: the other words of the counter (c1, c2, c3 of ``domainkit.draws``).
        key: uint64 [20]: both words of the key for each of the ten rounds.
        even, odd: float32 [n]: every second number, from the first and from the second on.
    """
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    times0, times2 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
    scale = np.float32(2.0**-24)
    n = len(even)
    c0, c1 = np.empty(_LANES, np.uint64), np.empty(_LANES, np.uint64)
    c2, c3 = np.empty(_LANES, np.uint64), np.empty(_LANES, np.uint64)
    for start in range(0, (n + 1) // 2, _LANES):
        for i in range(_LANES):
            c0[i] = np.uint64(first + start + i)
            c1[i], c2[i], c3[i] = words[0], words[1], words[2]
        for turn in range(10):
            key0, key1 = key[2 * turn], key[2 * turn + 1]
            for i in range(_LANES):
                # the masks tell the compiler that half a product of 64 bits is enough
                low, high = (c0[i] & mask) * times0, (c2[i] & mask) * times2
                c0[i] = (high >> shift) ^ c1[i] ^ key0
                c1[i] = high & mask
                c2[i] = (low >> shift) ^ c3[i] ^ key1
                c3[i] = low & mask
        count = min(_LANES, n // 2 - start)
        for i in range(count):
            at = 2 * (start + i)
            even[at] = np.float32(np.int32(c0[i] >> np.uint64(8))) * scale
            odd[at] = np.float32(np.int32(c1[i] >> np.uint64(8))) * scale
            even[at + 1] = np.float32(np.int32(c2[i] >> np.uint64(8))) * scale
            odd[at + 1] = np.float32(np.int32(c3[i] >> np.uint64(8))) * scale
        if count < _LANES and n % 2:  # a last block, of which one pair is wanted
            even[n - 1] = np.float32(np.int32(c0[count] >> np.uint64(8))) * scale
            odd[n - 1] = np.float32(np.int32(c1[count] >> np.uint64(8))) * scale


def add(
    lengths: np.ndarray,
    cosines: np.ndarray,
    source: np.ndarray,
    out: np.ndarray,
    mean: float,
    sigma: float,
    clip: bool,
) -> None:
    """Noise of the normal numbers ``lengths * cosines`` added to ``source``, all flat.

    Args:
        mean, sigma: float32, in the unit of the pixels, which are uint8 or float32.
    """
    if source.itemsize == 1:
        for i in range(source.size):
            normal = lengths[i] * cosines[i]
            level = np.int32(source[i]) + np.int32(normal * sigma + mean)
            if clip:
                level = min(max(level, np.int32(0)), np.int32(255))
            out[i] = np.uint8(level)
    else:
        for i in range(source.size):
            value = source[i] + (lengths[i] * cosines[i] * sigma + mean)
            if clip:
                value = np.float32(0) if value < np.float32(0) else value  # NaN stays NaN
                value = np.float32(1) if value > np.float32(1) else value
            out[i] = value
