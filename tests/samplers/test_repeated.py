"""Repeated: the copies of a row side by side, in the order of the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sampled import Rows, whole

from domainkit.samplers import Blocks, Repeated, Sequential, Shuffled


@given(n=st.integers(0, 200), times=st.integers(1, 7), seed=st.integers(), data=st.data())
def test_each_row_comes_that_many_times_in_a_row(n, times, seed, data):
    shuffle = data.draw(st.sampled_from([True, False, "blocks"]))
    inner = {True: Shuffled(), False: Sequential(), "blocks": Blocks()}[shuffle]
    rows = whole(Repeated(times, shuffle).order(Rows(n), seed, 3))
    assert np.array_equal(rows, np.repeat(whole(inner.order(Rows(n), seed, 3)), times))


def test_an_epoch_can_keep_its_length():
    n = 1000
    sampler = Repeated(3, num_samples=n)
    epochs = [whole(sampler.order(Rows(n), 0, epoch)) for epoch in range(12)]
    for rows in epochs:
        assert len(rows) == n
        kinds, counts = np.unique(rows, return_counts=True)
        assert len(kinds) == 334
        assert sorted(counts.tolist()) == [1] + [3] * 333
    # others in each epoch: of 12 draws of a third, a row is left out with chance 0.8 %
    assert len(np.unique(epochs)) > 960


def test_copies_share_a_global_batch():
    rows = whole(Repeated(4).order(Rows(100), 0, 0)).reshape(-1, 16)
    for batch in rows:
        assert np.unique(batch, return_counts=True)[1].tolist() == [4] * 4


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="times must be at least 1"):
        Repeated(0)
    with pytest.raises(ValueError, match="True, False or 'blocks'"):
        Repeated(2, shuffle="yes")
    with pytest.raises(ValueError, match="more than 2 times the 10 rows"):
        Repeated(2, num_samples=21).length(Rows(10))
    assert Repeated(2, num_samples=20).length(Rows(10)) == 20
    assert Repeated(2, shuffle=np.True_) == Repeated(2)
    assert not Repeated(1).repeats
