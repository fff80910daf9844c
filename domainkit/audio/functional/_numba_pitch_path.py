"""The best path through the lags of ``kaldi_pitch``; compiled by Numba at use."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from domainkit.jit import jit

__all__ = ["best"]


def best(cost: np.ndarray, frames: np.ndarray, step: float) -> np.ndarray:
    """int64 [B, F]: the lag of each frame, so that costs and squared changes are least in all.

    Args:
        cost: float64 [B, F, lags].
        frames: int64 [B]: how many frames of each row count; behind them the path is 0.
        step: what a change by one lag costs; one by n costs n * n times as much.
    """
    path = np.zeros(cost.shape[:2], dtype=np.int64)
    _compiled()(np.ascontiguousarray(cost), frames.astype(np.int64), step, path)
    return path


@functools.cache
def _compiled() -> Callable[..., Any]:
    return jit()(walk)


def walk(cost: np.ndarray, frames: np.ndarray, step: float, path: np.ndarray) -> None:
    """``best``, as it is compiled."""
    lags = cost.shape[2]
    for b in range(cost.shape[0]):
        count = frames[b]
        if count < 1:
            continue
        came = np.zeros((count, lags), dtype=np.int32)
        total = cost[b, 0].copy()
        for t in range(1, count):
            new = np.empty(lags)
            start = 0
            for i in range(lags):
                # a path from lag j to i costs total[j] + step (i - j)^2: the best j never goes back
                # as i goes on, so the search begins where the last one ended
                least, at = total[start] + step * (i - start) ** 2, start
                for j in range(start + 1, lags):
                    value = total[j] + step * (i - j) ** 2
                    if value < least:
                        least, at = value, j
                start = at
                new[i] = least + cost[b, t, i]
                came[t, i] = at
            total = new
        now = int(np.argmin(total))
        for t in range(count - 1, -1, -1):
            path[b, t] = now
            now = came[t, now]
