"""The order of an epoch: one-to-one for every size, and as random as a shuffle."""

from __future__ import annotations

import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from domainkit.order import Permutation, rank_share

UNLIKELY = 1e-4  # seeds are fixed: a test below this has found a fault, not bad luck
SIZES = [
    *range(20),
    *(99, 100, 101, 255, 256, 257, 1000),
    *(65_535, 65_536, 65_537),  # 65,536 rows are where the number of rounds changes
    *(100_003, 131_071, 250_000, 250_001),  # a prime, and both sides of a square
]


def whole(n: int, seed: int = 0, epoch: int = 0) -> np.ndarray:
    return Permutation(n, seed, epoch)[np.arange(n)]


@pytest.mark.parametrize("n", SIZES)
def test_every_row_comes_once(n):
    rows = whole(n, seed=n, epoch=3)
    assert rows.dtype == np.int64
    assert rows.shape == (n,)
    assert np.array_equal(np.sort(rows), np.arange(n))


@given(n=st.integers(1, 3000), seed=st.integers(-(2**65), 2**65), epoch=st.integers(0, 2**32 - 1))
def test_every_row_comes_once_whatever_the_seed(n, seed, epoch):
    assert np.array_equal(np.sort(whole(n, seed, epoch)), np.arange(n))


@pytest.mark.parametrize(("n", "epochs"), [(2, 1000), (3, 1200), (4, 2400), (5, 2400), (6, 7200)])
def test_every_order_of_a_few_rows_is_as_likely(n, epochs):
    places = {order: k for k, order in enumerate(itertools.permutations(range(n)))}
    counts = np.zeros(math.factorial(n))
    for epoch in range(epochs):
        counts[places[tuple(whole(n, 17, epoch).tolist())]] += 1
    assert stats.chisquare(counts).pvalue > UNLIKELY


def test_every_order_is_as_likely_over_seeds():
    places = {order: k for k, order in enumerate(itertools.permutations(range(4)))}
    counts = np.zeros(24)
    for seed in range(1200):
        counts[places[tuple(whole(4, seed, 0).tolist())]] += 1
    assert stats.chisquare(counts).pvalue > UNLIKELY


