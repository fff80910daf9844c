"""Chi-square, runs and serial correlation of the shuffles, at several sizes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from support.sampled import UNLIKELY, Rows, runs_test, serial_test, whole

from domainkit.samplers import Blocks, Shuffled

SIZES = [500, 4096, 65_535, 65_536, 200_003]


def assert_random(values: np.ndarray) -> None:
    """Values whose order should be a shuffle's."""
    assert runs_test(values) > UNLIKELY
    for lag in (1, 2, 3, 16):
        assert serial_test(values, lag) > UNLIKELY, lag
    # early, middle and late positions see all parts of the dataset alike
    ranks = stats.rankdata(values, method="ordinal") - 1
    n = len(values)
    cells = np.histogram2d(np.arange(n), ranks, bins=8)[0]
    # in a permutation rows and columns of the table are given: 7 * 7 degrees of freedom
    expected = cells.sum(1, keepdims=True) * cells.sum(0, keepdims=True) / n
    assert stats.chi2.sf(((cells - expected) ** 2 / expected).sum(), 49) > UNLIKELY


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_shuffled_order_is_random(n, epoch):
    assert_random(whole(Shuffled().order(Rows(n), 21, epoch)))


@pytest.mark.parametrize("n", SIZES)
def test_blocks_of_one_row_are_a_random_order(n):
    assert_random(whole(Blocks(rows=1, window=1).order(Rows(n), 21, 0)))


@pytest.mark.parametrize("n", [65_536, 200_003])
@pytest.mark.parametrize("window", [1, 16])
def test_the_rows_of_a_window_are_in_random_order(n, window):
    order = Blocks(rows=512, window=window).order(Rows(n), 8, 0)
    for group in (0, 2):
        size = 512 * window
        assert_random(order[np.arange(group * size, (group + 1) * size)])


@pytest.mark.parametrize("n", [10_000, 300_000])
def test_blocks_come_in_random_order(n):
    order = Blocks(rows=5, window=1).order(Rows(n), 8, 0)
    assert_random(whole(order)[::5] // 5)


@pytest.mark.parametrize("sampler", [Shuffled(), Blocks(rows=1, window=1)], ids=repr)
def test_ten_thousand_million_rows_come_in_random_order(sampler):
    assert_random(sampler.order(Rows(10**10), 3, 0)[np.arange(50_000)])


def test_windows_of_ten_thousand_million_rows_are_random():
    order = Blocks().order(Rows(10**10), 3, 0)
    assert_random(order[np.arange(8192)])
    assert_random(order[np.arange(0, 8192 * 3000, 8192)] // 512)


@pytest.mark.parametrize(("n", "rows", "window"), [(384, 8, 4), (390, 8, 4), (391, 8, 48)])
def test_every_row_is_as_likely_at_every_position(n, rows, window):
    places = np.array([0, 1, n // 2, n - 1])
    orders = [Blocks(rows, window).order(Rows(n), 5, epoch)[places] for epoch in range(500)]
    for column in np.stack(orders).T:
        counts = np.bincount(column * 20 // n, minlength=20)
        sizes = np.bincount(np.arange(n) * 20 // n, minlength=20)
        assert stats.chisquare(counts, sizes / n * 500).pvalue > UNLIKELY


@pytest.mark.parametrize("window", [4, 16])
def test_what_blocks_cost_is_one_over_the_window(window):
    # two rows of a window come from one block with probability 1 / window, else they are strangers
    n, epochs = 1 << 16, 8
    found = []
    for epoch in range(epochs):
        rows = whole(Blocks(rows=64, window=window).order(Rows(n), 1, epoch)).astype(float)
        found.append(np.corrcoef(rows[:-1], rows[1:])[0, 1])
    windows = n / (64 * window)
    sigma = (2 / (windows * epochs)) ** 0.5 / window
    assert abs(np.mean(found) - 1 / window) < 4 * sigma + 2 / (n / 64)
