"""Endless: epoch after epoch as one, without keeping them."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sampled import Rows, whole

from domainkit.order import Permutation
from domainkit.samplers import Blocks, Endless, Repeated, Sampler, Shuffled, Weighted

SAMPLERS = [Shuffled(), Blocks(4, 2), Weighted("w", replacement=False), Repeated(3)]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
@settings(max_examples=15)
@given(n=st.integers(5, 40), first=st.integers(0, 100), count=st.integers(0, 100))
def test_it_is_the_epochs_one_after_another(sampler, n, first, count):
    ds = Rows(n, w=np.arange(n) + 1)
    stream = Endless(sampler).order(ds, 9, 0)
    epochs = -(-(first + count) // sampler.length(ds))
    joined = [whole(sampler.order(ds, 9, epoch)) for epoch in range(epochs)]
    expected = np.concatenate([*joined, np.empty(0, np.int64)])[first : first + count]
    assert np.array_equal(stream[np.arange(first, first + count)], expected)


def test_it_has_2_to_the_48_positions():
    stream = Endless(Shuffled()).order(Rows(10**6), 0, 0)
    assert len(stream) == Endless().length(Rows(10**6)) == 2**48
    epoch, place = divmod(2**48 - 1, 10**6)
    assert stream[[2**48 - 1]].tolist() == Permutation(10**6, 0, epoch)[[place]].tolist()
    with pytest.raises(IndexError):
        stream[[2**48]]
    with pytest.raises(IndexError, match=r"2\*\*32 epochs of 3 rows"):
        Endless(Shuffled()).order(Rows(3), 0, 0)[[3 * 2**32]]


def test_it_keeps_two_orders():
    alive = weakref.WeakSet()

    class Order:
        def __getitem__(self, positions):
            return np.zeros(len(positions), np.int64)

    class Watched(Sampler):
        made = 0

        def length(self, dataset):
            return len(dataset)

        def order(self, dataset, seed, epoch):
            Watched.made += 1
            order = Order()
            alive.add(order)
            return order

    stream = Endless(Watched()).order(Rows(10), 0, 0)
    for first in range(0, 60, 5):
        stream[np.arange(first, first + 5)]
        stream[np.arange(first, first + 5)]
        gc.collect()
        assert len(alive) <= 2
    assert Watched.made == 6


def test_impossible_streams_are_refused():
    with pytest.raises(ValueError, match="one epoch, number 0; got epoch 3"):
        Endless().order(Rows(5), 0, 3)
    with pytest.raises(ValueError, match="this has none"):
        Endless().order(Rows(0), 0, 0)
    for wrong in (True, "blocks", Shuffled, Endless()):
        with pytest.raises(TypeError, match="a sampler that has an end"):
            Endless(wrong)
