"""The order of an epoch as a function: ``permutation[i]`` without a table.

Position i of an epoch is mapped to a row by a keyed Feistel network over pairs (left, right) with
``left < a`` and ``right < b``, where a is about the root of n and a * b is just not below n. A
result outside 0..n-1 is sent through the network again ("cycle walking") until it falls inside,
which keeps the map one-to-one. Memory is the same for ten rows and for 10**10.

Source of the method: Black and Rogaway, "Ciphers with arbitrary finite domains" (CT-RSA 2002),
their generalised Feistel network. The round keys come from Philox (``draws``); the round function
is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
"""

from __future__ import annotations

import math

import numpy as np

from domainkit.draws import MASK, philox

__all__ = ["Permutation", "rank_share"]

ROUNDS = 12
# Below this many rows a round has few bits to hide behind: with 12 rounds a chi-square test over
# all orders of 5 to 8 rows finds the bias (30 to 60 sigma), with 24 it does not
# (tests/benchmarks/order.py).
SMALL, SMALL_ROUNDS = 1 << 16, 24
# Where both sides are odd each round is an even permutation, so odd ones never come: with 7 rows or
# 9 the same test finds that, with many rows nothing does.
TINY = 64
ORDER_OP = 0xFFFF  # the op number reserved for the order: no transform draws from it


class Permutation:
    """The shuffled order of n rows in one epoch.

    Args:
        n: number of rows, up to 2**48.
        seed: any Python int; its low 64 bits count.
        epoch: in [0, 2**32).

    Example:
        >>> order = Permutation(10, seed=0, epoch=0)
        >>> sorted(int(i) for i in order[np.arange(10)])
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        >>> Permutation(10**10, seed=0, epoch=1)[[123_456_789]].shape
        (1,)
    """

    def __init__(self, n: int, seed: int, epoch: int) -> None:
        if not 0 <= n < 1 << 48:
            raise ValueError(f"n must be in [0, 2**48), got {n}")
        if not 0 <= epoch <= MASK:
            raise ValueError(f"epoch must be in [0, 2**32), got {epoch}")
        self.n = n
        side = math.isqrt(max(n - 1, 0)) + 1  # the smallest with side * side >= n
        self._a = side + side % 2 if n < TINY else side
        self._b = max(1, -(-n // self._a))
        key = int(seed) & 0xFFFFFFFFFFFFFFFF
        block = np.arange(SMALL_ROUNDS if n < SMALL else ROUNDS, dtype=np.int64)
        zero = np.zeros_like(block)
        words = philox(
            (block, zero, zero + (ORDER_OP << 16), zero + epoch), (key & MASK, key >> 32)
        )
        self._keys = (words[0].astype(np.uint64) << np.uint64(32)) | words[1].astype(np.uint64)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, positions: object) -> np.ndarray:
        """int64 rows for int positions in [0, n), of any shape."""
        x = np.array(positions, dtype=np.int64)
        if x.size and not (x.min() >= 0 and x.max() < self.n):
            raise IndexError(f"positions {x.min()}..{x.max()} of an order of {self.n}")
        flat = self._encrypt(x.reshape(-1))
        while (outside := np.flatnonzero(flat >= self.n)).size:
            flat[outside] = self._encrypt(flat[outside])
        return flat.reshape(x.shape)

    def _encrypt(self, x: np.ndarray) -> np.ndarray:
        # One round maps (left < a, right < b) to (right < b, left + F(right) mod a < a): the two
        # moduli change places, and after an even number of rounds they are back.
        a, b = np.int64(self._a), np.int64(self._b)
        left, right = x % a, x // a
        for key in self._keys:
            mixed = (_mix(right.astype(np.uint64) + key) >> np.uint64(1)).astype(np.int64)
            left, right = right, (left + mixed % a) % a
            a, b = b, a
        return right * a + left


def _mix(x: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser: 64 bits to 64 bits, every input bit reaching every output bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def rank_share(start: int, stop: int, rank: int, world_size: int) -> tuple[int, int]:
    """Which positions of the global batch [start, stop) a rank gets: a contiguous [first, last).

    The parts differ by one sample at most, the lower ranks getting the longer ones, and together
    they are the whole: nothing is lost, repeated or padded.

    Example:
        >>> [rank_share(0, 10, rank, 4) for rank in range(4)]
        [(0, 3), (3, 6), (6, 8), (8, 10)]
    """
    each, longer = divmod(stop - start, world_size)
    first = start + rank * each + min(rank, longer)
    return first, first + each + (rank < longer)
