"""What holds for every sampler: an order is a function of seed, epoch and position."""

from __future__ import annotations

import copy
import json
import math
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sampled import Rows, whole

import domainkit as dk
from domainkit import samplers
from domainkit.order import Permutation, rank_share
from domainkit.samplers import (
    Blocks,
    ClassBalanced,
    Endless,
    Mixture,
    Repeated,
    Sampler,
    Sequential,
    Shuffled,
    Weighted,
)

N = 1009  # a prime
LABELS = np.arange(N) % 7 // 3
DATASET: Any = Rows(N, parts=(600, 400, 9), label=LABELS, weight=np.arange(N) / 3)
EVERY = [
    Sequential(),
    Shuffled(),
    Blocks(rows=16, window=4),
    Blocks(),
    Weighted(np.arange(N)),
    Weighted("weight", num_samples=2000),
    Weighted("weight", replacement=False),
    Weighted(np.arange(N), replacement=False, num_samples=100),
    ClassBalanced(),
    ClassBalanced(num_samples=3000),
    Repeated(3),
    Repeated(2, shuffle="blocks", num_samples=N),
    Mixture([3, 2, 1]),
    Mixture(temperature=3, stop="all"),
    Mixture(temperature=math.inf, stop=500),
    Endless(Shuffled()),
    Endless(Weighted("weight", replacement=False)),
]
ENDING = [s for s in EVERY if not isinstance(s, Endless)]
RANDOM = [s for s in EVERY if not isinstance(s, Sequential)]


def name(sampler: Any) -> str:
    return repr(sampler).replace(" ", "")


def positions(sampler: Sampler) -> np.ndarray:
    return np.arange(min(sampler.length(DATASET), 3000))


@pytest.mark.parametrize("sampler", EVERY, ids=name)
def test_an_order_is_as_long_as_it_says_and_gives_rows(sampler):
    order = sampler.order(DATASET, 5, 0)
    assert len(order) == sampler.length(DATASET)
    rows = order[positions(sampler)]
    assert rows.dtype == np.int64
    assert rows.min() >= 0
    assert rows.max() < N
    assert order[[]].shape == (0,)


@pytest.mark.parametrize("sampler", EVERY, ids=name)
def test_rows_repeat_only_where_it_says_so(sampler):
    rows = sampler.order(DATASET, 5, 0)[positions(sampler)]
    assert sampler.repeats == (len(np.unique(rows)) < len(rows))


@pytest.mark.parametrize("sampler", EVERY, ids=name)
def test_any_way_of_asking_gives_the_same_rows(sampler):
    # any batch size, any number of ranks, any restart: all of them only ask for other slices
    order, places = sampler.order(DATASET, 5, 0), positions(sampler)
    rows = order[places]
    for size in (1, 7, 64, 1000):
        again = sampler.order(DATASET, 5, 0)
        parts = [again[places[i : i + size]] for i in range(0, min(len(places), 50 * size), size)]
        assert np.array_equal(np.concatenate(parts), rows[: 50 * size])
    for world in (2, 3, 8):
        shares = [rank_share(0, len(places), rank, world) for rank in range(world)]
        dealt = [sampler.order(DATASET, 5, 0)[places[a:b]] for a, b in shares]
        assert np.array_equal(np.concatenate(dealt), rows)
    backwards = np.concatenate([order[[p]] for p in places[:100][::-1]])
    assert np.array_equal(backwards[::-1], rows[:100])
    assert np.array_equal(order[places[:6].reshape(2, 3)], rows[:6].reshape(2, 3))
    assert np.array_equal(order[places[:9].tolist()], rows[:9])
    assert int(order[5]) == rows[5]


@pytest.mark.parametrize("sampler", EVERY, ids=name)
def test_threads_may_ask_at_once(sampler):
    order, places = sampler.order(DATASET, 5, 0), positions(sampler)
    chunks = np.array_split(places, 20)
    with ThreadPoolExecutor(4) as pool:
        rows = np.concatenate(list(pool.map(order.__getitem__, chunks)))
    assert np.array_equal(rows, sampler.order(DATASET, 5, 0)[places])


@pytest.mark.parametrize("sampler", EVERY, ids=name)
def test_samplers_and_orders_can_be_sent_to_another_process(sampler):
    order, places = sampler.order(DATASET, 5, 0), positions(sampler)
    for other in (pickle.loads(pickle.dumps(sampler)), copy.deepcopy(sampler)):
        assert other == sampler
        assert hash(other) == hash(sampler)
        assert np.array_equal(other.order(DATASET, 5, 0)[places], order[places])
    sent = pickle.loads(pickle.dumps(order))
    assert len(sent) == len(order)
    assert np.array_equal(sent[places], order[places])


def test_a_pickle_does_not_carry_tables():
    sampler = Weighted("weight")
    before = len(pickle.dumps(sampler))
    sampler.order(DATASET, 0, 0)
    assert len(pickle.dumps(sampler)) == before


@pytest.mark.parametrize("sampler", EVERY, ids=name)
def test_a_spec_goes_through_json(sampler):
    spec = sampler.spec()
    assert json.loads(json.dumps(spec, allow_nan=False)) == spec
    assert len(json.dumps(spec)) < 300
    assert spec["kind"] == type(sampler).__name__


def test_specs_tell_samplers_apart():
    specs = [json.dumps(s.spec()) for s in EVERY]
    assert len(set(specs)) == len(EVERY)
    assert len(set(EVERY)) == len(EVERY)
    assert Sequential() != Shuffled()
    assert Sequential() != "Sequential"


