"""Whose turn it is: several parties share places in fixed proportions, as evenly as can be.

The windows and the proof that they can be kept are those of Baruah, Cohen, Plaxton and Varvel,
"Proportionate progress: a notion of fairness in resource allocation" (Algorithmica 1996).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

__all__ = [
    "Turns",
    "part_lengths",
    "rounded_shares",
    "tempered_shares",
    "turns",
    "until_first",
    "whole_shares",
]

PARTS = 1 << 16  # what proportions are rounded to: multiples of one 65,536th


def turns(shares: Sequence[int], n: int) -> np.ndarray:
    """Whose turn each of n places is, so that nobody is ever a whole turn ahead or behind.

    Turn j of party k must lie in places floor(j / s) .. ceil((j + 1) / s) - 1, with s its part of
    the sum of ``shares``: that says the same. Of the turns that may come, the one that must come
    first does.

    Args:
        shares: a positive whole number for each party.
        n: how many places there are.

    Returns:
        int64 [n] of indices into ``shares``.

    Example:
        >>> turns([3, 1], 8).tolist()
        [0, 0, 0, 1, 0, 0, 0, 1]
    """
    total = sum(shares)
    whose = np.empty(n, dtype=np.int64)
    taken = [0] * len(shares)
    waiting = [(0, k) for k in range(len(shares))]  # (the place that k's next turn may take, k)
    ready: list[tuple[int, int]] = []  # (the place before which it must come, k)
    for place in range(n):
        while waiting and waiting[0][0] <= place:
            k = heapq.heappop(waiting)[1]
            heapq.heappush(ready, (-(-(taken[k] + 1) * total // shares[k]), k))
        whose[place] = k = heapq.heappop(ready)[1]
        taken[k] += 1
        heapq.heappush(waiting, (taken[k] * total // shares[k], k))
    return whose


class Turns:
    """``turns(shares, n)`` for any n, from a table of one period, after which it repeats itself.

    Args:
        shares: a positive whole number for each party; the period is their sum, once a common
            factor is taken out.
        n: how many places will be asked for, where that is known: the table is no longer.

    Example:
        >>> whose, turn = Turns([3, 1])[np.array([6, 7, 4 * 10**15 + 3])]
        >>> whose.tolist(), turn.tolist()
        ([0, 1, 1], [5, 1, 1000000000000000])
    """

    def __init__(self, shares: Sequence[int], n: int | None = None) -> None:
        common = math.gcd(*shares)
        self.shares = [share // common for share in shares]
        self.period = sum(self.shares)
        self._whose = turns(self.shares, self.period if n is None else min(self.period, n))
        counts = np.bincount(self._whose, minlength=len(shares))
        # the places of party k's turns are ``places[starts[k] : starts[k] + counts[k]]``
        self._places = np.argsort(self._whose, kind="stable")
        self._starts = np.cumsum(counts) - counts
        self._turn = np.empty_like(self._places)
        self._turn[self._places] = np.arange(len(self._places)) - np.repeat(self._starts, counts)

    def __getitem__(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whose turn the places are, and which of that party's turns: two int64 [k]."""
        if len(self._whose) < self.period:  # the shares may be too large for int64 then
            return self._whose[places], self._turn[places]
        period, place = np.divmod(places, self.period)
        whose = self._whose[place]
        return whose, period * np.array(self.shares)[whose] + self._turn[place]

    def place(self, party: int, turn: int) -> int:
        """The place at which a party has its turn number ``turn``."""
        period, turn = divmod(turn, self.shares[party])
        return period * self.period + int(self._places[self._starts[party] + turn])


