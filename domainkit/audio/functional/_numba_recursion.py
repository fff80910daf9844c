"""Filters of any order, sample after sample: plain functions, compiled by Numba at use."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from domainkit.jit import jit

__all__ = ["filtered", "run", "whole"]


def run(y: np.ndarray, a: np.ndarray) -> None:
    """Turn inputs [R, N, T] into outputs of a recursion, in place; coefficients [N, K], a[0] = 1.

    ``y[t] -= sum_{k > 0} a[k] y[t - k]``.
    """
    one = np.zeros(a.shape)
    one[:, 0] = 1
    _compiled()(y, one, a.astype(np.float64), False, y)


def whole(x: np.ndarray, b: np.ndarray, a: np.ndarray, clamp: bool) -> np.ndarray:
    """``lfilter`` of [R, N, T] by b and a [N, K], a[0] = 1."""
    out = np.empty_like(x)
    _compiled()(x, b.astype(np.float64), a.astype(np.float64), clamp, out)
    return out


@functools.cache
def _compiled() -> Callable[..., Any]:
    return jit()(filtered)


def filtered(x: np.ndarray, b: np.ndarray, a: np.ndarray, clamp: bool, out: np.ndarray) -> None:
    """Filter x [R, N, T] into ``out``, which may be ``x`` itself.

    In float64 throughout, whatever x and ``out`` are: low cut-offs lose all figures in float32.
    The transposed direct form: a state of K - 1 sums, so that no past sample is read again. That of
    three coefficients, which biquads have, stays in registers.
    """
    rows, filters, length = x.shape
    taps = b.shape[1]
    low, high = -1.0, 1.0
    for r in range(rows):
        for n in range(filters):
            line, to = x[r, n], out[r, n]
            if taps == 3:
                b0, b1, b2, a1, a2 = b[n, 0], b[n, 1], b[n, 2], a[n, 1], a[n, 2]
                s1 = s2 = 0.0
                for t in range(length):
                    now = line[t]
                    y = b0 * now + s1
                    s1 = b1 * now - a1 * y + s2
                    s2 = b2 * now - a2 * y
                    if clamp:
                        y = low if y < low else (high if y > high else y)  # NaN stays
                    to[t] = y
            else:
                state = np.zeros(taps)  # its last one stays 0
                for t in range(length):
                    now = line[t]
                    y = b[n, 0] * now + state[0]
                    for k in range(1, taps):
                        state[k - 1] = b[n, k] * now - a[n, k] * y + state[k]
                    if clamp:
                        y = low if y < low else (high if y > high else y)
                    to[t] = y
