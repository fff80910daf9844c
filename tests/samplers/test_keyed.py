"""Many permutations at once are those of ``Permutation``; no two purposes share numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainkit.order import SMALL, TINY, Permutation
from domainkit.samplers import keyed

SIZES = st.integers(1, 200) | st.integers(SMALL - 2, SMALL + 2) | st.integers(1, 2**48 - 1)


@given(st.lists(st.tuples(SIZES, st.integers(0, 2**64 - 1)), min_size=1, max_size=8), st.data())
def test_it_is_permutation_for_each(orders, data):
    asked = data.draw(
        st.lists(
            st.integers(0, len(orders) - 1).flatmap(
                lambda k: st.tuples(st.just(k), st.integers(0, orders[k][0] - 1))
            ),
            max_size=30,
        )
    )
    which = [k for k, _ in asked]
    places = np.array([place for _, place in asked], dtype=np.int64)
    sizes = np.array([orders[k][0] for k in which], dtype=np.int64)
    seeds = np.array([orders[k][1] for k in which], dtype=np.uint64)
    rows = keyed.permute(places, sizes, seeds)
    assert rows.dtype == np.int64
    assert rows.tolist() == [int(Permutation(*orders[k], epoch=0)[[p]][0]) for k, p in asked]


@pytest.mark.parametrize(
    "n", [*range(1, 40), TINY - 1, TINY, 2**24, (2**24) ** 2 - 1, 4095**2, 4095**2 + 1, 4095**2 - 1]
)
def test_the_sides_are_those_of_permutation(n):
    # the root is taken of a float: squares and their neighbours are where it could be off by one
    places = np.unique(np.array([0, n // 3, n // 2, n - 1]))
    rows = keyed.permute(places, n, 12345)
    assert np.array_equal(rows, Permutation(n, 12345, 0)[places])


def test_many_places_at_once(monkeypatch):
    sizes = np.repeat(np.arange(1, 200), np.arange(1, 200))
    places = np.concatenate([np.arange(n) for n in range(1, 200)])
    rows = keyed.permute(places, sizes, sizes)
    monkeypatch.setattr(keyed, "CHUNK", 97)
    assert np.array_equal(keyed.permute(places, sizes, sizes), rows)


def test_purposes_and_indices_have_numbers_of_their_own():
    purposes = [v for k, v in vars(keyed).items() if k.isupper() and 2 <= v <= 9 and k != "TINY"]
    assert len(purposes) == len(set(purposes)) == 8
    seeds = [
        keyed.subseeds(seed, epoch, purpose, first, second)[0]
        for seed in (0, 1, 2**32)
        for epoch in (0, 1)
        for purpose in purposes
        for first, second in ((0, 0), (1, 0), (0, 1))
    ]
    assert len(set(seeds)) == len(seeds) == 3 * 2 * 8 * 3
