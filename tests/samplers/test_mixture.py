"""Mixture: fair at every place, every part shuffled for itself, an end where it says."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support.rows import dataset
from support.sampled import UNLIKELY, Rows, runs_test, serial_test, whole

import domainkit as dk
from domainkit.samplers import Mixture

PARTS = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 7, 0.1, 0.25]), st.integers(1, 60)), min_size=1, max_size=6
)


def joined(sizes: list[int] | tuple[int, ...]) -> Rows:
    return Rows(sum(sizes), parts=tuple(sizes))


def parts_of(rows: np.ndarray, sizes: list[int] | tuple[int, ...]) -> np.ndarray:
    return np.searchsorted(np.cumsum(sizes), rows, side="right")


def assert_fair(whose: np.ndarray, proportions: list[Fraction]) -> None:
    """Nobody is ever a whole row ahead or behind."""
    for k, share in enumerate(proportions):
        mine = np.cumsum(whose == k)
        for n, count in enumerate(mine.tolist(), 1):
            assert abs(count - n * share) < 1


@given(PARTS, st.sampled_from(["first", "all", 150]), st.integers())
def test_it_is_fair_at_every_place_and_each_pass_shows_all(parts, stop, seed):
    weights, sizes = [w for w, _ in parts], [n for _, n in parts]
    rows = whole(Mixture(weights, stop=stop).order(joined(sizes), seed, 1))
    whose = parts_of(rows, sizes)
    exact = [Fraction(str(w)) for w in weights]
    assert_fair(whose, [w / sum(exact) for w in exact])
    starts = np.cumsum(sizes) - sizes
    for k, size in enumerate(sizes):
        mine = rows[whose == k] - starts[k]
        for start in range(0, len(mine) - size + 1, size):
            assert np.array_equal(np.sort(mine[start : start + size]), np.arange(size))
        if stop == "first":
            assert len(np.unique(mine)) == len(mine)
        if stop == "all":
            assert len(mine) >= size
    if stop == "all":  # and not one place later
        last = whose[-1]
        assert np.count_nonzero(whose == last) == sizes[last]
    if stop == 150:
        assert len(rows) == 150


def test_first_ends_where_mix_ends(tmp_path):
    ds = dataset(tmp_path, 90)
    sets = [ds[:50], ds[50:70], ds[70:]]
    for weights in ([1, 1, 1], [5, 2, 2], [0.7, 0.2, 0.1]):
        assert Mixture(weights).length(dk.concat(sets)) == len(dk.mix(sets, weights))
    for temperature in (1, 2, 5.5):
        mixed = dk.mix(sets, temperature=temperature)
        mixture = Mixture(temperature=temperature)
        assert mixture.length(dk.concat(sets)) == len(mixed)
        # whose turn it is does not depend on the seed: only the rows within a part do
        rows = whole(mixture.order(dk.concat(sets), 0, 0))
        assert np.array_equal(
            parts_of(rows, [50, 20, 20]), parts_of(mixed.ids(range(len(mixed))), [50, 20, 20])
        )


@pytest.mark.parametrize("temperature", [0.5, 1, 2, 3.7, 100, math.inf])
def test_proportions_are_powers_of_the_sizes(temperature):
    sizes = (100, 2000, 37, 50_000)
    n = 65_536 * 2
    rows = whole(Mixture(temperature=temperature, stop=n).order(joined(sizes), 0, 0))
    found = np.bincount(parts_of(rows, sizes), minlength=4) / n
    powers = np.array(sizes, float) ** (1 / temperature)
    expected = powers / powers.sum()
    # rounded to 1/65,536, at least one
    assert np.abs(found - np.maximum(expected, 1 / 65_536)).max() < 4 / 65_536


def test_temperature_one_shows_every_row_once():
    sizes = (10, 20, 33)
    order = Mixture(temperature=1).order(joined(sizes), 0, 0)
    assert np.array_equal(np.sort(whole(order)), np.arange(63))


def test_parts_are_shuffled_for_themselves():
    sizes = (5000, 10_000)
    rows = whole(Mixture([1, 2]).order(joined(sizes), 4, 0))
    first, second = rows[rows < 5000], rows[rows >= 5000] - 5000
    for part in (first, second):
        assert runs_test(part) > UNLIKELY
        assert serial_test(part, 1) > UNLIKELY
    assert abs(stats.spearmanr(first, second[:5000]).statistic) < 4.5 / 5000**0.5


def test_a_part_is_shuffled_anew_in_each_pass_and_epoch():
    sizes, sampler = (30, 3000), Mixture([1, 1], stop="all")
    rows = [whole(sampler.order(joined(sizes), 0, epoch)) for epoch in range(2)]
    passes = [tuple(p) for r in rows for p in r[r < 30].reshape(100, 30).tolist()]
    assert len(set(passes)) == 200
    firsts = np.bincount([p[0] for p in passes], minlength=30)
    assert stats.chisquare(firsts).pvalue > UNLIKELY


def test_far_positions_are_those_of_the_pattern():
    order = Mixture([3, 1], stop=2**47).order(joined((10**9, 10**10)), 0, 0)
    rows = order[np.arange(2**47 - 4000, 2**47)]
    assert np.count_nonzero(rows < 10**9) == 3000


def test_a_view_of_a_concat_keeps_its_parts(tmp_path):
    ds = dataset(tmp_path, 60)
    view = dk.concat([ds[:40], ds[40:]])[20:].select_columns(["number"])
    assert view.parts == (20, 20)
    rows = whole(Mixture([1, 1]).order(view, 0, 0))
    assert np.array_equal(np.sort(rows), np.arange(40))
    assert_fair((rows >= 20).astype(int), [Fraction(1, 2)] * 2)


def test_impossible_arguments_are_refused(tmp_path):
    for wrong in ({}, {"weights": [1], "temperature": 2}):
        with pytest.raises(ValueError, match="one of the two"):
            Mixture(**wrong)
    for weights in ([], [1, 0], [1, -1], [math.nan], [math.inf, 1]):
        with pytest.raises(ValueError, match="positive numbers"):
            Mixture(weights)
    for temperature in (0, -1, math.nan):
        with pytest.raises(ValueError, match="above 0"):
            Mixture(temperature=temperature)
    for stop in ("last", 0, -5):
        with pytest.raises(ValueError, match="stop must be"):
            Mixture([1], stop=stop)
    with pytest.raises(ValueError, match="3 weights and 2 parts"):
        Mixture([1, 1, 1]).length(joined((3, 4)))
    with pytest.raises(ValueError, match="part 1 has no rows"):
        Mixture([1, 1]).length(joined((3, 0)))
    ds = dataset(tmp_path, 10)
    with pytest.raises(ValueError, match="2 weights and 1 parts"):
        Mixture([1, 1]).length(ds)
    mixed = dk.mix([ds, ds], [1, 1])
    with pytest.raises(ValueError, match="concat the views"):
        Mixture([1, 1]).length(mixed)
