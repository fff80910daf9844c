"""The random numbers of samplers, and many small permutations at once.

Every number is a Philox value (``draws``) of (seed, epoch, purpose, two indices). Its counter is

    c0, c1 = the two indices      c2 = 0xFFFF << 16 | purpose      c3 = epoch

where op 0xFFFF is that of the order, from which no transform draws. Purpose 0 is ``Permutation``'s,
1 that of nested pipelines; no two purposes below share a number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from domainkit.draws import MASK, philox
from domainkit.order import ORDER_OP, ROUNDS, SMALL, SMALL_ROUNDS, TINY, _mix

__all__ = ["permute", "subseeds", "words"]

SHORT_BLOCK = 2  # where the short block comes
BLOCK_ORDER = 3  # the order of the others
BLOCK_GROUP = 4  # the order within a group of blocks
ALIAS = 5  # a draw with replacement
KEY = 6  # a row's key for drawing without
CLASS_ROUND = 7  # the order of the classes in a round
CLASS_PASS = 8  # the order of a class's rows in a pass
PART_PASS = 9  # the order of a part's rows in a pass

CHUNK = 1 << 16  # positions worked on at once, so that memory stays flat


def words(seed: int, epoch: int, purpose: int, first: Any, second: Any = 0) -> tuple[Any, ...]:
    """Four words, each uniform in [0, 2**32), for every pair of indices.

    Args:
        seed: any int; its low 64 bits count.
        epoch: in [0, 2**32).
        purpose: one of this module's constants.
        first, second: ints or int64 arrays [k] with values in [0, 2**32).

    Returns:
        four int64 arrays [k].

    Example:
        >>> [word.shape for word in words(0, 0, ALIAS, np.arange(5))]
        [(5,), (5,), (5,), (5,)]
    """
    if not 0 <= epoch <= MASK:
        raise ValueError(f"epoch must be in [0, 2**32), got {epoch}")
    c0, c1 = np.broadcast_arrays(np.atleast_1d(first), np.atleast_1d(second))
    c0, c1 = c0.astype(np.int64), c1.astype(np.int64)
    key = int(seed) & 0xFFFFFFFFFFFFFFFF
    c2 = np.full_like(c0, ORDER_OP << 16 | purpose)
    return philox((c0, c1, c2, np.full_like(c0, epoch)), (key & MASK, key >> 32))


def subseeds(seed: int, epoch: int, purpose: int, first: Any, second: Any = 0) -> np.ndarray:
    """uint64 [k]: a seed of its own for every pair of indices; arguments as for ``words``.

    Example:
        >>> len(set(subseeds(0, 0, CLASS_PASS, np.arange(100)).tolist()))
        100
    """
    low, high, _, _ = words(seed, epoch, purpose, first, second)
    return low.astype(np.uint64) | high.astype(np.uint64) << np.uint64(32)


def permute(positions: np.ndarray, sizes: Any, seeds: Any) -> np.ndarray:
    """``Permutation(sizes[i], seeds[i], epoch=0)[positions[i]]`` for all i at once.

    Args:
        positions: int64 [k], each in [0, sizes[i]).
        sizes: int64 [k], or one for all.
        seeds: uint64 [k], or one for all.

    Returns:
        int64 [k].

    Example:
        >>> rows = permute(np.array([0, 1, 2, 0, 1]), [3, 3, 3, 2, 2], [7, 7, 7, 8, 8])
        >>> sorted(rows[:3].tolist()), sorted(rows[3:].tolist())
        ([0, 1, 2], [0, 1])
    """
    rows = np.empty(positions.shape, dtype=np.int64)
    sizes = np.broadcast_to(np.asarray(sizes, dtype=np.int64), positions.shape)
    seeds = np.broadcast_to(np.asarray(seeds, dtype=np.uint64), positions.shape)
    for start in range(0, len(positions), CHUNK):
        here = slice(start, start + CHUNK)
        small = sizes[here] < SMALL
        for rounds, which in ((SMALL_ROUNDS, small), (ROUNDS, ~small)):
            mine = np.flatnonzero(which) + start
            if mine.size:
                rows[mine] = _network(positions[mine], sizes[mine], seeds[mine], rounds)
    return rows


def _network(x: np.ndarray, sizes: np.ndarray, seeds: np.ndarray, rounds: int) -> np.ndarray:
    """``Permutation``'s network, with sides and round keys that differ from place to place."""
    # below 2**48 a float holds the number, and the root of a square less one stays below the root
    side = np.sqrt(np.maximum(sizes - 1, 0).astype(np.float64)).astype(np.int64) + 1
    a = np.where(sizes < TINY, side + side % 2, side)
    b = np.maximum(1, -(-sizes // a))
    keys = _round_keys(seeds, rounds)
    rows = _encrypt(x, a, b, keys)
    while (outside := np.flatnonzero(rows >= sizes)).size:
        rows[outside] = _encrypt(rows[outside], a[outside], b[outside], keys[:, outside])
    return rows


def _round_keys(seeds: np.ndarray, rounds: int) -> np.ndarray:
    """uint64 [rounds, k]."""
    different, where = np.unique(seeds, return_inverse=True)
    block = np.arange(rounds, dtype=np.int64)[:, None] + np.zeros(len(different), dtype=np.int64)
    zero = np.zeros_like(block)
    halves: Any = (
        (different & np.uint64(MASK)).astype(np.int64),
        (different >> np.uint64(32)).astype(np.int64),
    )
    low, high, _, _ = philox((block, zero, zero + (ORDER_OP << 16), zero), halves)
    return ((low.astype(np.uint64) << np.uint64(32)) | high.astype(np.uint64))[:, where]


def _encrypt(x: np.ndarray, a: np.ndarray, b: np.ndarray, keys: np.ndarray) -> np.ndarray:
    left, right = x % a, x // a
    for key in keys:
        mixed = (_mix(right.astype(np.uint64) + key) >> np.uint64(1)).astype(np.int64)
        total = left + mixed % a
        left, right = right, np.where(total < a, total, total - a)  # modulo a, with no division
        a, b = b, a
    return right * a + left
