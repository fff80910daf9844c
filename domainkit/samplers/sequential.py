"""``Sequential``: the dataset's own order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from domainkit.samplers.base import Order, RowOrder, Sampler

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["Sequential"]


@dataclass(frozen=True, eq=False)
class Sequential(Sampler):
    """Every row once, in the dataset's own order, the same in every epoch.

    Example:
        >>> import domainkit as dk
        >>> ds = dk.load_dataset("text/sentiment-sentences", "train")
        >>> Sequential().order(ds, seed=0, epoch=0)[[5, 6, 7]]
        array([5, 6, 7])
    """

    def length(self, dataset: Dataset) -> int:
        return len(dataset)

    def order(self, dataset: Dataset, seed: int, epoch: int) -> Order:
        return _Same(len(dataset))


class _Same(RowOrder):
    def _rows(self, positions: np.ndarray) -> np.ndarray:
        return positions
