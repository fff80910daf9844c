"""``ClassBalanced``: every class equally often, however many rows it has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from domainkit.draws import MASK
from domainkit.samplers import keyed
from domainkit.samplers.base import Kept, Order, RowOrder, Sampler, at_least

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["ClassBalanced"]


@dataclass(frozen=True, eq=False)
class ClassBalanced(Sampler):
    """Every class equally often, exactly: after any number of positions no class is more than one
    row ahead of another.

    Positions go in rounds in which each class comes once, in a new random order each round. A
    class's rows come in a random order too; when all have come they are shuffled anew. So rows of
    small classes repeat, and with few samples those of large ones do not all come.

    Args:
        column: an integer column; each value that it holds is a class.
        num_samples: positions in an epoch; None takes as many as the dataset has rows.

    Example:
        >>> import domainkit as dk
        >>> ds = dk.load_dataset("text/sentiment-sentences", "train")
        >>> rare = dk.concat([ds.filter(lambda row: row["label"] == 0), ds[:100]])
        >>> rows = ClassBalanced().order(rare, seed=0, epoch=0)[range(1000)]
        >>> np.bincount(rare["label"][rows]).tolist()
        [500, 500]
    """

    column: str = "label"
    num_samples: int | None = None
    _kept: Kept = field(default_factory=Kept, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.num_samples is not None:
            number = at_least(1, "num_samples", self.num_samples)
            object.__setattr__(self, "num_samples", number)

    @property
    def repeats(self) -> bool:
        return True

    def length(self, dataset: Dataset) -> int:
        if self.num_samples is None:
            return len(dataset)
        if not len(dataset):
            raise ValueError(f"num_samples={self.num_samples} from a dataset without rows")
        return self.num_samples

    def order(self, dataset: Dataset, seed: int, epoch: int) -> Order:
        classes = self._kept.of(dataset, self._classes)
        return _Balanced(self.length(dataset), classes, seed, epoch)

    def _classes(self, dataset: Dataset) -> _Classes:
        labels = np.asarray(dataset.column(self.column))
        if labels.ndim != 1 or labels.dtype.kind not in "uib":
            raise TypeError(
                f"ClassBalanced needs a column of integers, {self.column!r} holds {labels.dtype}"
            )
        _, counts = np.unique(labels, return_counts=True)
        rows = np.argsort(labels, kind="stable")
        if len(rows) < 1 << 31:
            rows = rows.astype(np.int32)
        return _Classes(rows, counts, np.cumsum(counts) - counts)


class _Classes(NamedTuple):
    """Class k has rows ``rows[starts[k] : starts[k] + counts[k]]``."""

    rows: np.ndarray
    counts: np.ndarray
    starts: np.ndarray


class _Balanced(RowOrder):
    def __init__(self, length: int, classes: _Classes, seed: int, epoch: int) -> None:
        super().__init__(length)
        self._classes, self._seed, self._epoch = classes, seed, epoch

    def _rows(self, positions: np.ndarray) -> np.ndarray:
        rows, counts, starts = self._classes
        turn, place = np.divmod(positions, len(counts))  # a class's j-th row comes in round j
        rounds, where = np.unique(turn, return_inverse=True)
        seeds = keyed.subseeds(
            self._seed, self._epoch, keyed.CLASS_ROUND, rounds & MASK, rounds >> 32
        )
        k = keyed.permute(place, len(counts), seeds[where])
        time, index = np.divmod(turn, counts[k])
        seeds = keyed.subseeds(self._seed, self._epoch, keyed.CLASS_PASS, k, time & MASK)
        return rows[starts[k] + keyed.permute(index, counts[k], seeds)].astype(np.int64)
