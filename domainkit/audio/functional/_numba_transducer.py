"""Forward and backward sums over a transducer's lattice: a plain function, compiled by Numba."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from domainkit.jit import jit

__all__ = ["run", "summed"]


def run(blank: np.ndarray, emit: np.ndarray, frames: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """See ``summed``; gives the losses [B]."""
    losses = np.empty(len(blank), blank.dtype)
    _compiled()(blank, emit, frames, labels, losses)
    return losses


@functools.cache
def _compiled() -> Callable[..., Any]:
    return jit()(summed)


def summed(
    blank: np.ndarray, emit: np.ndarray, frames: np.ndarray, labels: np.ndarray, losses: np.ndarray
) -> None:
    """Losses of lattices [B, T, U + 1] of log-probabilities of a blank and of the next target.

    ``blank`` and ``emit`` are then overwritten by the probabilities that a path takes each of these
    steps, which are minus the loss's gradients by them.
    """
    for b in range(len(blank)):
        ends, last = frames[b], labels[b]
        stays, moves = blank[b], emit[b]
        # beta[t, u]: of all that may come after t frames and u targets
        beta = np.full((ends + 1, last + 2), -np.inf)
        beta[ends, last] = 0.0
        for t in range(ends - 1, -1, -1):
            for u in range(last, -1, -1):
                x = stays[t, u] + beta[t + 1, u]
                y = moves[t, u] + beta[t, u + 1] if u < last else -np.inf
                high, low = (x, y) if x > y else (y, x)  # NaN stays
                beta[t, u] = high if low == -np.inf else high + np.log1p(np.exp(low - high))
        total = beta[0, 0]
        losses[b] = -total
        # the probability that a path comes by t, u: what is handed on from there to here
        here = np.zeros(last + 2)
        here[0] = 1.0
        for t in range(ends):
            for u in range(last + 1):
                was = here[u]
                stay = 0.0
                move = 0.0
                if was != 0 and beta[t, u] != -np.inf:
                    stay = was * np.exp(stays[t, u] + beta[t + 1, u] - beta[t, u])
                    if u < last:
                        move = was * np.exp(moves[t, u] + beta[t, u + 1] - beta[t, u])
                        here[u + 1] += move
                here[u] = stay
                stays[t, u] = stay
                moves[t, u] = move
            stays[t, last + 1 :] = 0
            moves[t, last + 1 :] = 0
        stays[ends:] = 0
        moves[ends:] = 0