def test_specs_are_those_of_saved_states():
    assert Shuffled().spec() == {"kind": "Shuffled"}
    assert Blocks().spec() == {"kind": "Blocks", "rows": 512, "window": 16}
    assert Mixture([1, 2.5]).spec() == {
        "kind": "Mixture",
        "weights": [1, 2.5],
        "temperature": None,
        "stop": "first",
    }
    copies = {"kind": "Repeated", "times": 3, "shuffle": True, "num_samples": None}
    assert Endless(Repeated(3)).spec() == {"kind": "Endless", "sampler": copies}


def test_equal_numbers_are_an_equal_sampler():
    assert Weighted([1, 2]) == Weighted(np.array([1.0, 2.0]))
    assert Weighted([1, 2]) != Weighted([2, 1])
    assert Blocks(rows=np.int64(512)) == Blocks()


@pytest.mark.parametrize("sampler", RANDOM, ids=name)
def test_seed_and_epoch_change_the_order(sampler):
    places = positions(sampler)
    base = sampler.order(DATASET, 5, 0)[places]
    others = [sampler.order(DATASET, seed, 0)[places] for seed in (6, 5 + 2**32)]
    if not isinstance(sampler, Endless):
        others += [sampler.order(DATASET, 5, epoch)[places] for epoch in (1, 2**32 - 1)]
    for other in others:
        assert (other == base).mean() < 0.6
    same = sampler.order(DATASET, 5 - 2**64, 0)[places]  # the low 64 bits count
    assert np.array_equal(same, base)


@pytest.mark.parametrize("sampler", ENDING, ids=name)
def test_positions_outside_are_refused(sampler):
    order = sampler.order(DATASET, 0, 0)
    for wrong in ([-1], [len(order)], [0, 2**50]):
        with pytest.raises(IndexError, match=f"order of {len(order)}"):
            order[wrong]


@pytest.mark.parametrize("sampler", [s for s in RANDOM if s in ENDING], ids=name)
@pytest.mark.parametrize("epoch", [-1, 2**32])
def test_impossible_epochs_are_refused(sampler, epoch):
    with pytest.raises(ValueError, match="epoch must be in"):
        sampler.order(DATASET, 0, epoch)[[0]]


def test_shuffled_is_the_order_that_models_were_trained_in():
    for n, seed, epoch in [(5000, 0, 0), (60_000, 7, 3), (100_000, -1, 2**32 - 1)]:
        rows = Shuffled().order(Rows(n), seed, epoch)[np.arange(n)]
        assert np.array_equal(rows, Permutation(n, seed, epoch)[np.arange(n)])


@given(n=st.integers(0, 300))
def test_sequential_is_the_rows_as_they_are(n):
    assert np.array_equal(whole(Sequential().order(Rows(n), 3, 4)), np.arange(n))


@pytest.mark.parametrize(
    "sampler",
    [
        *(Sequential(), Shuffled(), Blocks(), Repeated(3), Endless(Shuffled()), Endless(Blocks())),
        *(Mixture([5, 3], stop="all"), Mixture(temperature=2), Mixture([1, 1], stop=10**12)),
    ],
    ids=name,
)
def test_ten_thousand_million_rows_need_no_memory(sampler):
    def peak(n: int) -> int:
        dataset = Rows(n, parts=(n // 4, n - n // 4))
        tracemalloc.start()
        try:
            order = sampler.order(dataset, 1, 0)
            for first in (0, len(order) // 2, len(order) - 256):
                rows = order[np.arange(first, first + 256)]
                assert rows.min() >= 0
                assert rows.max() < n
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10**6)  # what is imported or kept by numpy is not the order's
    few, many = peak(10**6), peak(10**10)
    assert many < few + 64_000
    assert many < (4_000_000 if isinstance(sampler, Mixture) else 500_000)


def test_an_own_sampler_needs_length_and_order_only():
    class Backwards(Sampler):
        def length(self, dataset):
            return len(dataset)

        def order(self, dataset, seed, epoch):
            return np.arange(len(dataset))[::-1]

    assert Backwards().spec() == {"kind": "Backwards"}
    assert not Backwards().repeats
    stream = Endless(Backwards()).order(Rows(3), 0, 0)
    assert stream[np.arange(7)].tolist() == [2, 1, 0, 2, 1, 0, 2]
    with pytest.raises(TypeError, match="abstract"):
        Sampler()


def test_samplers_hang_on_the_package():
    assert dk.samplers is samplers
    assert "samplers" in dir(dk)
    assert samplers.__all__ == sorted(samplers.__all__)


# What a position showed must stay for ever, or a saved state goes on with other rows.
GOLDEN = {
    Blocks(rows=16, window=4): [185, 240, 188, 851, 929, 659],
    Weighted("weight", num_samples=2000): [939, 443, 889, 908, 1000, 484],
    Weighted("weight", replacement=False): [808, 913, 846, 559, 446, 21],
    ClassBalanced(): [608, 780, 968, 257, 756, 440],
    Repeated(3): [517, 517, 517, 113, 823, 976],
    Mixture([3, 2, 1], stop=2000): [260, 715, 318, 452, 983, 561],
    Mixture(temperature=3, stop="all"): [260, 715, 318, 413, 860, 421],
    Endless(Shuffled()): [517, 509, 131, 422, 754, 220],
}


@pytest.mark.parametrize("sampler", GOLDEN, ids=name)
def test_rows_are_those_of_every_version(sampler):
    rows = sampler.order(DATASET, 11, 0)[[0, 1, 2, 500, 501, 1000]]
    assert rows.tolist() == GOLDEN[sampler]
