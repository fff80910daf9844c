"""Turns against the definition: nobody is ever a whole turn ahead or behind."""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainkit.mixing import (
    Turns,
    part_lengths,
    rounded_shares,
    tempered_shares,
    turns,
    until_first,
    whole_shares,
)

SHARES = st.lists(st.integers(1, 50) | st.integers(1, 10**18), min_size=1, max_size=12)


@given(SHARES, st.integers(0, 300))
def test_nobody_is_a_whole_turn_off(shares, n):
    whose = turns(shares, n)
    assert whose.shape == (n,)
    assert whose.dtype == np.int64
    taken = [0] * len(shares)
    for places, k in enumerate(whose, 1):
        taken[k] += 1
        for mine, share in zip(taken, shares, strict=True):
            assert abs(mine - Fraction(places * share, sum(shares))) < 1


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 3))
def test_a_whole_round_gives_everybody_exactly_their_share(shares, rounds):
    whose = turns(shares, rounds * sum(shares))
    assert np.bincount(whose, minlength=len(shares)).tolist() == [rounds * s for s in shares]
    first = whose[: sum(shares)]
    assert whose.tolist() == first.tolist() * rounds


def test_one_party_takes_every_turn():
    assert turns([7], 5).tolist() == [0] * 5
    assert turns([1, 1], 6).tolist() == [0, 1] * 3
    assert turns([1, 2, 3], 0).tolist() == []


# -- a table of one period ---------------------------------------------------------------------


@given(SHARES, st.integers(0, 300))
def test_a_table_of_one_period_gives_the_same_turns(shares, n):
    expected = turns(shares, n)
    whose, turn = Turns(shares, n)[np.arange(n)]
    assert np.array_equal(whose, expected)
    for k in range(len(shares)):
        assert turn[whose == k].tolist() == list(range(np.count_nonzero(whose == k)))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 2**45))
def test_far_turns_are_those_of_the_definition(shares, first):
    table = Turns(shares)
    places = np.arange(first, first + 100)
    whose, turn = table[places]
    for place, k, j in zip(places.tolist(), whose.tolist(), turn.tolist(), strict=True):
        share = Fraction(shares[k], sum(shares))
        assert math.floor(j / share) <= place < math.ceil((j + 1) / share)
        assert table.place(k, j) == place


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.data())
def test_until_first_is_as_far_as_all_have_rows(shares, data):
    sizes = [data.draw(st.integers(0, 60)) for _ in shares]
    n = until_first(shares, sizes)
    counts = np.bincount(turns(shares, n), minlength=len(shares))
    assert all(count <= size for count, size in zip(counts.tolist(), sizes, strict=True))
    exact = [Fraction((n + 1) * share, sum(shares)) for share in shares]
    assert any(e > size for e, size in zip(exact, sizes, strict=True))


def test_many_places_need_a_table_of_one_period_only():
    tracemalloc.start()
    try:
        table = Turns([7, 2, 1], 10**12)
        assert table[np.array([10**12 - 1])][0].tolist() == [table[np.array([9])][0][0]]
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()


# -- shares ------------------------------------------------------------------------------------


def test_whole_shares_take_numbers_as_they_are_written():
    assert whole_shares([0.7, 0.2, 0.1]) == [7, 2, 1]
    assert whole_shares([2, 4]) == [1, 2]
    assert whole_shares([np.float32(0.1), np.float64(0.3), 1e-3]) == [100, 300, 1]
    assert whole_shares([Fraction(1, 3), 1]) == [1, 3]


@given(st.lists(st.integers(1, 10**9) | st.integers(1, 20), min_size=1, max_size=40))
def test_rounded_shares_are_within_one_65536th(shares):
    rounded, total = rounded_shares(shares), sum(shares)
    assert sum(rounded) <= 65_536
    assert min(rounded) >= 1
    lifted = sum(1 for share in shares if share * 65_536 < total)
    for mine, share in zip(rounded, shares, strict=True):
        off = Fraction(mine, sum(rounded)) - Fraction(share, total)
        assert abs(off) < Fraction(1 + lifted, 65_536)
    if total // math.gcd(*shares) <= 65_536:
        assert [Fraction(r, sum(rounded)) for r in rounded] == [Fraction(s, total) for s in shares]


def test_too_many_to_round_are_refused():
    assert sum(rounded_shares([10**9] + [1] * 65_535)) == 65_536
    with pytest.raises(ValueError, match="at most 65536"):
        rounded_shares([1] * 65_537)


def test_temperature_flattens_proportions():
    sizes = [10, 1000, 100_000]
    last = Fraction(1)
    for temperature in (1, 1.5, 2, 5, 100, math.inf):
        shares = tempered_shares(sizes, temperature)
        share = Fraction(shares[-1], sum(shares))
        assert share < last
        last = share
    assert shares == [1, 1, 1]
    assert tempered_shares([10**10, 1], 0.01) == [65_535, 1]  # a power that no float holds
    assert tempered_shares([3, 3], 1e-9) == [1, 1]


def test_impossible_temperatures_are_refused():
    for temperature in (0, -1, math.nan):
        with pytest.raises(ValueError, match="temperature must be above 0"):
            tempered_shares([1, 2], temperature)
    with pytest.raises(ValueError, match="datasets with rows"):
        tempered_shares([1, 0], 2)


# -- parts -------------------------------------------------------------------------------------

STARTS = np.array([0, 3, 3, 10, 20])


@given(st.lists(st.integers(0, 19), max_size=30))
def test_part_lengths_count_rows_that_come_part_by_part(rows):
    whose = [max(k for k in range(4) if STARTS[k] <= row) for row in rows]
    array = np.array(rows, dtype=np.int64)
    if whose == sorted(whose):
        assert part_lengths(STARTS, array) == tuple(whose.count(k) for k in range(4))
    else:
        with pytest.raises(ValueError, match="from part to part"):
            part_lengths(STARTS, array)


@given(st.integers(0, 19), st.integers(0, 20), st.integers(-7, 7).filter(bool))
def test_a_range_of_rows_is_counted_like_an_array(start, stop, step):
    rows = range(start, stop, step)
    try:
        expected = part_lengths(STARTS, np.arange(start, stop, step))
    except ValueError:
        with pytest.raises(ValueError, match="from part to part"):
            part_lengths(STARTS, rows)
    else:
        assert part_lengths(STARTS, rows) == expected