@pytest.mark.parametrize("n", [30, 1000, 70_000])
def test_every_row_is_as_likely_at_every_position(n):
    positions = np.array([0, 1, n // 3, n - 1])
    rows = np.stack([Permutation(n, 5, epoch)[positions] for epoch in range(1500)])
    for column in rows.T:
        counts = np.bincount(column * 30 // n, minlength=30)
        assert stats.chisquare(counts).pvalue > UNLIKELY
    # neighbours in the order are not neighbours in the dataset
    for first, second in itertools.pairwise(rows.T):
        cells = np.bincount(first * 6 // n * 6 + second * 6 // n, minlength=36)
        if n > 30:  # with few rows two positions really do exclude one another
            assert stats.chisquare(cells).pvalue > UNLIKELY


@pytest.mark.parametrize("n", [1000, 70_000])
def test_orders_of_neighbouring_epochs_and_seeds_do_not_correlate(n):
    base = whole(n, 3, 0)
    others = [whole(n, 3, 1), whole(n, 4, 0), whole(n, 3 + 2**32, 0), np.arange(n)]
    for other in others:
        assert abs(stats.spearmanr(base, other).statistic) < 4.5 / math.sqrt(n)
    # nor does what comes next: lag-one correlation within the order
    assert abs(np.corrcoef(base[:-1], base[1:])[0, 1]) < 4.5 / math.sqrt(n)


@pytest.mark.parametrize("n", [70_000, 1_000_000])
@pytest.mark.parametrize("apart", ["one", "a side"])
def test_steps_of_the_order_have_no_pattern(n, apart):
    # the network works on (row // side, row % side): with too few rounds one of them goes on in
    # step while the position does
    side = Permutation(n, 0, 0)._a
    by = 1 if apart == "one" else side
    rows = np.concatenate([Permutation(n, 0, e)[np.arange(20_000)] for e in range(3)])
    steps = rows[by:] - rows[:-by]
    for modulus in (2, 3, 16, side, -(-n // side)):
        counts = np.bincount(steps % modulus, minlength=modulus)
        assert stats.chisquare(counts).pvalue > UNLIKELY, modulus
    quotients = (rows[by:] // side - rows[:-by] // side) % side
    assert stats.chisquare(np.bincount(quotients, minlength=side)).pvalue > UNLIKELY


def test_fixed_points_and_successors_are_as_rare_as_they_should_be():
    n, epochs = 500, 1000
    orders = np.stack([whole(n, 9, epoch) for epoch in range(epochs)])
    stays = (orders == np.arange(n)).sum(1)
    follows = (np.diff(orders, axis=1) == 1).sum(1)
    agrees = (orders[1:] == orders[:-1]).sum(1)
    for counts in (stays, follows, agrees):  # each is Poisson with mean 1, nearly
        seen = np.bincount(np.minimum(counts, 5), minlength=6)
        chance = stats.poisson(1).pmf(range(5))
        expected = np.append(chance, 1 - chance.sum()) * len(counts)
        assert stats.chisquare(seen, expected).pvalue > UNLIKELY


@pytest.mark.parametrize("n", [2, 7, 9, 12, 25, 49])
def test_parity_of_the_order_is_a_coin(n):
    odd = 0
    for epoch in range(400):
        order = whole(n, 1, epoch)
        odd += int((order[:, None] > order)[np.triu_indices(n, 1)].sum() % 2)
    assert stats.binomtest(odd, 400).pvalue > UNLIKELY


@pytest.mark.parametrize("n", [10**10, 2**48 - 1])
def test_ten_thousand_million_rows_need_no_table(n):
    order = Permutation(n, seed=1, epoch=2)
    assert len(order) == n
    rows = order[np.arange(20_000)]
    assert len(np.unique(rows)) == 20_000
    assert rows.min() >= 0
    assert rows.max() < n
    assert stats.chisquare(np.bincount(rows // (n // 50 + 1), minlength=50)).pvalue > UNLIKELY
    ends = order[[0, n - 1, n // 2]]
    assert len(np.unique(ends)) == 3


def test_any_way_of_asking_gives_the_same_rows():
    order = Permutation(1000, seed=4, epoch=5)
    rows = order[np.arange(1000)]
    assert np.array_equal(order[list(range(1000))], rows)
    assert np.array_equal(order[np.arange(1000).reshape(10, 100)], rows.reshape(10, 100))
    assert np.array_equal(order[np.arange(1000, dtype=np.uint16)], rows)
    assert int(order[7]) == rows[7]
    assert order[7].shape == ()
    assert np.array_equal(order[[5, 5]], rows[[5, 5]])
    assert np.array_equal(Permutation(1000, seed=4, epoch=5)[np.arange(1000)], rows)
    assert np.array_equal(pickle.loads(pickle.dumps(order))[np.arange(1000)], rows)
    assert order[[]].shape == (0,)


def test_asking_does_not_change_the_positions():
    positions = np.arange(100)
    Permutation(100, 0, 0)[positions]
    assert np.array_equal(positions, np.arange(100))


def test_seed_is_any_integer():
    assert np.array_equal(whole(100, seed=-1), whole(100, seed=2**64 - 1))
    assert np.array_equal(whole(100, seed=np.int64(-1)), whole(100, seed=-1))
    assert not np.array_equal(whole(100, seed=1), whole(100, seed=1 << 32))
    assert not np.array_equal(whole(100, epoch=0), whole(100, epoch=2**32 - 1))


@pytest.mark.parametrize("positions", [[-1], [10], [0, 10], [2**40]])
def test_positions_outside_are_refused(positions):
    with pytest.raises(IndexError, match="order of 10"):
        Permutation(10, 0, 0)[positions]


def test_nothing_can_be_asked_of_nothing():
    assert Permutation(0, 0, 0)[[]].size == 0
    with pytest.raises(IndexError):
        Permutation(0, 0, 0)[[0]]


@pytest.mark.parametrize("n", [-1, 2**48])
def test_impossible_sizes_are_refused(n):
    with pytest.raises(ValueError, match=r"n must be in \[0, 2\*\*48\)"):
        Permutation(n, 0, 0)


@pytest.mark.parametrize("epoch", [-1, 2**32])
def test_impossible_epochs_are_refused(epoch):
    with pytest.raises(ValueError, match="epoch must be in"):
        Permutation(10, 0, epoch)


@given(start=st.integers(0, 10**12), length=st.integers(0, 10_000), world_size=st.integers(1, 300))
def test_ranks_share_everything_and_nothing_twice(start, length, world_size):
    shares = [rank_share(start, start + length, rank, world_size) for rank in range(world_size)]
    assert shares[0][0] == start
    assert shares[-1][1] == start + length
    assert all(a[1] == b[0] for a, b in itertools.pairwise(shares))
    sizes = [last - first for first, last in shares]
    assert min(sizes) >= 0
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)
