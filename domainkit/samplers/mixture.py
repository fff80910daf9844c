"""``Mixture``: the datasets of a ``concat`` in proportions, each shuffled for itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from domainkit.draws import MASK
from domainkit.mixing import Turns, rounded_shares, tempered_shares, until_first, whole_shares
from domainkit.samplers import keyed
from domainkit.samplers.base import Kept, Order, RowOrder, Sampler, at_least

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["Mixture"]


@dataclass(frozen=True, eq=False)
class Mixture(Sampler):
    """The parts of a ``concat`` interleaved in fixed proportions, each in an order of its own.

    Of the first n positions, part k has ``n * p_k``, rounded up or down, at every n. A part's rows
    come in a random order; when all have come they are shuffled anew.

    Proportions that whole numbers with a sum up to 65,536 can say (3 to 1; 0.7, 0.2, 0.1) are
    exact. Others are rounded to multiples of 1/65,536, at least one each.

    Source of the temperature: Arivazhagan et al., "Massively multilingual neural machine
    translation in the wild" (2019); T5 mixes its tasks so.

    Args:
        weights: one positive number for each part, in the order of the ``concat``.
        temperature: T > 0 instead of weights: part k of n_k rows has ``n_k ** (1 / T)`` as weight.
            1 is in proportion to the sizes, infinity all alike.
        stop: where an epoch ends. "first": before a part would have to repeat a row, as ``mix``
            does; "all": when every row of every part has come; a number: after so many positions.

    Raises:
        ValueError: wrong arguments, a dataset that has other parts than there are weights, or a
            part without rows.

    Example:
        >>> import domainkit as dk
        >>> ds = dk.load_dataset("text/sentiment-sentences", "train")
        >>> both = dk.concat([ds[:900], ds[900:1000]])
        >>> order = Mixture([2, 1], stop="all").order(both, seed=0, epoch=0)
        >>> len(order), int((order[range(300)] >= 900).sum())
        (1349, 100)
    """

    weights: Sequence[float] | None = None
    temperature: float | None = None
    stop: str | int = "first"
    _kept: Kept = field(default_factory=Kept, init=False, repr=False)

    def __post_init__(self) -> None:
        if (self.weights is None) == (self.temperature is None):
            raise ValueError("Mixture takes weights or a temperature: give one of the two")
        if self.weights is not None:
            weights = tuple(self.weights)
            if not weights or not all(0 < w < math.inf for w in weights):
                raise ValueError(f"weights must be positive numbers, got {list(weights)}")
            object.__setattr__(self, "weights", weights)
        elif self.temperature is not None and not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")
        if isinstance(self.stop, str):
            if self.stop not in ("first", "all"):
                raise ValueError(f"stop must be 'first', 'all' or a number, got {self.stop!r}")
        else:
            object.__setattr__(self, "stop", at_least(1, "stop", self.stop))

    @property
    def repeats(self) -> bool:
        return self.stop != "first"

    def length(self, dataset: Dataset) -> int:
        return self._end(*self._kept.of(dataset, self._made))

    def order(self, dataset: Dataset, seed: int, epoch: int) -> Order:
        sizes, turns = self._kept.of(dataset, self._made)
        return _Mixed(self._end(sizes, turns), np.array(sizes), turns, seed, epoch)

    def _made(self, dataset: Dataset) -> tuple[tuple[int, ...], Turns]:
        """The sizes of the parts, and whose turn it is."""
        sizes = dataset.parts
        if self.weights is not None and len(self.weights) != len(sizes):
            raise ValueError(
                f"there are {len(self.weights)} weights and {len(sizes)} parts: Mixture takes a "
                "concat of datasets, with a weight for each"
            )
        if 0 in sizes:
            raise ValueError(f"part {sizes.index(0)} has no rows: leave it out of the concat")
        if self.weights is not None:
            return sizes, Turns(rounded_shares(whole_shares(self.weights)))
        return sizes, Turns(tempered_shares(sizes, self.temperature or math.nan))

    def _end(self, sizes: Sequence[int], turns: Turns) -> int:
        if isinstance(self.stop, int):
            return self.stop
        if self.stop == "first":
            return until_first(turns.shares, sizes)
        return max(turns.place(k, size - 1) + 1 for k, size in enumerate(sizes))


class _Mixed(RowOrder):
    def __init__(self, length: int, sizes: np.ndarray, turns: Turns, seed: int, epoch: int) -> None:
        super().__init__(length)
        self._sizes, self._starts = sizes, np.cumsum(sizes) - sizes
        self._turns, self._seed, self._epoch = turns, seed, epoch

    def _rows(self, positions: np.ndarray) -> np.ndarray:
        k, turn = self._turns[positions]
        time, index = np.divmod(turn, self._sizes[k])
        seeds = keyed.subseeds(self._seed, self._epoch, keyed.PART_PASS, k, time & MASK)
        return self._starts[k] + keyed.permute(index, self._sizes[k], seeds)
