"""Whose turn it is: several parties share places in fixed proportions, as evenly as can be.

The windows and the proof that they can be kept are those of Baruah, Cohen, Plaxton and Varvel,
"Proportionate progress: a notion of fairness in resource allocation" (Algorithmica 1996).
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

__all__ = ["turns"]


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
