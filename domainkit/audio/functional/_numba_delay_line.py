"""A delay line with feedback, sample after sample: a plain function, compiled by Numba at use."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from domainkit.jit import jit

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
    return jit()(fed_back)


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
