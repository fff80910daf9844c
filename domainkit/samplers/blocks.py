"""``Blocks``: a shuffle whose neighbours in time are neighbours on disk, for slow storage.

Blocks of consecutive rows come in a random order; then the rows of each group of ``window`` blocks
that follow one another are shuffled together. Both steps are permutations computed where they are
asked, so there is no table and no buffer to fill.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from domainkit.draws import MASK
from domainkit.order import Permutation
from domainkit.samplers import keyed
from domainkit.samplers.base import RowOrder, Sampler, at_least

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["BlockOrder", "Blocks"]


@dataclass(frozen=True, eq=False)
class Blocks(Sampler):
    """Every row once, in a new order each epoch that reads the disk block by block.

    The mixing window is ``rows * window`` positions (8,192 by default): those of one window come
    from ``window`` blocks, in a random order among themselves, and the next window needs other
    blocks. So each block is read during one window only, and keeping a window's blocks in memory is
    enough. Which blocks share a window is random and new each epoch.

    What it costs: rows of one window have the same block with probability ``1 / window``, so where
    neighbouring rows are alike (a dataset sorted by class) the rows of a batch are correlated by
    that much, and a window sees ``window`` stretches of the dataset only. More and smaller blocks
    (``Blocks(rows=64, window=128)``) mix better in a window of the same size; ``Shuffled`` mixes
    whole.

    Args:
        rows: consecutive rows in a block; the last block may be shorter. The default is a record
            batch of a prepared dataset.
        window: how many blocks are mixed with one another.

    Example:
        >>> import domainkit as dk
        >>> ds = dk.load_dataset("vision/fashion-mnist-mini", "train")
        >>> order = Blocks(rows=100, window=4).order(ds, seed=0, epoch=0)
        >>> len(set(order[range(400)] // 100)), len(set(order[range(5000)]))
        (4, 5000)
    """

    rows: int = 512
    window: int = 16

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", at_least(1, "rows", self.rows))
        object.__setattr__(self, "window", at_least(1, "window", self.window))

    def length(self, dataset: Dataset) -> int:
        return len(dataset)

    def order(self, dataset: Dataset, seed: int, epoch: int) -> BlockOrder:
        return BlockOrder(len(dataset), self.rows, self.window, seed, epoch)


class BlockOrder(RowOrder):
    """The order of ``Blocks``.

    Blocks are put into slots. ``window`` slots are a group, whose positions are shuffled as if its
    blocks lay side by side.

    Args:
        n: number of rows, up to 2**48.
        rows, window, seed, epoch: as for ``Blocks`` and its orders.

    Example:
        >>> order = BlockOrder(10**10, rows=512, window=16, seed=0, epoch=0)
        >>> len(set(order[range(256)] // 512)) <= 16
        True
    """

    def __init__(self, n: int, rows: int, window: int, seed: int, epoch: int) -> None:
        super().__init__(n)
        self._rows_each, self._window, self._seed, self._epoch = rows, window, seed, epoch
        self._whole, self._slots = n // rows, -(-n // rows)
        self._missing = -n % rows  # rows that the last block is short of a whole one
        whole_seed = keyed.subseeds(seed, epoch, keyed.BLOCK_ORDER, 0)[0]
        self._order = Permutation(self._whole, int(whole_seed), 0)  # of the whole blocks
        # The short block draws a slot and the whole ones share the others: so each slot has its
        # block, and it is known where positions are missing, with no inverse of a permutation.
        place = int(keyed.subseeds(seed, epoch, keyed.SHORT_BLOCK, 0)[0])
        self._short = place % self._slots if self._missing else self._slots  # else in no slot

    def reads(self, first: int, last: int) -> np.ndarray:
        """The blocks that positions [first, last) need: int64 [m, 2] of row ranges [start, stop).

        Those of whole windows, in the order of their first use: what a reader may fetch ahead.
        """
        if not 0 <= first <= last <= len(self):
            raise IndexError(f"positions {first}..{last} of an order of {len(self)}")
        if first == last:
            return np.empty((0, 2), dtype=np.int64)
        ends, _, _ = self._groups(np.array([first, last - 1]))
        stop = min((int(ends[1]) + 1) * self._window, self._slots)
        start = self._blocks(np.arange(int(ends[0]) * self._window, stop)) * self._rows_each
        return np.stack([start, np.minimum(start + self._rows_each, len(self))], 1)

    def _rows(self, positions: np.ndarray) -> np.ndarray:
        group, start, size = self._groups(positions)
        groups, where = np.unique(group, return_inverse=True)  # of a batch, one or two
        seeds = keyed.subseeds(
            self._seed, self._epoch, keyed.BLOCK_GROUP, groups & MASK, groups >> 32
        )
        place = keyed.permute(positions - start, size, seeds[where])
        # count as if the short block were whole: what comes behind it in its group moves on
        behind = (self._short - group * self._window + 1) * self._rows_each - self._missing
        place += ((group == self._short // self._window) & (place >= behind)) * self._missing
        slot, offset = np.divmod(place, self._rows_each)
        slots, where = np.unique(slot + group * self._window, return_inverse=True)
        return self._blocks(slots)[where] * self._rows_each + offset

    def _groups(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each position its group, and that group's first position and size."""
        each, rows = self._window * self._rows_each, self._slots * self._rows_each
        mine = self._short // self._window  # the group that is short
        later = positions >= min((mine + 1) * each, rows) - self._missing
        group = (positions + later * self._missing) // each
        start = group * each - later * self._missing
        size = np.minimum(each, rows - group * each) - (group == mine) * self._missing
        return group, start, size

    def _blocks(self, slots: np.ndarray) -> np.ndarray:
        blocks = np.full(slots.shape, self._whole, dtype=np.int64)  # the short one is the last
        whole = np.flatnonzero(slots != self._short)
        blocks[whole] = self._order[slots[whole] - (slots[whole] > self._short)]
        return blocks
