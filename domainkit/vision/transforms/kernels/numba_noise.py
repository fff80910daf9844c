"""The Numba form of ``Draws.uniform`` for many numbers of one sample: a plain function, compiled.

The generator is that of ``domainkit.draws`` (Philox 4x32-10), 64 counters side by side, so that the
compiler can use vectors.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from domainkit.vision.transforms.kernels.jit import jit

__all__ = ["compiled", "unit_pairs"]

_LANES = 64


@functools.cache
def compiled() -> Callable[..., Any]:
    """``unit_pairs``, compiled; releases the GIL, kept on disk."""
    return jit(error_model="numpy")(unit_pairs)


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
                low, high = c0[i] * times0, c2[i] * times2
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
