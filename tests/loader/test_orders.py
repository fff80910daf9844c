"""Orders in the loader: what comes when, and whose random draws each occurrence gets."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from support.process_work import jitter
from support.rows import dataset

import domainkit as dk
from domainkit import samplers as S
from domainkit.dataset import Dataset
from domainkit.draws import Draws
from domainkit.errors import StateError
from domainkit.loader import Loader

N = 53


@pytest.fixture(scope="module")
def ds(tmp_path_factory) -> Dataset:
    return dataset(tmp_path_factory.mktemp("orders"), N).select_columns(["number", "label"])


def numbers(batches: Any) -> list[int]:
    return [int(i) for batch in batches for i in batch["number"]]


def ranks(ds: Dataset, world_size: int, size: int, **kwargs: Any) -> list[Loader]:
    return [Loader(ds, size, rank=r, world_size=world_size, **kwargs) for r in range(world_size)]


def interleaved(loaders: list[Loader], steps: int) -> list[Any]:
    rows = zip(*(itertools.islice(loader, steps) for loader in loaders), strict=True)
    return [batch for step in rows for batch in step]


ORDERS: dict[str, Any] = {
    "weighted": S.Weighted(np.arange(N, dtype=float), num_samples=200),
    "weighted once": S.Weighted(np.arange(1, N + 1, dtype=float), replacement=False),
    "balanced": S.ClassBalanced("label"),
    "repeated": S.Repeated(3),
    "blocks": S.Blocks(rows=4, window=2),
    "stream": S.Endless(S.Shuffled()),
}


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_is_the_samplers_for_any_world_and_threads(ds, name):
    sampler = ORDERS[name]
    order = sampler.order(ds, 9, 0)
    expected = order[np.arange(48)].tolist()
    for world_size, size, threads in ((1, 12, 0), (2, 6, 2), (4, 3, 1), (3, 8, 3)):
        loaders = ranks(ds, world_size, size, sampler=sampler, seed=9, num_threads=threads)
        assert numbers(interleaved(loaders, 48 // (world_size * size))) == expected


@pytest.mark.parametrize("name", ORDERS)
def test_restarts_at_another_world_size_go_on_exactly(ds, name):
    whole = Loader(ds, 4, sampler=ORDERS[name], seed=2)
    expected = numbers(itertools.islice(whole, 12))
    first = ranks(ds, 2, 5, sampler=ORDERS[name], seed=2)
    got = numbers(interleaved(first, 2))
    state = json.loads(json.dumps(first[0].state_dict()))
    assert state == first[1].state_dict()
    second = ranks(ds, 4, 2, sampler=ORDERS[name], seed=0)
    for loader in second:
        loader.load_state_dict(state)
    assert got + numbers(interleaved(second, 3)) == expected[:44]


def test_an_occurrence_of_a_row_has_draws_of_its_own(ds):
    for sampler in (S.Repeated(3), S.Weighted(np.ones(N), num_samples=150)):
        batches = list(Loader(ds, 7, sampler=sampler, seed=1, transform=jitter))
        noise = torch.cat([b["noise"] for b in batches])
        assert len({tuple(row) for row in noise.tolist()}) == len(noise) == sampler.length(ds)
        # independent of the batch: the draws belong to the position
        truth = Draws(seed=1, epoch=0, ids=torch.arange(len(noise))).uniform(3)
        assert torch.equal(noise, truth)


def test_a_row_that_a_view_shows_twice_has_draws_of_its_own(ds):
    twice = ds.select([4, 7, 4, 9])
    assert twice.repeats and not ds.repeats and not ds.select([3, 1]).repeats
    assert not ds[::-1].repeats
    batch = next(iter(Loader(twice, 4, transform=jitter)))
    assert batch["number"].tolist() == [4, 7, 4, 9]
    assert len({tuple(row) for row in batch["noise"].tolist()}) == 4
    shuffled = Loader(twice, 3, shuffle=True, seed=3, transform=jitter)
    given = {
        (n, tuple(x))
        for b in shuffled
        for n, x in zip(b["number"].tolist(), b["noise"].tolist(), strict=True)
    }
    again = Loader(twice, 1, shuffle=True, seed=3, transform=jitter, num_threads=0)
    assert given == {
        (int(b["number"][0]), tuple(b["noise"][0].tolist())) for b in again
    }  # whatever the batches are


def test_copies_share_a_global_batch(ds):
    for step in zip(*ranks(ds, 2, 3, sampler=S.Repeated(3), seed=1), strict=False):
        assert all(count == 3 for count in Counter(numbers(step)).values())


def test_an_infinite_stream_is_epoch_after_epoch(ds):
    loader = Loader(ds, 10, shuffle=True, seed=4, infinite=True)
    seen = numbers(itertools.islice(loader, 16))
    for epoch in range(3):
        part = seen[epoch * N : (epoch + 1) * N]
        truth = S.Shuffled().order(ds, 4, epoch)[np.arange(N)].tolist()
        assert part == truth[: len(part)]
    # leaving the loop ends nothing: there is but one epoch
    assert loader.state_dict()["cursor"] == 160 and loader.epoch == 0
    assert (
        numbers([next(iter(loader))])
        == numbers(itertools.islice(Loader(ds, 10, shuffle=True, seed=4, infinite=True), 17))[160:]
    )
    with pytest.raises(ValueError, match="no epochs"):
        loader.set_epoch(1)


def test_mixtures_keep_their_proportions(ds):
    both = dk.concat([ds[:40], ds[40:]])
    loader = Loader(both, 8, sampler=S.Mixture(weights=[3, 1]), seed=5)
    for batch in loader:
        if len(batch.ids) == 8:
            assert sum(n >= 40 for n in batch["number"].tolist()) == 2


def test_an_epoch_of_a_sampler_has_its_length(ds):
    loader = Loader(ds, 8, sampler=S.Repeated(2))
    assert len(loader) == len(list(loader)) == -(-2 * N // 8)
    assert loader.state_dict()["cursor"] == 2 * N
    assert len(Loader(ds, 8, sampler=S.Weighted("number", num_samples=17))) == 3


def test_an_order_of_another_sampler_is_refused(ds):
    state = Loader(ds, 8, sampler=S.Weighted("number")).state_dict()
    with pytest.raises(StateError, match="order's kind is 'Weighted', this loader's is 'Shuffled'"):
        Loader(ds, 8, shuffle=True).load_state_dict(state)
    with pytest.raises(StateError, match="order's weights"):
        Loader(ds, 8, sampler=S.Weighted(np.ones(N))).load_state_dict(state)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"shuffle": "block"}, ValueError, "True, False or 'blocks', got 'block'"),
        ({"shuffle": True, "sampler": S.Shuffled()}, ValueError, "not both"),
        ({"sampler": torch.utils.data.SequentialSampler(range(3))}, TypeError, "torch sampler"),
        ({"sampler": S.ClassBalanced("labels")}, KeyError, "Did you mean 'label'"),
    ],
    ids=lambda x: str(x)[:30],
)
def test_wrong_orders(ds, given, error, message):
    with pytest.raises(error, match=message):
        next(iter(Loader(ds, 8, **given)))
