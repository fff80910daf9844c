"""``Sequence``: which sample comes at which place of an epoch, windows and buckets included.

It is a function of the order, the window and the bucket, so every rank and every thread can ask it
on its own. Only the windows that are being delivered are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from domainkit.loader.batching import Windowing
from domainkit.order import Permutation

__all__ = ["Plain", "Sequence", "Windowed", "check_length"]

KEPT_WINDOWS = 4
CHUNK = 2048  # positions that an order is asked for at once
KEPT_CHUNKS = 8
MASK64 = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15  # the step that SplitMix64 takes: neighbours get unlike seeds
Measure = Callable[[np.ndarray], np.ndarray]


class Plain:
    """Places in the sequence are positions in the order.

    Example:
        >>> Plain(Permutation(5, seed=0, epoch=0)).positions(1, 3)
        array([1, 2])
    """

    def __init__(self, order: Any) -> None:
        self.order = order
        self._rows: dict[int, np.ndarray] = {}

    def indices(self, positions: np.ndarray) -> np.ndarray:
        """int64: the dataset's indices at positions of the order.

        Orders are asked for many positions at once, which costs a fraction of asking batch by
        batch.
        """
        chunks = np.unique(positions // CHUNK)
        if len(chunks) > len(positions) // 64 + 2:
            return np.asarray(self.order[positions])  # they lie far apart
        found = np.empty(len(positions), dtype=np.int64)
        for chunk in chunks.tolist():
            here = positions // CHUNK == chunk
            found[here] = self._chunk(chunk)[positions[here] - chunk * CHUNK]
        return found

    def _chunk(self, chunk: int) -> np.ndarray:
        # Two threads may ask for the same chunk at once; they get equal ones.
        rows = self._rows.get(chunk)
        if rows is None:
            first = chunk * CHUNK
            rows = self.order[np.arange(first, min(first + CHUNK, len(self.order)))]
            self._rows[chunk] = rows
            for old in list(self._rows)[:-KEPT_CHUNKS]:
                self._rows.pop(old, None)
        return rows

    def __len__(self) -> int:
        return len(self.order)

    def positions(self, first: int, last: int) -> np.ndarray:
        """int64: the order's positions at places [first, last); behind the end it begins anew."""
        return np.arange(first, last, dtype=np.int64) % max(len(self.order), 1)


class Windowed(Plain):
    """Places within a window are sorted by length in buckets.

    Args:
        order: positions -> indices of the dataset.
        measure: indices of the dataset -> their lengths.
        windowing: how large windows and buckets are.
        seed, epoch: decide the order of the buckets.
        shuffle: draw that order; otherwise short ones come first.
    """

    def __init__(
        self,
        order: Any,
        measure: Measure,
        windowing: Windowing,
        *,
        seed: int,
        epoch: int,
        shuffle: bool,
    ) -> None:
        super().__init__(order)
        self._measure, self.windowing = measure, windowing
        self._seed, self._epoch, self._shuffle = seed, epoch, shuffle
        self._plans: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def plan(self, window: int) -> tuple[np.ndarray, np.ndarray]:
        """The positions of a window in the order of the sequence, and their lengths."""
        # Two threads may make the same plan at once; they are equal.
        found = self._plans.get(window)
        if found is None:
            found = self._plans[window] = self._make(window)
            for old in [w for w in list(self._plans) if w < window - KEPT_WINDOWS]:
                self._plans.pop(old, None)
        return found

    def positions(self, first: int, last: int) -> np.ndarray:
        parts, size = [], self.windowing.window
        while first < last:
            if first >= len(self.order):  # padding: from the start again
                first, last = first - len(self.order), last - len(self.order)
            window, start = divmod(first, size)
            plan = self.plan(window)[0]
            stop = min(start + last - first, len(plan))
            parts.append(plan[start:stop])
            first += stop - start
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def _make(self, window: int) -> tuple[np.ndarray, np.ndarray]:
        size, bucket = self.windowing.window, self.windowing.bucket
        first = window * size
        positions = np.arange(first, min(first + size, len(self.order)), dtype=np.int64)
        lengths = np.asarray(self._measure(self.order[positions]))
        ranked = np.argsort(lengths, kind="stable")
        if self._shuffle:
            buckets = -(-len(ranked) // bucket)
            seed = (int(self._seed) + GOLDEN * (window + 1)) & MASK64
            turns = Permutation(buckets, seed, self._epoch)[np.arange(buckets)]
            ranked = np.concatenate([ranked[b * bucket : (b + 1) * bucket] for b in turns])
        return positions[ranked], lengths[ranked]


Sequence = Plain | Windowed


def check_length(order: Any, length: int, sampler: Any) -> None:
    """ValueError unless an order is as long as its sampler said."""
    if len(order) != length:
        raise ValueError(
            f"{sampler!r} promises {length} positions and gives an order of {len(order)}: its "
            "length() and order() must agree"
        )
