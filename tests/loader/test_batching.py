"""``Bucketed`` and ``Budget``: every sample once, like lengths together, whatever is changed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rows import dataset

import domainkit as dk
from domainkit.dataset import Dataset
from domainkit.errors import NotFoundError, StateError
from domainkit.features import Int, Text, Tokens
from domainkit.loader import Bucketed, Budget, Loader
from domainkit.ragged import Ragged

N = 1003


@pytest.fixture(scope="module")
def ds(tmp_path_factory) -> Dataset:
    """Rows whose number is their index, of lengths as uneven as those of sentences."""
    lengths = np.random.default_rng(3).lognormal(3, 0.8, N).astype(int) + 1

    def rows() -> Iterator[dict[str, Any]]:
        for i, length in enumerate(lengths.tolist()):
            yield {"number": i, "tokens": np.full(length, i), "text": "x" * length}

    features = {"number": Int(), "tokens": Tokens(), "text": Text()}
    return dataset(tmp_path_factory.mktemp("lengths"), rows(), features)


@pytest.fixture(scope="module")
def lengths(ds) -> np.ndarray:
    return np.array([len(row["tokens"]) for row in ds])


def numbers(batches: Any) -> list[int]:
    return [int(i) for batch in batches for i in batch["number"]]


def padded(batch: Any) -> int:
    """What the batch costs when it is padded."""
    tokens = batch["tokens"]
    if isinstance(tokens, Ragged):
        return int(tokens.host_shapes.max()) * len(tokens)
    return tokens.numel()


def test_lengths_are_known_without_decoding(ds, lengths):
    assert ds.lengths("tokens").tolist() == lengths.tolist()
    assert ds.lengths("text", [5, -1]).tolist() == lengths[[5, -1]].tolist()
    assert ds[10:20].lengths("number").tolist() == list(range(10, 20))
    with pytest.raises(NotFoundError, match="'tokens'"):
        ds.lengths("token")


@pytest.mark.parametrize("shuffle", [False, True, "blocks"])
@pytest.mark.parametrize(
    "size",
    [
        Bucketed(16, "tokens", window=128, bucket=32),
        Budget(tokens=500, window=128, bucket=32),
        Budget(tokens=300, padded=False, window=200, bucket=7),
        Budget(total=4000, column="number", max_samples=9, window=1003, bucket=100),
    ],
    ids=str,
)
def test_every_sample_comes_once_an_epoch(ds, size, shuffle):
    loader = Loader(ds, size, shuffle=shuffle, seed=1)
    first, second = numbers(loader), numbers(loader)
    assert sorted(first) == sorted(second) == list(range(N))
    assert (first == second) == (not shuffle)


@pytest.mark.parametrize("most", [None, 6])
def test_a_budget_is_kept_and_used(ds, lengths, most):
    budget = Budget(tokens=400, max_samples=most, window=256, bucket=64)
    loader = Loader(ds, budget, shuffle=True, seed=0)
    batches = list(loader)
    given = 0
    for batch, following in itertools.pairwise(batches):
        given += len(batch.ids)
        cost, count = padded(batch), len(batch.ids)
        assert cost <= 400 or count == 1
        # one more would not have fitted, unless the window ended
        longer = max(cost / count, lengths[int(following["number"][0])]) * (count + 1)
        assert longer > 400 or given % 256 == 0 or count == most


def test_sums_count_without_padding(ds):
    for batch in Loader(ds, Budget(tokens=400, padded=False), shuffle=True):
        total = sum(map(len, batch["tokens"]))
        assert total <= 400 or len(batch.ids) == 1


def test_a_sample_above_the_budget_comes_alone(ds, lengths):
    limit = int(np.sort(lengths)[-5])
    alone = [b for b in Loader(ds, Budget(tokens=limit)) if padded(b) > limit]
    assert len(alone) == (lengths > limit).sum() > 0
    assert all(len(b.ids) == 1 for b in alone)


def test_like_lengths_come_together(ds):
    # independent bound: sorting everything is the least padding there can be
    def waste(loader: Loader) -> float:
        batches = list(loader)
        real = sum(sum(map(len, b["tokens"])) for b in batches)
        return sum(map(padded, batches)) / real - 1

    plain = waste(Loader(ds, 16, shuffle=True))
    bucketed = waste(Loader(ds, Bucketed(16, "tokens", window=N, bucket=64), shuffle=True))
    best = waste(Loader(ds, Bucketed(16, "tokens", window=N, bucket=N)))
    assert bucketed < plain / 4
    assert bucketed < 2 * best + 0.05


def test_windows_are_the_reach_of_the_sorting(ds):
    order = numbers(Loader(ds, Bucketed(16, "tokens", window=100, bucket=20)))
    for start in range(0, N, 100):
        assert sorted(order[start : start + 100]) == list(range(start, min(start + 100, N)))


@pytest.mark.parametrize("last", ["short", "drop", "pad"])
@pytest.mark.parametrize("world_size", [1, 3])
def test_ranks_and_the_tail(ds, last, world_size):
    budget = Budget(tokens=300, window=64, bucket=16)
    every = [
        Loader(ds, budget, shuffle=True, last=last, rank=r, world_size=world_size)
        for r in range(world_size)
    ]
    batches = [list(loader) for loader in every]
    seen = Counter(numbers(itertools.chain(*batches)))
    counts = {len(b) for b in batches}
    if last == "short":
        assert seen == Counter(range(N))
        assert max(counts) - min(counts) <= 1
    else:
        assert len(counts) == 1  # even steps
    again = sum(seen.values()) - len(seen)
    assert again == every[0].padded
    if last == "pad":
        assert set(seen) == set(range(N))
    if last == "drop":
        assert again == 0
        assert N - len(seen) < sum(len(b.ids) for b in batches[0][-1:]) * 100
    if last != "drop":
        assert {loader.state_dict()["cursor"] for loader in every} == {N}


sizes = st.one_of(
    st.builds(Bucketed, st.integers(1, 70), st.just("tokens"), st.just(128), st.just(32)),
    st.builds(
        Budget,
        tokens=st.integers(40, 3000),
        max_samples=st.one_of(st.none(), st.integers(1, 50)),
        padded=st.booleans(),
        window=st.just(128),
        bucket=st.just(32),
    ),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(sizes, st.integers(1, 5), st.integers(0, 9)), min_size=1, max_size=5))
def test_nothing_is_lost_or_repeated_when_budget_and_world_change(ds, stages):
    state, seen = None, []
    only = ds.select_columns(["number", "tokens"])
    for stage, (size, world_size, steps) in enumerate(stages):
        loaders = [
            Loader(only, size, shuffle=True, seed=4, num_threads=0, rank=r, world_size=world_size)
            for r in range(world_size)
        ]
        if state is not None:
            for loader in loaders:
                loader.load_state_dict(state)
        running = [iter(loader) for loader in loaders]
        for _ in itertools.count() if stage == len(stages) - 1 else range(steps):
            got = [batch for it in running if (batch := next(it, None)) is not None]
            seen += numbers(got)
            if not got:
                break
        # a rank that got none in a short last step has not moved
        state = max((loader.state_dict() for loader in loaders), key=lambda s: s["cursor"])
        if state["cursor"] == N:
            break
    assert len(seen) == len(set(seen)) == state["cursor"]
    assert state["cursor"] == N or stage < len(stages) - 1


def test_threads_and_prefetching_change_nothing(ds):
    budget = Budget(tokens=400, window=128, bucket=32)
    given = [
        [
            b.ids.tolist()
            for b in Loader(ds, budget, shuffle=True, seed=2, num_threads=t, prefetch=p)
        ]
        for t, p in ((0, 1), (1, 1), (3, 7))
    ]
    assert given[0] == given[1] == given[2]


def test_a_state_of_another_window_is_refused(ds):
    state = Loader(ds, Bucketed(16, "tokens", window=128, bucket=32)).state_dict()
    Loader(ds, Budget(tokens=99, window=128, bucket=32)).load_state_dict(state)
    with pytest.raises(StateError, match="order's window is 128, this loader's is 8192"):
        Loader(ds, Bucketed(16, "tokens", bucket=32)).load_state_dict(state)
    with pytest.raises(StateError, match="order's column is 'tokens', this loader's is None"):
        Loader(ds, 16).load_state_dict(state)


def test_infinite_streams_have_no_short_batch(ds):
    loader = Loader(ds, Bucketed(64, "tokens", window=128, bucket=32), shuffle=True, infinite=True)
    batches = list(itertools.islice(loader, 40))
    assert {len(b.ids) for b in batches} == {64}
    seen = Counter(numbers(batches))
    # windows run over the end of an epoch: whole windows hold whole stretches of the stream
    assert max(seen.values()) - min(seen[i] for i in range(N)) <= 2
    with pytest.raises(TypeError, match="infinite loader does not know"):
        len(loader)
    with pytest.raises(TypeError, match="Budget does not know"):
        len(Loader(ds, Budget(tokens=400)))


def test_seconds_and_pixels():
    recordings = dk.load_dataset("audio/voice-prompts", "test")
    for batch in Loader(recordings, Budget(seconds=12.5), shuffle=True):
        sound = batch["audio"]
        wide = sound.shape[-1] if not isinstance(sound, Ragged) else int(sound.host_shapes.max())
        assert wide * len(batch.ids) / 8000 <= 12.5 or len(batch.ids) == 1
    rate = recordings.features["audio"].sample_rate
    told = recordings.lengths("audio", range(5))
    assert [len(recordings[i]["audio"][0]) / rate for i in range(5)] == pytest.approx(told)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Budget, "give one of tokens, seconds, pixels, total, got none"),
        (lambda: Budget(tokens=1, seconds=1), "got tokens, seconds"),
        (lambda: Budget(tokens=0), "tokens must be above 0"),
        (lambda: Budget(total=3), "needs column"),
        (lambda: Budget(tokens=3, max_samples=0), "max_samples must be at least 1"),
        (lambda: Bucketed(0, "tokens"), "size must be at least 1"),
        (lambda: Bucketed(1, "tokens", window=4, bucket=8), "1 <= bucket <= window"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_column_that_is_not_there(ds):
    with pytest.raises(NotFoundError, match="no column 'audio'"):
        Loader(ds, Budget(seconds=3))
