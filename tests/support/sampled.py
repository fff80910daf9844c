"""What samplers need of a dataset, without one; and tests of randomness."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from scipy import stats

__all__ = ["UNLIKELY", "Rows", "runs_test", "serial_test", "whole"]

# Seeds are fixed: a test below this has found a fault, not bad luck. For a normal statistic it is
# |z| < 3.9.
UNLIKELY = 1e-4


class Rows:
    """A dataset of which only the length, the parts and some columns are known."""

    def __init__(self, n: int, parts: tuple[int, ...] = (), **columns: Any) -> None:
        self.n, self.columns = n, columns
        self.parts = parts or (n,)

    def __len__(self) -> int:
        return self.n

    def column(self, name: str) -> Any:
        return self.columns[name]


def whole(order: Any) -> np.ndarray:
    """All rows of an order."""
    return order[np.arange(len(order))]


def runs_test(values: np.ndarray) -> float:
    """p-value of Wald and Wolfowitz's test: runs of values above and below the median."""
    above = values > np.median(values)
    n1, n2 = int(above.sum()), int((~above).sum())
    runs = 1 + np.count_nonzero(above[1:] != above[:-1])
    n = n1 + n2
    mean = 1 + 2 * n1 * n2 / n
    variance = Fraction(2 * n1 * n2 * (2 * n1 * n2 - n), n * n * (n - 1))
    return float(2 * stats.norm.sf(abs(runs - mean) / float(variance) ** 0.5))


def serial_test(values: np.ndarray, lag: int) -> float:
    """p-value of no correlation between values that are ``lag`` apart."""
    centred = values - values.mean()
    r = (centred[lag:] * centred[:-lag]).sum() / (centred * centred).sum()
    n = len(values)
    return float(2 * stats.norm.sf(abs(r + 1 / n) * n**0.5))
