"""Rows by weight, none twice: every row gets a random key, and the smallest keys come first.

The key of a row with weight w is exponential with rate w. The smallest of several exponential
times belongs to row i with probability w_i / sum(w), and what is left then starts afresh: so the
rows come as if each were drawn from those not yet drawn, in proportion to the weights.

Source of the method: Efraimidis and Spirakis, "Weighted random sampling with a reservoir"
(Information Processing Letters 2006): their key is u ** (1 / w), the largest first, of which this
is minus the logarithm.
"""

from __future__ import annotations

import numpy as np

from domainkit.samplers import keyed

__all__ = ["by_keys", "natural_log"]

CHUNK = 1 << 18  # rows whose random numbers are made at once
LN2 = 0.6931471805599453


def by_keys(weights: np.ndarray, count: int, seed: int, epoch: int) -> np.ndarray:
    """The ``count`` rows that come first, in their order.

    Args:
        weights: float64 [N], finite, none negative, at least ``count`` of them positive.
        count: how many rows.
        seed, epoch: with the row, all that its key depends on.

    Returns:
        int64 [count].

    Example:
        >>> by_keys(np.array([1.0, 0.0, 2.0]), 2, seed=0, epoch=0).tolist() in ([0, 2], [2, 0])
        True
    """
    rows = np.flatnonzero(weights > 0)
    keys = np.empty(len(rows))
    for start in range(0, len(rows), CHUNK):
        mine = rows[start : start + CHUNK]
        a, b, _, _ = keyed.words(seed, epoch, keyed.KEY, mine & keyed.MASK, mine >> 32)
        unit = (((a << 21) | (b >> 11)) + 1).astype(np.float64) * 2.0**-53  # in (0, 1]
        with np.errstate(over="ignore"):  # a tiny weight's key may be infinite: it comes last
            keys[start : start + CHUNK] = -natural_log(unit) / weights[mine]
    if 0 < count < len(rows):  # sort only those that come
        first = np.flatnonzero(keys <= np.partition(keys, count - 1)[count - 1])
        rows, keys = rows[first], keys[first]
    return rows[np.argsort(keys, kind="stable")[:count]]


def natural_log(x: np.ndarray) -> np.ndarray:
    """float64 ln(x) for positive x, to some 5e-16 of it.

    Only sums, products and quotients, which IEEE 754 rounds alike everywhere: ``np.log`` differs in
    the last bit from one processor to the next, and two ranks might then order two rows otherwise.

    Example:
        >>> float(natural_log(np.array([1.0]))[0]), round(float(natural_log(np.array([0.5]))[0]), 6)
        (0.0, -0.693147)
    """
    mantissa, exponent = np.frexp(x)  # x = mantissa * 2**exponent, mantissa in [1/2, 1)
    low = mantissa < 0.7071067811865476
    mantissa, exponent = np.where(low, 2 * mantissa, mantissa), exponent - low
    # ln m = 2 artanh((m - 1) / (m + 1)) = 2 (s + s^3 / 3 + s^5 / 5 + ...), here with |s| < 0.172,
    # so that the terms left out are below 2e-19 of the first
    s = (mantissa - 1) / (mantissa + 1)
    square, series = s * s, np.zeros_like(s)
    for odd in range(23, 0, -2):
        series = series * square + 1 / odd
    return exponent * LN2 + 2 * s * series
