"""``Endless``: one epoch of another sampler after the next, without an end."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from domainkit.draws import MASK, MAX_ID
from domainkit.samplers.base import Order, RowOrder, Sampler
from domainkit.samplers.shuffled import Shuffled

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["Endless"]

KEPT_ORDERS = 2  # batches that are made side by side meet two epochs at most


@dataclass(frozen=True, eq=False)
class Endless(Sampler):
    """An infinite stream: the sampler's epoch 0, then its epoch 1, and so on, as one epoch.

    Batches go on over the seam, so all are full. Positions are in [0, 2**48) and the inner epochs
    in [0, 2**32); draws go by the position, so a row is augmented anew each time.

    Args:
        sampler: whose epochs.

    Example:
        >>> import domainkit as dk
        >>> ds = dk.load_dataset("text/sentiment-sentences", "train")[:3]
        >>> stream = Endless(Shuffled()).order(ds, seed=0, epoch=0)
        >>> [sorted(stream[range(3 * e, 3 * e + 3)].tolist()) for e in (0, 1, 10**9)]
        [[0, 1, 2], [0, 1, 2], [0, 1, 2]]
    """

    sampler: Sampler = field(default_factory=Shuffled)

    def __post_init__(self) -> None:
        if not isinstance(self.sampler, Sampler) or isinstance(self.sampler, Endless):
            raise TypeError(f"Endless takes a sampler that has an end, got {self.sampler!r:.80}")

    @property
    def repeats(self) -> bool:
        return True

    def length(self, dataset: Dataset) -> int:
        return MAX_ID

    def order(self, dataset: Dataset, seed: int, epoch: int) -> Order:
        if epoch != 0:
            raise ValueError(f"an endless stream is one epoch, number 0; got epoch {epoch}")
        return _Stream(self.sampler, dataset, seed)


class _Stream(RowOrder):
    def __init__(self, sampler: Sampler, dataset: Dataset, seed: int) -> None:
        super().__init__(MAX_ID)
        self._each = sampler.length(dataset)
        if not self._each:
            raise ValueError("an endless stream needs an epoch of one row or more, this has none")
        self._made_from = sampler, dataset, seed
        self._inner = lru_cache(KEPT_ORDERS)(lambda epoch: sampler.order(dataset, seed, epoch))

    def _rows(self, positions: np.ndarray) -> np.ndarray:
        epochs, places = np.divmod(positions, self._each)
        rows = np.empty_like(positions)
        for epoch in np.unique(epochs).tolist():
            if epoch > MASK:
                raise IndexError(
                    f"the stream has 2**32 epochs of {self._each} rows, position "
                    f"{epoch * self._each} is behind them"
                )
            here = epochs == epoch
            rows[here] = self._inner(epoch)[places[here]]
        return rows

    def __reduce__(self) -> tuple[Any, ...]:
        return _Stream, self._made_from
