"""``Repeated``: every row several times in a row, each time augmented anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from domainkit.samplers.base import Order, RowOrder, Sampler, at_least
from domainkit.samplers.choose import as_sampler

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["Repeated"]


@dataclass(frozen=True, eq=False)
class Repeated(Sampler):
    """Repeated augmentation: each row comes ``times`` times, one right after the other.

    The copies share a global batch where its size is a multiple of ``times``, and each has draws of
    its own. With ``num_samples=len(dataset)`` an epoch keeps its length, as in the training of
    DeiT: it then shows a ``times``-th of the rows, others in each epoch.

    Source of the method: Hoffer et al., "Augment your batch: improving generalization through
    instance repetition" (CVPR 2020); Touvron et al., "Training data-efficient image transformers
    and distillation through attention" (ICML 2021).

    Args:
        times: copies of each row.
        shuffle: the order of the rows: True, False or "blocks".
        num_samples: positions in an epoch, at most ``times * len(dataset)``; None for all.

    Example:
        >>> import domainkit as dk
        >>> ds = dk.load_dataset("text/sentiment-sentences", "train")
        >>> Repeated(3, shuffle=False).order(ds, seed=0, epoch=0)[range(7)]
        array([0, 0, 0, 1, 1, 1, 2])
    """

    times: int
    shuffle: bool | str = True
    num_samples: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", at_least(1, "times", self.times))
        if self.num_samples is not None:
            number = at_least(1, "num_samples", self.num_samples)
            object.__setattr__(self, "num_samples", number)
        as_sampler(self.shuffle)  # refuse a wrong one here
        if not isinstance(self.shuffle, str):
            object.__setattr__(self, "shuffle", bool(self.shuffle))

    @property
    def repeats(self) -> bool:
        return self.times > 1

    def length(self, dataset: Dataset) -> int:
        every = self.times * len(dataset)
        if self.num_samples is not None and self.num_samples > every:
            raise ValueError(
                f"num_samples={self.num_samples} is more than {self.times} times the "
                f"{len(dataset)} rows: take a larger times, or leave it out"
            )
        return every if self.num_samples is None else self.num_samples

    def order(self, dataset: Dataset, seed: int, epoch: int) -> Order:
        inner = as_sampler(self.shuffle).order(dataset, seed, epoch)
        return _Copies(self.length(dataset), inner, self.times)


class _Copies(RowOrder):
    def __init__(self, length: int, inner: Order, times: int) -> None:
        super().__init__(length)
        self._inner, self._times = inner, times

    def _rows(self, positions: np.ndarray) -> np.ndarray:
        return self._inner[positions // self._times]
