"""``Weighted``: rows by weight, with or without replacement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from domainkit.draws import MASK
from domainkit.samplers import keyed
from domainkit.samplers.alias import AliasTable, alias_table
from domainkit.samplers.base import Kept, Order, RowOrder, Sampler, at_least
from domainkit.samplers.exponential import by_keys

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["Weighted"]


@dataclass(frozen=True, eq=False, repr=False)
class Weighted(Sampler):
    """Rows in proportion to their weights.

    With replacement each position draws a row of its own, by the alias method: a function of seed,
    epoch and position, over a table (16 bytes a row) that is made once and serves all epochs.

    Without, each position draws from the rows not yet drawn, by exponential keys: a row with twice
    the weight tends to come sooner, none comes twice, those of weight 0 never. Each epoch computes
    its order anew (8 bytes a position).

    Args:
        weights: numbers [N], one for each row of the dataset, or the name of a number column. They
            need not sum to one.
        replacement: whether a row may come more than once.
        num_samples: positions in an epoch; None takes as many as the dataset has rows (without
            replacement: as many as have a positive weight).

    Raises:
        ValueError: a weight is negative or not finite, all are zero, there are not as many as rows,
            or without replacement fewer positive ones than ``num_samples``. What a column holds is
            looked at when a dataset comes.

    Example:
        >>> import domainkit as dk
        >>> ds = dk.load_dataset("text/sentiment-sentences", "train")
        >>> rare = Weighted(np.where(ds["label"] == 1, 3.0, 1.0))
        >>> rows = rare.order(ds, seed=0, epoch=0)[range(len(ds))]
        >>> bool(2.5 < (ds["label"][rows] == 1).sum() / (ds["label"][rows] == 0).sum() < 3.5)
        True
    """

    weights: Any
    replacement: bool = True
    num_samples: int | None = None
    _kept: Kept = field(default_factory=Kept, init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.weights, str):
            weights = _checked(self.weights, "weights")
            weights.setflags(write=False)
            object.__setattr__(self, "weights", weights)
        if self.num_samples is not None:
            number = at_least(1, "num_samples", self.num_samples)
            object.__setattr__(self, "num_samples", number)

    @property
    def repeats(self) -> bool:
        return self.replacement

    def length(self, dataset: Dataset) -> int:
        weights, positive, _ = self._table(dataset)
        most = len(weights) if self.replacement else positive
        count = most if self.num_samples is None else self.num_samples
        if count > most and not self.replacement:
            raise ValueError(
                f"num_samples={count} without replacement needs as many positive weights, there "
                f"are {most}: take fewer samples or replacement=True"
            )
        return count

    def order(self, dataset: Dataset, seed: int, epoch: int) -> Order:
        count, (weights, _, table) = self.length(dataset), self._table(dataset)
        if table is not None:
            return _Drawn(count, table, seed, epoch)
        return _Listed(by_keys(weights, count, seed, epoch))

    def __repr__(self) -> str:
        array = isinstance(self.weights, np.ndarray)
        shown = f"<{len(self.weights)} numbers>" if array else repr(self.weights)
        return f"Weighted({shown}, replacement={self.replacement}, num_samples={self.num_samples})"

    def _table(self, dataset: Dataset) -> tuple[np.ndarray, int, AliasTable | None]:
        """The weights, how many are positive, and with replacement the table to draw from."""
        return self._kept.of(dataset, self._make)

    def _make(self, dataset: Dataset) -> tuple[np.ndarray, int, AliasTable | None]:
        weights = self.weights
        if isinstance(weights, str):
            weights = _checked(dataset.column(weights), f"column {weights!r}")
        if len(weights) != len(dataset):
            raise ValueError(
                f"there are {len(weights)} weights and {len(dataset)} rows: give one for each row"
            )
        table = alias_table(weights) if self.replacement else None
        return weights, int(np.count_nonzero(weights)), table


class _Drawn(RowOrder):
    def __init__(self, length: int, table: AliasTable, seed: int, epoch: int) -> None:
        super().__init__(length)
        self._table, self._seed, self._epoch = table, seed, epoch

    def _rows(self, positions: np.ndarray) -> np.ndarray:
        low, high = positions & MASK, positions >> 32
        return self._table.draw(keyed.words(self._seed, self._epoch, keyed.ALIAS, low, high))


class _Listed(RowOrder):
    def __init__(self, rows: np.ndarray) -> None:
        super().__init__(len(rows))
        self._list = rows

    def _rows(self, positions: np.ndarray) -> np.ndarray:
        return self._list[positions]


def _checked(values: Any, what: str) -> np.ndarray:
    given = np.asarray(values)
    if given.ndim != 1 or given.dtype.kind not in "uifb":
        raise TypeError(
            f"{what} must be numbers [N], one for each row, got {given.dtype} {given.shape}"
        )
    weights = given.astype(np.float64)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if wrong.size:
        raise ValueError(
            f"{what} must be finite and not negative: that of row {wrong[0]} is {given[wrong[0]]}"
        )
    if not weights.any():
        raise ValueError(f"{what} are all zero: no row could be drawn")
    return weights
