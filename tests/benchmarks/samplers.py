"""What an epoch's order costs, beside torch's samplers: time to the first rows, rows per second.

Run: ``python tests/benchmarks/samplers.py [ROWS]`` (a million by default).

The claim: an epoch begins within milliseconds at any size, for no order needs a table of it (but
for ``Weighted`` without replacement, which sorts keys). What that costs is the rate: torch draws a
list of the whole epoch and then only walks it. Positions are asked for 4,096 at a time: for fewer,
the overhead of numpy calls is most of it.
Each round times ours and then the peer; the median of the rounds counts.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.data import RandomSampler, WeightedRandomSampler

from domainkit.samplers import (
    Blocks,
    ClassBalanced,
    Mixture,
    Repeated,
    Sampler,
    Shuffled,
    Weighted,
)

ROUNDS, ASKED, ROWS = 5, 4096, 100_000


class Stand:
    """A dataset of which only the length, the parts and the labels are known."""

    def __init__(self, n: int) -> None:
        self.n, self.parts = n, (n // 4, n - n // 4)
        self.labels = np.random.default_rng(0).integers(0, 1000, n)

    def __len__(self) -> int:
        return self.n

    def column(self, name: str) -> np.ndarray:
        return self.labels


def ours(sampler: Sampler, dataset: Any, epoch: int) -> tuple[float, float]:
    """Seconds to the first 256 rows, then rows per second."""
    start = time.perf_counter()
    order = sampler.order(dataset, 0, epoch)
    order[np.arange(256)]
    first = time.perf_counter() - start
    count = min(ROWS, len(order))
    start = time.perf_counter()
    for place in range(0, count, ASKED):
        order[np.arange(place, min(place + ASKED, count))]
    return first, count / (time.perf_counter() - start)


def theirs(make: Callable[[], Any]) -> tuple[float, float]:
    start = time.perf_counter()
    rows = iter(make())
    for _ in range(256):
        next(rows)
    first = time.perf_counter() - start
    start = time.perf_counter()
    count = sum(1 for _, _ in zip(range(ROWS), rows, strict=False))
    return first, count / (time.perf_counter() - start)


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    dataset, weights = Stand(n), np.random.default_rng(1).lognormal(0, 1, n)
    heavy = torch.from_numpy(weights)
    cases: list[tuple[Sampler, Callable[[], Any] | None]] = [
        (Shuffled(), lambda: RandomSampler(range(n))),
        (Blocks(), None),
        (Weighted(weights), lambda: WeightedRandomSampler(heavy, n)),
        (Weighted(weights, replacement=False), lambda: WeightedRandomSampler(heavy, n, False)),
        (ClassBalanced(), None),
        (Repeated(3), None),
        (Mixture(temperature=2), None),
    ]
    for sampler, make in cases:
        sampler.order(dataset, 0, 0)  # tables that serve all epochs
        mine, other = [], []
        for epoch in range(ROUNDS):
            mine.append(ours(sampler, dataset, epoch))
            if make is not None:
                other.append(theirs(make))
        line = f"{sampler!s:62.62}"
        for found in filter(None, (mine, other)):
            first, rate = (statistics.median(column) for column in zip(*found, strict=True))
            line += f"  first rows {first * 1e3:8.1f} ms, {rate / 1e6:6.2f} M rows/s"
        print(line + ("  (torch)" if other else ""))


if __name__ == "__main__":
    main()
