"""Blocks: one-to-one for every size, and no more blocks at a time than it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support.sampled import UNLIKELY, Rows, whole

from domainkit import store
from domainkit.samplers import Blocks

SETTINGS = {
    "n": st.integers(0, 2000),
    "rows": st.integers(1, 70) | st.just(5000),
    "window": st.integers(1, 9) | st.just(5000),
    "seed": st.integers(-(2**65), 2**65),
    "epoch": st.integers(0, 2**32 - 1),
}


@given(**SETTINGS)
def test_every_row_comes_once(n, rows, window, seed, epoch):
    assert np.array_equal(
        np.sort(whole(Blocks(rows, window).order(Rows(n), seed, epoch))), np.arange(n)
    )


@pytest.mark.parametrize("rows", [1, 2, 3, 8])
@pytest.mark.parametrize("window", [1, 2, 5])
def test_every_row_comes_once_for_every_small_size(rows, window):
    for n in range(60):
        found = whole(Blocks(rows, window).order(Rows(n), n, 0))
        assert np.array_equal(np.sort(found), np.arange(n)), n


@pytest.mark.parametrize("n", [65_535, 65_536, 65_537, 100_003, 512 * 16 * 9, 512 * 16 * 9 + 1])
def test_every_row_comes_once_with_whole_blocks(n):
    assert np.array_equal(np.sort(whole(Blocks().order(Rows(n), 0, 0))), np.arange(n))


@given(**SETTINGS)
def test_each_block_is_read_during_one_window_only(n, rows, window, seed, epoch):
    blocks = whole(Blocks(rows, window).order(Rows(n), seed, epoch)) // rows
    seen: set[int] = set()
    start = 0
    while start < n:
        mine: set[int] = set()
        stop = start
        while (
            stop < n and len(mine | {int(blocks[stop])}) <= window
        ):  # as far as `window` blocks go
            mine.add(int(blocks[stop]))
            stop += 1
        assert not mine & seen
        assert len(mine) == window or stop == n
        # the window holds these blocks whole
        assert stop - start == sum(min(rows, n - block * rows) for block in mine)
        seen |= mine
        start = stop


@given(**SETTINGS, data=st.data())
def test_reads_are_the_blocks_that_are_needed(n, rows, window, seed, epoch, data):
    order = Blocks(rows, window).order(Rows(n), seed, epoch)
    first = data.draw(st.integers(0, n))
    last = data.draw(st.integers(first, n))
    reads = order.reads(first, last)
    assert reads.dtype == np.int64
    covered = [row for start, stop in reads.tolist() for row in range(start, stop)]
    assert len(set(covered)) == len(covered)
    assert set(order[np.arange(first, last)].tolist()) <= set(covered)
    if first < last:
        windows = -(-(last - first) // (rows * window)) + 2  # one more where the short block is
        assert len(reads) <= windows * window
    everything = order.reads(0, n)
    assert (everything[:, 1] - everything[:, 0]).sum() == n


def test_reads_come_in_the_order_of_their_use():
    order = Blocks(rows=10, window=3).order(Rows(1000), 0, 0)
    reads = order.reads(0, 1000)
    for start in range(0, 990, 30):
        mine = set((order[np.arange(start, start + 30)] // 10).tolist())
        assert set((reads[start // 10 : start // 10 + 3, 0] // 10).tolist()) == mine


def test_reads_outside_are_refused():
    order = Blocks().order(Rows(10), 0, 0)
    for wrong in ((-1, 3), (0, 11), (5, 4)):
        with pytest.raises(IndexError, match="order of 10"):
            order.reads(*wrong)


def test_the_short_block_comes_anywhere():
    slots = [
        int(np.flatnonzero(whole(Blocks(rows=10, window=1).order(Rows(95), 4, epoch)) == 94)[0])
        for epoch in range(400)
    ]
    counts = np.bincount(np.array(slots) // 10, minlength=10)
    assert stats.chisquare(counts).pvalue > UNLIKELY


def test_which_blocks_share_a_window_changes_with_the_epoch():
    together = [
        frozenset(Blocks(10, 5).order(Rows(1000), 0, epoch)[np.arange(50)] // 10)
        for epoch in range(50)
    ]
    assert len(set(together)) == 50


def test_a_block_is_a_record_batch_of_a_prepared_dataset():
    assert Blocks().rows == store.BATCH_ROWS


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"window": 0}, {"rows": -3}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="must be at least 1"):
        Blocks(**wrong)
    with pytest.raises(TypeError):
        Blocks(rows=1.5)
