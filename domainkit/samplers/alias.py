"""A row by weight in constant time: the alias method.

N buckets of equal size hold at most two rows each: bucket i its own row with probability
``keep[i]``, else row ``other[i]``. A draw picks a bucket and tosses its coin.

Source of the method: Walker, "An efficient method for generating discrete random variables with
general distributions" (ACM TOMS 1977); Vose, "A linear algorithm for generating random numbers
with a given distribution" (IEEE TSE 1991). The table is filled in one sweep over the light and the
heavy rows, as in Hübschle-Schneider and Sanders, "Parallel weighted random sampling" (ESA 2019),
with the sweep written as prefix sums: no loop over rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["AliasTable", "alias_table"]

MAX_ROWS = 1 << 32  # a word of 32 bits times a row's number must fit 64


@dataclass(frozen=True)
class AliasTable:
    """The buckets: ``keep`` float64 [N] in [0, 1], ``other`` int64 [N].

    Example:
        >>> table = alias_table(np.array([1.0, 3.0]))
        >>> table.keep.tolist(), table.other.tolist()
        ([0.5, 1.0], [1, 1])
    """

    keep: np.ndarray
    other: np.ndarray

    def draw(self, words: tuple[Any, ...]) -> np.ndarray:
        """int64 rows [k] from four words [k], each uniform in [0, 2**32).

        The first two choose the bucket (a fraction of 64 bits, so that the bias is below
        N / 2**64), the others toss the coin (53 bits).
        """
        a, b, c, d = (word.astype(np.uint64) for word in words)
        n, half = np.uint64(len(self.keep)), np.uint64(32)
        bucket = ((a * n + (b * n >> half)) >> half).astype(np.int64)
        coin = ((c << np.uint64(21)) | (d >> np.uint64(11))).astype(np.float64) * 2.0**-53
        return np.where(coin < self.keep[bucket], bucket, self.other[bucket])


def alias_table(weights: np.ndarray) -> AliasTable:
    """The table for float64 weights [N]: finite, none negative, not all zero.

    Weights are rounded to some N * 2**-62 of their mean; what is over in the sum is shared by the
    rows above the mean. The table is the same on every machine: it is made of single products and
    of sums of whole numbers.

    Example:
        >>> int(alias_table(np.array([0.0, 5.0, 0.0])).draw((np.array([0]),) * 4)[0])
        1
    """
    n = len(weights)
    if n >= MAX_ROWS:
        raise ValueError(f"weights of at most 2**32 - 1 rows can be drawn from, got {n}")
    full = 1 << (
        62 - n.bit_length()
    )  # what a bucket holds: sums of all stay below 2**63, and exact
    shares = weights / weights.max()  # first, so that the sum of large ones is finite
    held = np.rint(shares * (n / _total(shares)) * full).astype(np.int64)
    if (heavy := np.flatnonzero(held > full)).size:
        each, rest = divmod(n * full - int(held.sum()), len(heavy))
        held[heavy] += each
        held[heavy[:rest]] += 1
    light, heavy = np.flatnonzero(held <= full), np.flatnonzero(held > full)
    other = np.arange(n)
    if heavy.size:
        # Heavy rows in turn fill up light buckets until they have nothing over. Then what is left
        # of them, at most one bucket, is filled up by the next: E_j is what heavy rows 0..j have
        # over together, D_i what the light buckets before i lack.
        lacking = np.concatenate([[0], np.cumsum(full - held[light])])
        over = np.cumsum(held[heavy] - full)
        # light bucket i is filled by the first j with E_j > D_i
        filler = np.searchsorted(over, lacking[:-1], side="right")
        other[light] = heavy[np.minimum(filler, len(heavy) - 1)]
        # heavy row j is through at the first i with D_i >= E_j
        through = np.minimum(np.searchsorted(lacking, over, side="left"), len(light))
        held[heavy] = full + over - lacking[through]
        other[heavy[:-1]] = heavy[1:]  # the last one comes out full
    else:
        held[:] = full  # all weigh the same
    return AliasTable(held / full, other)


def _total(values: np.ndarray) -> float:
    """The sum by pairs of pairs: ``np.sum`` adds in an order that depends on the processor."""
    while len(values) > 1:
        half = (len(values) + 1) // 2
        first = values[:half].copy()
        first[: len(values) - half] += values[half:]
        values = first
    return float(values[0])
