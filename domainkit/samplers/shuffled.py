"""``Shuffled``: every row once, in a random order that no table holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domainkit.order import Permutation
from domainkit.samplers.base import Order, Sampler

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["Shuffled"]


@dataclass(frozen=True, eq=False)
class Shuffled(Sampler):
    """Every row once, in a new random order each epoch.

    The order is ``domainkit.order.Permutation``, computed where it is asked: 10**10 rows need the
    memory of ten.

    Example:
        >>> import domainkit as dk
        >>> ds = dk.load_dataset("text/sentiment-sentences", "train")
        >>> order = Shuffled().order(ds, seed=0, epoch=0)
        >>> sorted(order[range(len(ds))]) == list(range(len(ds)))
        True
    """

    def length(self, dataset: Dataset) -> int:
        return len(dataset)

    def order(self, dataset: Dataset, seed: int, epoch: int) -> Order:
        return Permutation(len(dataset), seed, epoch)
