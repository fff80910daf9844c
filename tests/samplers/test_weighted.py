"""Weighted: frequencies against the weights, against exact enumeration and against torch."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats
from support.rows import dataset
from support.sampled import UNLIKELY, Rows, whole

import domainkit as dk
from domainkit.errors import NotFoundError
from domainkit.samplers import Weighted
from domainkit.samplers import weighted as module
from domainkit.samplers.exponential import natural_log

WEIGHTS = np.array([0.5, 3, 1, 0, 2, 2, 10, 0.25, 1, 1, 4, 0])


def expected(weights: np.ndarray, n: int) -> np.ndarray:
    return n * weights / weights.sum()


# -- with replacement --------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [0, 1])
def test_rows_come_as_often_as_they_weigh(epoch):
    n = 200_000
    rows = whole(Weighted(WEIGHTS, num_samples=n).order(Rows(len(WEIGHTS)), 3, epoch))
    counts, some = np.bincount(rows, minlength=len(WEIGHTS)), WEIGHTS > 0
    assert (counts[~some] == 0).all()
    assert stats.chisquare(counts[some], expected(WEIGHTS[some], n)).pvalue > UNLIKELY


def test_many_rows_come_as_often_as_they_weigh():
    n, weights = 300_000, np.random.default_rng(1).lognormal(0, 1.5, 100_000)
    rows = whole(Weighted(weights, num_samples=n).order(Rows(len(weights)), 0, 0))
    groups = np.arange(len(weights)) % 500
    counts = np.bincount(groups[rows], minlength=500)
    share = np.bincount(groups, weights=weights)
    assert stats.chisquare(counts, expected(share, n)).pvalue > UNLIKELY
    heavy = np.argsort(weights)[-200:]  # single rows too
    counts = np.bincount(rows, minlength=len(weights))[heavy]
    rest = [n - counts.sum()]
    of = expected(weights, n)[heavy]
    assert stats.chisquare([*counts, *rest], [*of, n - of.sum()]).pvalue > UNLIKELY


def test_draws_do_not_depend_on_one_another():
    n = 100_000
    sampler = Weighted([1, 2, 3], num_samples=n)
    rows = whole(sampler.order(Rows(3), 0, 0))
    for other in (np.roll(rows, 1), np.roll(rows, 4), whole(sampler.order(Rows(3), 0, 1))):
        table = np.bincount(rows * 3 + other, minlength=9).reshape(3, 3)
        assert stats.chi2_contingency(table).pvalue > UNLIKELY


def test_positions_beyond_32_bits_have_draws_of_their_own():
    order = Weighted(np.ones(1000), num_samples=2**40).order(Rows(1000), 0, 0)
    assert not np.array_equal(order[np.arange(100)], order[np.arange(100) + 2**32])


def test_torch_draws_the_same_distribution():
    n = 100_000
    rows = whole(Weighted(WEIGHTS, num_samples=n).order(Rows(len(WEIGHTS)), 5, 0))
    torch.manual_seed(0)
    theirs = torch.multinomial(torch.from_numpy(WEIGHTS), n, replacement=True).numpy()
    table = np.stack([np.bincount(r, minlength=len(WEIGHTS)) for r in (rows, theirs)])
    assert stats.chi2_contingency(table[:, WEIGHTS > 0]).pvalue > UNLIKELY


def test_the_table_is_made_once_for_a_dataset(monkeypatch):
    made = []
    monkeypatch.setattr(module, "alias_table", lambda w: made.append(len(w)) or real(w))
    sampler, first, second = Weighted("w"), Rows(3, w=np.ones(3)), Rows(4, w=np.ones(4))
    for epoch in range(5):
        sampler.length(first)
        sampler.order(first, 0, epoch)[[0]]
    assert made == [3]
    sampler.order(second, 0, 0)
    assert made == [3, 4]


real = module.alias_table


# -- without replacement -----------------------------------------------------------------------


def chances(weights: np.ndarray, count: int) -> dict[tuple[int, ...], float]:
    """Of every sequence of draws without replacement, its probability."""
    found = {}
    for rows in itertools.permutations(range(len(weights)), count):
        chance, left = 1.0, float(weights.sum())
        for row in rows:
            chance *= weights[row] / left if weights[row] else 0
            left -= weights[row]
        found[rows] = chance
    return found


def draws(weights: np.ndarray, count: int | None, epochs: int) -> np.ndarray:
    sampler = Weighted(weights, replacement=False, num_samples=count)
    return np.stack([whole(sampler.order(Rows(len(weights)), 3, e)) for e in range(epochs)])


def test_sequences_come_as_often_as_drawing_one_by_one_gives_them():
    weights, epochs = np.array([1.0, 2, 3, 0, 6]), 4000
    exact = {rows: chance for rows, chance in chances(weights, 3).items() if chance}
    assert math.isclose(sum(exact.values()), 1)
    places = {rows: k for k, rows in enumerate(exact)}
    mine = draws(weights, 3, epochs)
    counts = np.bincount([places[tuple(r)] for r in mine.tolist()], minlength=len(exact))
    assert stats.chisquare(counts, epochs * np.array(list(exact.values()))).pvalue > UNLIKELY
    torch.manual_seed(0)
    theirs = torch.multinomial(torch.from_numpy(weights).expand(epochs, -1), 3)
    other = np.bincount([places[tuple(r)] for r in theirs.tolist()], minlength=len(exact))
    assert stats.chi2_contingency(np.stack([counts, other])).pvalue > UNLIKELY


def test_first_draws_and_inclusion_are_exact():
    weights, count, epochs = np.array([5.0, 1, 1, 2, 0.5, 8]), 2, 3000
    exact, rows = chances(weights, count), draws(weights, count, epochs)
    first = np.bincount(rows[:, 0], minlength=6)
    assert stats.chisquare(first, expected(weights, epochs)).pvalue > UNLIKELY
    for row in range(6):
        inclusion = sum(chance for rows_, chance in exact.items() if row in rows_)
        seen = int((rows == row).any(1).sum())
        assert stats.binomtest(seen, epochs, inclusion).pvalue > UNLIKELY


def test_equal_weights_are_a_shuffle():
    rows = whole(Weighted(np.ones(5000), replacement=False).order(Rows(5000), 0, 0))
    assert np.array_equal(np.sort(rows), np.arange(5000))
    assert abs(stats.spearmanr(rows, np.arange(5000)).statistic) < 4.5 / 5000**0.5


def test_no_row_twice_and_none_without_weight():
    weights = np.random.default_rng(0).integers(0, 3, 700_000).astype(float)
    order = Weighted(weights, replacement=False).order(Rows(len(weights)), 1, 2)
    rows = whole(order)
    assert np.array_equal(np.sort(rows), np.flatnonzero(weights))
    some = Weighted(weights, replacement=False, num_samples=1000).order(Rows(len(weights)), 1, 2)
    assert np.array_equal(whole(some), rows[:1000])


def test_the_smallest_weights_come_last():
    weights = np.array([1e-300, 1.0, 1e300, 5e-324])
    assert draws(weights, None, 5)[:, :3].tolist() == [[2, 1, 0]] * 5


def test_the_logarithm_is_the_logarithm():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.random(20_000), 2.0 ** -np.arange(54), 1 - 2.0 ** -np.arange(2, 54)])
    x = np.concatenate([x, [np.sqrt(0.5), np.nextafter(np.sqrt(0.5), 0), 1e300, 3.7]])
    exact = np.array([math.log(v) for v in x])
    error = np.abs(natural_log(x) - exact)
    assert (error <= 8e-16 * np.abs(exact)).all()


# -- arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize("replacement", [True, False])
def test_a_column_is_the_same_as_its_numbers(tmp_path, replacement):
    ds = dataset(tmp_path, 50)
    by_name = Weighted("half", replacement=replacement).order(ds, 0, 0)
    by_value = Weighted(ds["half"], replacement=replacement).order(ds, 0, 0)
    assert np.array_equal(whole(by_name), whole(by_value))
    assert len(by_name) == (50 if replacement else 49)  # that of row 0 is 0
    view = ds[10:20]
    rows = whole(Weighted("half", replacement=replacement).order(view, 0, 0))
    assert rows.max() < 10
    with pytest.raises(NotFoundError, match="no column 'weight'"):
        Weighted("weight").order(ds, 0, 0)
    with pytest.raises(TypeError, match="column 'text' must be numbers"):
        Weighted("text").order(ds, 0, 0)


@pytest.mark.parametrize("values", [[1, 2], (1.0, 2.0), torch.tensor([1, 2]), np.array([1, 2])])
def test_weights_may_be_any_numbers(values):
    sampler = Weighted(values)
    assert sampler.weights.dtype == np.float64
    assert sampler == Weighted([1, 2])
    with pytest.raises(ValueError, match="read-only"):
        sampler.weights[0] = 3


def test_the_caller_may_change_the_array_later():
    weights = np.ones(3)
    sampler = Weighted(weights)
    weights[:] = 0
    assert sampler.weights.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        ([1, -1], "row 1 is -1"),
        ([1, 2, math.nan], "row 2 is nan"),
        ([math.inf, 1], "row 0 is inf"),
        ([0, 0], "all zero"),
        ([], "all zero"),
    ],
)
def test_impossible_weights_are_refused(weights, problem):
    with pytest.raises(ValueError, match=problem):
        Weighted(np.array(weights, dtype=float) if weights else np.empty(0))
    with pytest.raises(ValueError, match=problem):
        Weighted("w").order(Rows(len(weights), w=np.array(weights, dtype=float)), 0, 0)


@pytest.mark.parametrize("weights", [np.ones((2, 2)), 3.0, None, np.array(["a"])])
def test_what_is_no_list_of_numbers_is_refused(weights):
    with pytest.raises(TypeError, match="must be numbers"):
        Weighted(weights)


def test_as_many_weights_as_rows_are_needed():
    with pytest.raises(ValueError, match="3 weights and 4 rows"):
        Weighted([1, 2, 3]).length(Rows(4))


def test_without_replacement_there_must_be_enough():
    sampler = Weighted([1, 0, 2], replacement=False, num_samples=3)
    with pytest.raises(ValueError, match="there are 2"):
        sampler.length(Rows(3))
    assert Weighted([1, 0, 2], replacement=False).length(Rows(3)) == 2
    assert Weighted([1, 0, 2], num_samples=30).length(Rows(3)) == 30
    with pytest.raises(ValueError, match="num_samples must be at least 1"):
        Weighted([1], num_samples=0)


def test_it_shows_how_many_weights_it_has():
    assert repr(Weighted(np.ones(1000))) == (
        "Weighted(<1000 numbers>, replacement=True, num_samples=None)"
    )
    assert "'w'" in repr(dk.samplers.Weighted("w"))
