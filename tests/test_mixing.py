"""Turns against the definition: nobody is ever a whole turn ahead or behind."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domainkit.mixing import turns

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
