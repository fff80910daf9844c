"""A delay line with feedback, sample after sample: a plain function, compiled by Numba at use."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["run"]


def run(x: np.ndarray, delays: np.ndarray, weights: np.ndarray, gain: float) -> np.ndarray:
    """``y[t] = x[t] + gain sum_k weights[k, t] y[t - delays[k, t]]``; before the start is silence.

    Args:
        x: [R, C, T]. delays: int64 [C, K, T], all >= 1. weights: float64 [C, K, T].
    """
    out = np.empty_like(x)
    _compiled()(x, delays, weights, gain, out)
    return out


@functools.cache
def _compiled() -> Callable[..., Any]:
    """Kept on disk where a folder can be written; lets go of Python's lock."""
    import numba

    try:
        return numba.njit(nogil=True, cache=True)(fed_back)
    except RuntimeError:  # Numba finds no place for its cache
        return numba.njit(nogil=True)(fed_back)


def fed_back(
    x: np.ndarray, delays: np.ndarray, weights: np.ndarray, gain: float, out: np.ndarray
) -> None:
    """``run`` into ``out``."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            line, to = x[r, c], out[r, c]
            for t in range(x.shape[2]):
                back = 0.0
                for k in range(delays.shape[1]):
                    at = t - delays[c, k, t]
                    if at >= 0:
                        back += weights[c, k, t] * to[at]
                to[t] = line[t] + gain * back
