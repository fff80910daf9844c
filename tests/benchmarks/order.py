"""How even the orders of few rows are, by number of rounds, and what a shuffled position costs.

Run: ``python tests/benchmarks/order.py``.

The claim: with the rounds that ``Permutation`` uses, a chi-square test over all n! orders of n rows
finds nothing in 200,000 epochs; with half as many rounds it does. Many epochs are computed at once
by a copy of the network, which is first compared with ``Permutation`` itself.
"""

from __future__ import annotations

import math
import time

import numpy as np

from domainkit import order
from domainkit.draws import philox
from domainkit.order import Permutation


def orders(n: int, epochs: int, rounds: int, seed: int) -> np.ndarray:
    """int64 [epochs, n]: the orders of epochs 0, 1, 2 ... with another number of rounds."""
    shape = Permutation(n, seed, 0)
    epoch = np.arange(epochs, dtype=np.int64)[:, None] + np.zeros(rounds, np.int64)
    block, zero = np.arange(rounds) + np.zeros_like(epoch), np.zeros_like(epoch)
    words = philox((block, zero, zero + (order.ORDER_OP << 16), epoch), (seed, 0))
    keys = (words[0].astype(np.uint64) << np.uint64(32)) | words[1].astype(np.uint64)

    def encrypt(x: np.ndarray) -> np.ndarray:
        a, b = shape._a, shape._b
        left, right = x % a, x // a
        for k in range(rounds):
            mixed = order._mix(right.astype(np.uint64) + keys[:, k : k + 1]) >> np.uint64(1)
            left, right = right, (left + mixed.astype(np.int64) % a) % a
            a, b = b, a
        return right * a + left

    rows = encrypt(np.arange(n) + np.zeros((epochs, 1), np.int64))
    while (outside := rows >= n).any():
        rows = np.where(outside, encrypt(np.where(outside, rows, 0)), rows)
    return rows


def main() -> None:
    for n in (5, 6, 7):
        ours = np.stack([Permutation(n, 17, e)[np.arange(n)] for e in range(20)])
        assert (orders(n, 20, order.SMALL_ROUNDS, 17) == ours).all(), "the copy is not faithful"
    epochs = 200_000
    for n in range(2, 9):
        line = f"{n} rows, {math.factorial(n):6,} orders:"
        for rounds in (6, 12, order.SMALL_ROUNDS):
            rows = orders(n, epochs, rounds, 17)
            codes = (rows * n ** np.arange(n)).sum(1)
            counts = np.unique(codes, return_counts=True)[1].astype(float)
            cells = math.factorial(n)
            expected = epochs / cells
            squares = ((counts - expected) ** 2).sum() + (cells - len(counts)) * expected**2
            sigma = (squares / expected - (cells - 1)) / math.sqrt(2 * (cells - 1))
            line += f"  {rounds} rounds {sigma:8.1f} sigma"
        print(line)
    for n in (1000, 60_000, 1_281_167, 10**10):
        shuffled = Permutation(n, 0, 0)
        positions = np.arange(min(n, 100_000))
        start = time.perf_counter()
        shuffled[positions]
        rate = len(positions) / (time.perf_counter() - start)
        print(f"order of {n:14,} rows: {rate:12,.0f} positions/s")


if __name__ == "__main__":
    main()
