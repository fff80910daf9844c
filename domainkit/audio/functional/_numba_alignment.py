"""The best CTC path through one recording: a plain function, compiled by Numba at use."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from domainkit.jit import jit

__all__ = ["aligned", "best_path"]


def best_path(log_probs: np.ndarray, targets: np.ndarray, blank: int) -> tuple[np.ndarray, float]:
    """Tokens int64 [T] of the best path through [T, V] that spells targets [L], and its score."""
    path = np.empty(len(log_probs), np.int64)
    return path, _compiled()(log_probs, targets, blank, path)


@functools.cache
def _compiled() -> Callable[..., Any]:
    return jit()(aligned)


def aligned(log_probs: np.ndarray, targets: np.ndarray, blank: int, path: np.ndarray) -> float:
    """Write the best path's tokens into ``path`` and give its score.

    State s is a blank where s is even, and target s // 2 where it is odd. A state is reached from
    itself, from the one before, or past a blank that parts two different targets.
    """
    frames, states = len(log_probs), 2 * len(targets) + 1
    best = np.full(states, -np.inf)
    moves = np.zeros((frames, states), np.uint8)
    best[0] = log_probs[0, blank]
    if states > 1:
        best[1] = log_probs[0, targets[0]]
    for t in range(1, frames):
        # only what can be reached, and can still reach the end, is looked at
        low = max(0, states - 2 * (frames - t))
        for s in range(min(states, 2 * t + 2) - 1, low - 1, -1):  # down: s - 1, s - 2 are the old
            score, move = best[s], 0
            if s > 0 and best[s - 1] > score:
                score, move = best[s - 1], 1
            skips = s % 2 == 1 and s > 1 and targets[s // 2] != targets[s // 2 - 1]
            if skips and best[s - 2] > score:
                score, move = best[s - 2], 2
            best[s] = score + log_probs[t, targets[s // 2] if s % 2 == 1 else blank]
            moves[t, s] = move
    s = states - 1
    if states > 1 and best[states - 2] >= best[s]:
        s = states - 2
    total = best[s]
    for t in range(frames - 1, -1, -1):
        path[t] = targets[s // 2] if s % 2 == 1 else blank
        s -= moves[t, s]
    return float(total)
