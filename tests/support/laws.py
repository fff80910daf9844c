"""``Law``: how numbers that were drawn are to be distributed, and the test that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats
from support.vision_looks import Look

__all__ = ["Law", "alike", "coin", "rounded", "uniform"]


@dataclass(frozen=True)
class Law:
    """What one drawn quantity of one transform is.

    Attributes:
        what: its name, for the test's.
        op: the transform, whose other randomness is switched off where it would be in the way.
        look: the reading; see ``vision_looks``.
        law: a scipy distribution (Kolmogorov and Smirnov's test), value -> share (chi-square), or
            numbers made by an independent simulation (the two-sample test).
        n: how many samples.
    """

    what: str
    op: Any
    look: Look
    law: Any
    n: int = 2000

    def __str__(self) -> str:
        return f"{type(self.op).__name__}-{self.what}".replace(" ", "-")

    def chance(self, seen: np.ndarray) -> float:
        """The p-value of what was seen under the law."""
        if not isinstance(self.law, Mapping):
            seen = seen[~np.isnan(seen)]
            if isinstance(self.law, np.ndarray):
                return float(scipy.stats.ks_2samp(seen, self.law).pvalue)
            return float(scipy.stats.kstest(seen, self.law.cdf).pvalue)
        values = np.array(list(self.law), float)
        at = np.abs(seen[:, None] - values).argmin(1)
        if np.abs(seen - values[at]).max() > 1e-6:
            return 0.0  # a value that cannot be
        expected = np.array(list(self.law.values())) * len(seen)
        return float(scipy.stats.chisquare(np.bincount(at, minlength=len(values)), expected).pvalue)


def uniform(low: float, high: float) -> Any:
    return scipy.stats.uniform(low, high - low)


def coin(p: float) -> dict[float, float]:
    return {0: 1 - p, 1: p}


def alike(*values: float) -> dict[float, float]:
    return {v: 1 / len(values) for v in values}


def rounded(most: int) -> dict[float, float]:
    """Whole numbers nearest to what is uniform in [-most, most]: half a chance at the ends."""
    return {k: (0.5 if abs(k) == most else 1) / (2 * most) for k in range(-most, most + 1)}