def until_first(shares: Sequence[int], sizes: Sequence[int]) -> int:
    """How many places there can be so that no party needs more than ``sizes`` turns.

    Example:
        >>> until_first([3, 1], [900, 1100])
        1200
    """
    return min(size * sum(shares) // share for size, share in zip(sizes, shares, strict=True))


def whole_shares(weights: Sequence[Any]) -> list[int]:
    """Whole numbers in exactly the proportions of positive numbers.

    Rounding would add up over many rows; and 0.05 means a twentieth, not the nearest float.

    Example:
        >>> whole_shares([0.5, 0.05])
        [10, 1]
    """
    exact = [Fraction(str(weight)) for weight in weights]
    scale = math.lcm(*(weight.denominator for weight in exact))
    shares = [int(weight * scale) for weight in exact]
    common = math.gcd(*shares)
    return [share // common for share in shares]


def rounded_shares(shares: Sequence[int]) -> list[int]:
    """Whole numbers in these proportions with a sum of at most 65,536.

    Exact where such there are, else rounded to multiples of 1/65,536 by largest remainders, at
    least one each.

    Example:
        >>> rounded_shares([200, 100]), rounded_shares([10**6, 10**6 + 1, 1])
        ([2, 1], [32767, 32768, 1])
    """
    if len(shares) > PARTS:
        raise ValueError(f"at most {PARTS} datasets can be mixed, got {len(shares)}")
    common = math.gcd(*shares)
    shares = [share // common for share in shares]
    total = sum(shares)
    if total <= PARTS:
        return shares
    exact = [Fraction(share * PARTS, total) for share in shares]
    rounded = [max(1, math.floor(value)) for value in exact]
    behind = sorted(range(len(shares)), key=lambda k: rounded[k] - exact[k])
    for k in behind[: max(0, PARTS - sum(rounded))]:
        rounded[k] += 1
    largest = [(-share, k) for k, share in enumerate(rounded)]
    heapq.heapify(largest)
    for _ in range(sum(rounded) - PARTS):  # many were lifted to one: the largest pay for it
        share, k = heapq.heapreplace(largest, (largest[0][0] + 1, largest[0][1]))
        rounded[k] = -share - 1
    return rounded


def tempered_shares(sizes: Sequence[int], temperature: float) -> list[int]:
    """Shares in proportion to ``size ** (1 / temperature)``, rounded as in ``rounded_shares``.

    Args:
        sizes: rows of each dataset, at least one.
        temperature: above 0. 1 is in proportion to the sizes, infinity all alike.

    Example:
        >>> tempered_shares([100, 400], 1), tempered_shares([100, 400], 2)
        ([1, 4], [1, 2])
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    if min(sizes) < 1:
        raise ValueError(f"temperature needs datasets with rows, got sizes {list(sizes)}")
    if temperature == 1:
        return rounded_shares(sizes)
    try:
        powers = [float(size) ** (1 / temperature) for size in sizes]
    except OverflowError:
        powers = [(size / max(sizes)) ** (1 / temperature) for size in sizes]
    # Twelve digits: the last ones of a power differ from machine to machine. What is next to
    # nothing beside the largest gets the least share in the end.
    least = max(powers) * 1e-12
    return rounded_shares(whole_shares([f"{max(power, least):.12g}" for power in powers]))


def part_lengths(starts: Any, rows: Any) -> tuple[int, ...]:
    """How many of ``rows`` lie in each of several parts, which they must pass through in order.

    Args:
        starts: the first row of each part, and the end of the last.
        rows: a range or an int64 array of rows.

    Raises:
        ValueError: a row of an earlier part comes after one of a later part.

    Example:
        >>> part_lengths([0, 10, 20], range(5, 20, 2))
        (3, 5)
    """
    if isinstance(rows, range):
        back, rows = rows.step < 0, rows if rows.step > 0 else rows[::-1]
        ends = [len(range(rows.start, min(start, rows.stop), rows.step)) for start in starts]
        counts = np.diff(ends)
        ordered = not back or int(np.count_nonzero(counts)) <= 1
    else:
        whose = np.searchsorted(starts, rows, side="right") - 1
        counts = np.bincount(whose, minlength=len(starts) - 1)
        ordered = bool((whose[1:] >= whose[:-1]).all())
    if not ordered:
        raise ValueError(
            "the rows of this view pass from part to part and back: select from the parts first "
            "and concat the views"
        )
    return tuple(int(count) for count in counts)
