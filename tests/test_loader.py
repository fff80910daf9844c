"""The loader: one order and one augmentation, however many threads, ranks, batches and restarts."""

from __future__ import annotations

import gc
import io
import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from support.rows import dataset

import domainkit as dk
from domainkit.batch import Batch
from domainkit.dataset import Dataset
from domainkit.draws import Draws
from domainkit.errors import DecodeError, NotFoundError, StateError, TransformError
from domainkit.features import Image, Int
from domainkit.loader import Loader
from domainkit.order import Permutation
from domainkit.ragged import Ragged
from domainkit.vision import transforms as T

N = 53  # a prime: nothing divides it


@pytest.fixture(scope="module")
def ds(tmp_path_factory) -> Dataset:
    """Rows whose number is their index."""
    return dataset(tmp_path_factory.mktemp("loader"), N).select_columns(["number", "tokens"])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Dataset:
    """Encoded pictures of many sizes."""
    rng = np.random.default_rng(0)

    def rows() -> Iterator[dict[str, Any]]:
        for i in range(N):
            out = io.BytesIO()
            size = (*rng.integers(5, 20, 2), 3)
            Pillow.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(out, "PNG")
            yield {"image": out.getvalue(), "number": i}

    return dataset(tmp_path_factory.mktemp("pictures"), rows(), {"image": Image(), "number": Int()})


def numbers(batches: Any) -> list[int]:
    return [int(i) for batch in batches for i in batch["number"]]


def ranks(ds: Dataset, world_size: int, **kwargs: Any) -> list[Loader]:
    return [Loader(ds, rank=r, world_size=world_size, **kwargs) for r in range(world_size)]


def epoch(loaders: list[Loader]) -> list[Batch]:
    """One epoch of all ranks: their batches in the order of the samples."""
    steps = itertools.zip_longest(*loaders)
    return [batch for step in steps for batch in step if batch is not None]


def no_threads() -> bool:
    return not [t for t in threading.enumerate() if t.name.startswith("domainkit-loader")]


# -- the same order and augmentation, whatever the machine looks like ---------------------------

AUGMENT = T.Compose(
    [
        T.RandomHorizontalFlip(0.5),
        T.RandomResizedCrop(8),
        T.ColorJitter(brightness=0.4),
        T.ToDtype("float32", scale=True),
    ]
)


def truth(pictures: Dataset, seed: int, epoch: int) -> dict[int, torch.Tensor]:
    """Every picture augmented alone, with the draws that its id says."""
    alone = {}
    for i in range(N):
        draws = Draws(seed=seed, epoch=epoch, ids=torch.tensor([i]))
        alone[i] = AUGMENT(pictures.batch([i]), draws)["image"][0]
    return alone


@pytest.fixture(scope="module")
def truths(pictures) -> list[dict[int, torch.Tensor]]:
    return [truth(pictures, seed=5, epoch=e) for e in (0, 1)]


@pytest.mark.parametrize("world_size", [1, 4])
@pytest.mark.parametrize("batch_size", [7, 64])
@pytest.mark.parametrize("num_threads", [0, 1, 8])
def test_order_and_augmentation(pictures, truths, num_threads, batch_size, world_size):
    loaders = ranks(
        pictures,
        world_size,
        batch_size=batch_size,
        shuffle=True,
        seed=5,
        transform=AUGMENT,
        num_threads=num_threads,
    )
    for e, expected in enumerate(truths):
        batches = epoch(loaders)
        order = numbers(batches)
        assert order == Permutation(N, 5, e)[np.arange(N)].tolist()
        assert order == [int(i) for batch in batches for i in batch.ids]
        for batch in batches:
            for number, image in zip(batch["number"].tolist(), batch["image"], strict=True):
                assert torch.equal(image, expected[number])


@pytest.mark.parametrize("stop", [1, 3])
def test_augmentation_goes_on_after_a_restart(pictures, truths, stop):
    settings_ = {"shuffle": True, "seed": 5, "transform": AUGMENT}
    first = Loader(pictures, 7, **settings_)
    batches = list(itertools.islice(first, stop))
    state = json.loads(json.dumps(first.state_dict()))
    second = ranks(pictures, 4, batch_size=2, num_threads=3, **{**settings_, "seed": 0})
    for loader in second:
        loader.load_state_dict(state)
    batches += epoch(second)
    assert numbers(batches) == Permutation(N, 5, 0)[np.arange(N)].tolist()
    assert all(
        torch.equal(image, truths[0][number])
        for batch in batches
        for number, image in zip(batch["number"].tolist(), batch["image"], strict=True)
    )


def test_augmentation_differs_between_epochs_seeds_and_samples(truths, pictures):
    other_seed = truth(pictures, seed=6, epoch=0)
    assert not any(torch.equal(truths[0][i], truths[1][i]) for i in range(N))
    assert not any(torch.equal(truths[0][i], other_seed[i]) for i in range(N))
    draws = Draws(seed=5, epoch=0, ids=torch.arange(N)).uniform(4)
    assert len(draws.unique(dim=0)) == N


def test_an_epoch_leaves_torchs_random_state_alone(pictures):
    before = torch.get_rng_state()
    list(Loader(pictures, 16, shuffle=True, transform=AUGMENT))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_view_keeps_the_draws_of_its_samples(pictures, truths):
    view = pictures[10:20]
    loader = Loader(view, 4, shuffle=True, seed=5, transform=AUGMENT)
    for batch in loader:
        for i, image in zip(batch.ids.tolist(), batch["image"], strict=True):
            assert torch.equal(image, truths[0][i])


# -- the order ---------------------------------------------------------------------------------


def test_without_shuffle_the_order_is_the_datasets(ds):
    loader = Loader(ds, 10)
    assert numbers(loader) == numbers(loader) == list(range(N))
    assert numbers(Loader(ds[::-1], 10)) == list(range(N))[::-1]


def test_every_epoch_has_an_order_of_its_own(ds):
    loader = Loader(ds, 10, shuffle=True, seed=1)
    seen = [numbers(loader) for _ in range(5)]
    assert all(sorted(order) == list(range(N)) for order in seen)
    assert len({tuple(order) for order in seen}) == 5
    again = Loader(ds, 10, shuffle=True, seed=1)
    again.set_epoch(3)
    assert numbers(again) == seen[3]
    assert numbers(again) == seen[4]
    assert numbers(Loader(ds, 10, shuffle=True, seed=2)) not in seen


def test_two_loaders_side_by_side_do_not_disturb_one_another(ds):
    pair = [Loader(ds, 5, shuffle=True, seed=s) for s in (0, 1)]
    alone = [numbers(Loader(ds, 5, shuffle=True, seed=s)) for s in (0, 1)]
    steps = list(zip(*pair, strict=True))
    assert [numbers(step[k] for step in steps) for k in (0, 1)] == alone


@given(
    n=st.integers(0, N),
    batch_size=st.integers(1, 20),
    world_size=st.integers(1, 9),
    last=st.sampled_from(["short", "drop", "pad"]),
    shuffle=st.booleans(),
)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ranks_share_an_epoch(ds, n, batch_size, world_size, last, shuffle):
    view = ds[:n]
    loaders = ranks(
        view, world_size, batch_size=batch_size, last=last, shuffle=shuffle, num_threads=0
    )
    runs = [list(loader) for loader in loaders]
    order = Permutation(n, 0, 0)[np.arange(n)].tolist() if shuffle else list(range(n))
    world = batch_size * world_size
    rest = n % world
    if last == "drop":
        expected = order[: n - rest]
    elif last == "pad" and rest:
        expected = list(itertools.islice(itertools.cycle(order), n + world - rest))
    else:
        expected = order
    by_step = itertools.zip_longest(*runs)
    assert numbers(b for step in by_step for b in step if b is not None) == expected

    assert [len(run) for run in runs] == [len(loader) for loader in loaders]
    sizes = [[len(batch.ids) for batch in run] for run in runs]
    assert all(0 < size <= batch_size for run in sizes for size in run)
    if last != "short":
        assert all(size == batch_size for run in sizes for size in run)
        assert len({len(run) for run in runs}) == 1
    else:
        for step in itertools.zip_longest(*sizes, fillvalue=0):
            assert max(step) - min(step) <= 1
    padded = world - rest if last == "pad" and rest else 0
    states = [loader.state_dict() for loader in loaders]
    assert all(loader.padded == padded for loader in loaders)
    assert all(state == states[0] for state in states)
    assert states[0]["cursor"] == n


# -- state -------------------------------------------------------------------------------------

STAGE = st.tuples(
    st.integers(1, 5),  # world size
    st.integers(1, 6),  # batch size
    st.sampled_from([0, 1, 3]),  # threads
    st.integers(0, 4),  # batches, then it is killed
)


@given(st.lists(STAGE, min_size=1, max_size=5), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_sample_is_lost_or_repeated_by_restarts(ds, stages, shuffle):
    state, seen = None, []
    for world_size, batch_size, num_threads, batches in stages:
        loaders = ranks(
            ds, world_size, batch_size=batch_size, shuffle=shuffle, seed=3, num_threads=num_threads
        )
        for loader in loaders:
            if state is not None:
                loader.load_state_dict(state)
        running = [iter(loader) for loader in loaders]
        done = False
        for _ in range(batches):
            step = [b for b in (next(it, None) for it in running) if b is not None]
            seen += numbers(step)
            done = done or len(step) < world_size
        states = [json.loads(json.dumps(loader.state_dict())) for loader in loaders]
        if not done:  # in a last batch with fewer samples than ranks, some ranks are done before
            assert all(s == states[0] for s in states)
        state = states[0]
        for it in running:
            it.close()
    final = Loader(ds, 4, shuffle=shuffle, num_threads=0)
    final.load_state_dict(state)
    over = state["cursor"] == N
    e = state["epoch"]
    rest = numbers(final)
    assert final.epoch == e + over
    order = [
        Permutation(N, 3, k)[np.arange(N)].tolist() if shuffle else list(range(N))
        for k in range(e + 2)
    ]
    assert seen + rest == list(itertools.chain(*order[: e + 1 + over]))


def test_the_cursor_counts_what_was_delivered(ds):
    loader = Loader(ds, 5, prefetch=8, num_threads=2)
    assert loader.state_dict()["cursor"] == 0
    for k, batch in enumerate(loader, 1):
        assert loader.state_dict()["cursor"] == min(5 * k, N)
        assert int(batch["number"][-1]) == min(5 * k, N) - 1
        assert loader.epoch == 0
    assert loader.state_dict() == {**loader.state_dict(), "epoch": 0, "cursor": N}


def test_state_is_small_plain_and_knows_no_ranks(ds):
    made = [
        Loader(ds, 5, seed=7, shuffle=True),
        Loader(ds, np.int64(5), seed=np.int64(7), shuffle=True, num_threads=1),
        Loader(ds, 5, seed=7, shuffle=True, rank=0, world_size=1),
    ]
    states = []
    for loader in made:
        next(iter(loader))
        states.append(loader.state_dict())
        assert json.loads(json.dumps(states[-1])) == states[-1]
    assert states[0] == states[1] == states[2]
    assert states[0].keys() == {
        "version",
        "fingerprint",
        "rows",
        "order",
        "seed",
        "epoch",
        "cursor",
    }


def test_state_before_the_first_batch(ds):
    fresh = Loader(ds, 5, shuffle=True).state_dict()
    assert (fresh["epoch"], fresh["cursor"]) == (0, 0)
    loader = Loader(ds, 5, shuffle=True)
    loader.load_state_dict(fresh)
    assert numbers(loader) == numbers(Loader(ds, 5, shuffle=True))


def test_state_after_set_epoch_is_of_that_epoch(ds):
    loader = Loader(ds, 5, shuffle=True)
    list(loader)
    loader.set_epoch(5)
    assert loader.epoch == 5
    again = Loader(ds, 5, shuffle=True)
    again.load_state_dict(loader.state_dict())
    expected = Permutation(N, 0, 5)[np.arange(N)].tolist()
    assert numbers(again) == numbers(loader) == expected
    assert again.epoch == loader.epoch == 5


def test_state_at_the_end_of_an_epoch_starts_the_next(ds):
    loader = Loader(ds, 5, shuffle=True)
    list(loader)
    again = Loader(ds, 7, shuffle=True)
    again.load_state_dict(loader.state_dict())
    assert numbers(again) == Permutation(N, 0, 1)[np.arange(N)].tolist()
    assert again.epoch == 1


def test_state_within_a_dropped_rest_starts_the_next(ds):
    loader = Loader(ds, 10, shuffle=True, last="drop")
    batches = list(itertools.islice(loader, 5))
    assert loader.state_dict()["cursor"] == 50
    again = Loader(ds, 10, shuffle=True, last="drop")
    again.load_state_dict(loader.state_dict())
    assert numbers(batches) == Permutation(N, 0, 0)[np.arange(50)].tolist()
    assert numbers(again) == Permutation(N, 0, 1)[np.arange(50)].tolist()


def test_an_epoch_left_early_is_over(ds):
    loader = Loader(ds, 5, shuffle=True)
    for _ in loader:
        break
    assert loader.state_dict()["cursor"] == 5
    assert numbers(loader) == Permutation(N, 0, 1)[np.arange(N)].tolist()


def test_an_older_iterator_does_not_move_the_cursor(ds):
    loader = Loader(ds, 5)
    old = iter(loader)
    next(old)
    new = iter(loader)
    next(new)
    assert [len(batch.ids) for batch in old][-1] == N % 5
    assert loader.state_dict()["cursor"] == 5
    assert loader.epoch == 1
    new.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fingerprint": "0" * 32}, "fingerprint is '0000"),
        ({"order": {"kind": "Other"}}, "order's kind is 'Other', this loader's is 'Shuffled'"),
        ({"order": 3}, "order is 3"),
        ({"rows": 7}, f"rows is 7, this loader's is {N}"),
        ({"version": 99}, "version 99, this domainkit writes and reads 2"),
        ({"cursor": N + 1}, f"cursor {N + 1} is outside 0..{N}"),
        ({"cursor": -1}, "cursor -1 is outside"),
        ({"cursor": "5"}, "not a loader state"),
        ({"cursor": 1.5}, "not a loader state"),
        ({"epoch": -1}, "epoch -1 is outside"),
        ({"epoch": 2**32}, "epoch 4294967296 is outside"),
        ({"seed": None}, "not a loader state"),
    ],
    ids=str,
)
def test_a_foreign_state_is_refused(ds, change, message):
    loader = Loader(ds, 5, shuffle=True)
    next(iter(loader))
    before = loader.state_dict()
    with pytest.raises(StateError) as caught:
        loader.load_state_dict({**before, **change})
    assert message in str(caught.value)
    assert loader.state_dict() == before  # nothing was taken over


def test_all_that_differs_is_said(ds):
    state = Loader(ds[1:], 5).state_dict()
    with pytest.raises(StateError, match=r"fingerprint is .*; rows is .*; order's kind is 'Seq"):
        Loader(ds, 5, shuffle=True).load_state_dict(state)


@pytest.mark.parametrize(
    "key", ["version", "fingerprint", "rows", "order", "seed", "epoch", "cursor"]
)
def test_a_state_with_a_hole_is_refused(ds, key):
    state = Loader(ds, 5).state_dict()
    del state[key]
    with pytest.raises(StateError, match=f"not a loader state: '{key}' is missing"):
        Loader(ds, 5).load_state_dict(state)


@pytest.mark.parametrize("state", [None, 3, [], "state", {}])
def test_what_is_no_state_is_refused(ds, state):
    with pytest.raises(StateError, match="not a loader state"):
        Loader(ds, 5).load_state_dict(state)


# -- threads and errors ------------------------------------------------------------------------


def threads() -> int:
    return len([t for t in threading.enumerate() if t.name.startswith("domainkit-loader")])


def test_threads_are_born_once_and_end_with_the_loader(ds):
    gc.collect()  # errors of other tests hold their loaders
    loader = Loader(ds, 5, num_threads=4)
    iter(loader)  # never started
    assert threads() == 0
    list(loader)
    first = set(threading.enumerate())
    assert threads() == 4

    for _ in loader:
        break
    with pytest.raises(ZeroDivisionError):
        for batch in loader:
            batch["number"].fill_(1 / 0)
    running = iter(loader)
    next(running)
    del running
    list(loader)
    assert set(threading.enumerate()) == first  # the very same ones

    loader.close()
    assert threads() == 0
    assert len(list(loader)) == len(loader)  # it goes on with new ones
    assert threads() == 4
    del loader
    gc.collect()
    assert threads() == 0


def test_a_running_loader_in_a_cycle_is_collected(ds):
    cycle: list[Any] = [iter(Loader(ds, 5, num_threads=4))]
    next(cycle[0])
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert threads() == 0


def test_a_loader_is_a_context(ds):
    with Loader(ds, 5, num_threads=3) as loader:
        next(iter(loader))
        assert threads() == 3
    assert threads() == 0


def test_a_corrupt_sample_arrives_with_its_name(tmp_path):
    good = io.BytesIO()
    Pillow.new("RGB", (2, 2)).save(good, "PNG")
    rows = [{"image": good.getvalue() if i != 17 else b"broken", "number": i} for i in range(30)]
    broken = dataset(tmp_path, rows, {"image": Image(), "number": Int()})
    for num_threads in (0, 4):
        loader = Loader(broken, 4, num_threads=num_threads)
        seen = []
        with pytest.raises(DecodeError, match=r"test/rows, train, row 17, column 'image': "):
            for batch in loader:
                seen += batch["number"].tolist()
        assert seen == list(range(16))  # all batches before the broken one
        assert loader.state_dict()["cursor"] == 16
    assert numbers(Loader(broken.select_columns(["number"]), 4)) == list(range(30))


@pytest.mark.parametrize("num_threads", [0, 2])
def test_an_error_in_a_transform_arrives(ds, num_threads):
    def fail(batch: Batch, draws: Draws) -> Batch:
        raise RuntimeError(f"cannot do {batch.ids[0]}")

    with pytest.raises(RuntimeError, match="cannot do 0"):
        next(iter(Loader(ds, 5, transform=fail, num_threads=num_threads)))
    gc.collect()
    assert no_threads()


def test_batches_are_made_side_by_side_and_given_in_order(ds):
    meeting = threading.Barrier(2)

    def meet(batch: Batch, draws: Draws) -> Batch:
        meeting.wait(timeout=60)  # passes only when another batch is being made at the same time
        return batch

    assert numbers(Loader(ds[:40], 10, transform=meet, num_threads=2)) == list(range(40))


def test_torchs_own_threads_are_one_in_workers_and_as_before_elsewhere(ds):
    inside = []

    def note(batch: Batch, draws: Draws) -> Batch:
        inside.append((threading.current_thread().name, torch.get_num_threads()))
        return batch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in Loader(ds, 4, transform=note, num_threads=3):
            assert torch.get_num_threads() == 2
        assert {count for _, count in inside} == {1}
        assert all(name.startswith("domainkit-loader") for name, _ in inside)
        inside.clear()
        list(Loader(ds, 4, transform=note, num_threads=0))
        assert {count for _, count in inside} == {2}
        born_later = []
        thread = threading.Thread(target=lambda: born_later.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert born_later == [2]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("num_threads", "prefetch"), [(1, 1), (4, 2), (2, 3), (0, 4)])
def test_no_more_than_prefetch_batches_are_made_ahead(ds, num_threads, prefetch):
    made = []

    def count(batch: Batch, draws: Draws) -> Batch:
        made.append(len(draws))
        return batch

    loader = Loader(ds, 1, transform=count, num_threads=num_threads, prefetch=prefetch)
    running = iter(loader)
    for k in range(1, 10):
        next(running)
        assert len(made) <= k + prefetch - 1
    running.close()
    assert len(made) <= 9 + prefetch - 1


# -- what goes in ------------------------------------------------------------------------------


def test_batches_are_what_the_dataset_makes(ds):
    batch = next(iter(Loader(ds, 5)))
    assert type(batch) is Batch
    assert isinstance(batch["tokens"], Ragged)
    for i, item in enumerate(batch["tokens"]):
        assert torch.equal(item, ds[i]["tokens"])


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("last", ["short", "drop", "pad"])
@pytest.mark.parametrize("num_threads", [0, 2])
def test_hardly_any_rows(ds, n, last, num_threads):
    loader = Loader(ds[:n], 4, shuffle=True, last=last, num_threads=num_threads)
    expected = {"short": [[0]], "drop": [], "pad": [[0] * 4]}[last] if n else []
    for _ in range(2):
        assert [batch["number"].tolist() for batch in loader] == expected
    assert len(loader) == len(expected)
    assert loader.padded == (6 if n and last == "pad" else 0)
    assert loader.epoch == 1
    again = Loader(ds[:n], 4, shuffle=True, last=last)
    again.load_state_dict(loader.state_dict())
    assert [batch["number"].tolist() for batch in again] == expected


def test_a_recipe_by_name():
    mini = dk.load_dataset("vision/fashion-mnist-mini", "test[:20]")
    batch = next(iter(Loader(mini, 20, transform="vision/fashion-mnist-eval-1")))
    recipe = dk.load_recipe("vision/fashion-mnist-eval-1")
    assert torch.equal(batch["image"], recipe(mini.batch(range(20)))["image"])
    assert batch["image"].dtype == torch.float32
    with pytest.raises(NotFoundError, match="There is no recipe 'vision/fashion-mnist-evil-1'"):
        Loader(mini, 20, transform="vision/fashion-mnist-evil-1")


def test_a_transform_gets_the_draws_of_its_samples(ds):
    seen = []

    def note(batch: Batch, draws: Draws) -> Batch:
        seen.append((draws.seed, draws.epoch, draws.ids.tolist(), batch.ids.tolist()))
        return batch

    loader = Loader(ds[:6], 4, seed=9, transform=note, num_threads=0)
    list(loader)
    list(loader)
    assert seen == [
        (9, 0, [0, 1, 2, 3], [0, 1, 2, 3]),
        (9, 0, [4, 5], [4, 5]),
        (9, 1, [0, 1, 2, 3], [0, 1, 2, 3]),
        (9, 1, [4, 5], [4, 5]),
    ]


def test_batches_move_to_a_device(ds):
    batch = next(iter(Loader(ds, 5, device="meta")))
    assert batch["number"].device.type == batch["tokens"].device.type == "meta"
    assert batch.ids.tolist() == [0, 1, 2, 3, 4]
    assert next(iter(Loader(ds, 5, device=torch.device("cpu"))))["number"].tolist() == [*range(5)]


def test_what_a_transform_makes_on_the_host_moves_too(ds):
    def count(batch: Batch, draws: Draws) -> Batch:
        batch["made"] = torch.zeros(len(batch.ids))
        return batch

    assert next(iter(Loader(ds, 5, transform=count, device="meta")))["made"].device.type == "meta"


def test_torchruns_environment_gives_the_place(ds, monkeypatch):
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert numbers(Loader(ds[:8], 2)) == [4, 5]
    own = Loader(ds[:8], 2, rank=0, world_size=1)
    assert (own.rank, own.world_size) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": 2.5}, TypeError, "a whole number, got 2.5"),
        ({"seed": "a"}, TypeError, "str"),
        ({"last": "wrap"}, ValueError, "'short', 'drop', 'pad', got 'wrap'"),
        ({"prefetch": 0}, ValueError, "prefetch must be at least 1"),
        ({"num_threads": -1}, ValueError, "num_threads must be at least 0"),
        ({"rank": 1}, ValueError, "both rank and world_size"),
        ({"world_size": 2}, ValueError, "both rank and world_size"),
        ({"rank": 2, "world_size": 2}, ValueError, r"rank must be in \[0, 2\), got 2"),
        ({"rank": -1, "world_size": 2}, ValueError, "rank must be in"),
    ],
)
def test_wrong_arguments_are_refused(ds, arguments, error, message):
    with pytest.raises(error, match=message):
        Loader(ds, **{"batch_size": 5, **arguments})


@pytest.mark.parametrize("number", [-1, 2**32])
def test_impossible_epochs_are_refused(ds, number):
    with pytest.raises(ValueError, match="epoch must be in"):
        Loader(ds, 5).set_epoch(number)


# -- found by review -----------------------------------------------------------------------------


def hundred(tmp_path, **options):
    return Loader(dataset(tmp_path, 100), 10, shuffle=True, seed=3, **options)


def ids_of(batches):
    return [i for batch in batches for i in batch.ids.tolist()]


def test_set_epoch_keeps_the_place_of_a_loaded_state(tmp_path):
    """The usual loop of a resumed training: load, then set_epoch for every epoch that is left."""
    loader = hundred(tmp_path)
    it = iter(loader)
    seen = ids_of(next(it) for _ in range(3))
    other = hundred(tmp_path)
    other.load_state_dict(loader.state_dict())
    other.set_epoch(0)
    assert sorted(seen + ids_of(other)) == list(range(100))
    other.set_epoch(0)  # without a loaded state: from the start
    assert len(ids_of(other)) == 100


@pytest.mark.parametrize(("last", "batches"), [("short", 15), ("drop", 14), ("pad", 15)])
def test_a_resumed_loop_over_epochs_runs_none_twice(tmp_path, last, batches):
    """The state was saved at the last batch of epoch 0; the loop names that epoch again."""
    rows = dataset(tmp_path, 100)
    first, second = (Loader(rows, 7, shuffle=True, seed=3, last=last) for _ in range(2))
    list(itertools.islice(first, batches))
    second.load_state_dict(first.state_dict())
    seen = {}
    for epoch in range(second.epoch, 3):
        second.set_epoch(epoch)
        seen[epoch] = ids_of(second)
        assert second.epoch == epoch
    whole = min(100, 7 * batches)  # "pad" gives five more, from the start of the order
    orders = {epoch: Permutation(100, 3, epoch)[np.arange(whole)].tolist() for epoch in (1, 2)}
    assert {epoch: ids[:whole] for epoch, ids in seen.items()} == {0: [], **orders}


def test_an_iterator_that_is_never_used_changes_nothing(tmp_path):
    loader = hundred(tmp_path)
    list(zip(range(3), loader, strict=False))
    state = loader.state_dict()
    other = hundred(tmp_path)
    other.load_state_dict(state)
    iter(other)
    assert other.state_dict() == state
    assert len(ids_of(other)) == 100 - state["cursor"]


def test_only_the_newest_iterator_moves_the_cursor(tmp_path):
    loader = hundred(tmp_path)
    old = iter(loader)
    next(old)
    loader.set_epoch(0)  # the same epoch once more
    new = iter(loader)
    next(new)
    for _ in range(5):
        next(old)
    assert loader.state_dict()["cursor"] == 10
    next(new)
    assert loader.state_dict()["cursor"] == 20


def test_set_epoch_names_the_epoch_even_where_drop_leaves_nothing(tmp_path):
    loader = hundred(tmp_path, last="drop", rank=0, world_size=20)
    loader.set_epoch(7)
    assert list(loader) == []
    assert loader.epoch == 7


@pytest.mark.parametrize("device", [None, "cpu"])
def test_a_transform_may_give_a_plain_dict(tmp_path, device):
    rows = dataset(tmp_path, 20)
    loader = Loader(rows, 10, transform=lambda batch, draws: dict(batch), device=device)
    batch = next(iter(loader))
    assert batch.ids.tolist() == list(range(10)) and batch.transformed
    with pytest.raises(TransformError, match="got list"):
        next(iter(Loader(rows, 10, transform=lambda batch, draws: [1], device=device)))


def test_what_is_no_dataset_is_refused():
    with pytest.raises(TypeError, match="takes a domainkit Dataset, got list"):
        Loader([1, 2], 32)


def test_an_exception_in_a_script_prints_one_traceback(tmp_path):
    """The loader's threads end quietly when the interpreter does."""
    script = (
        "import domainkit as dk\n"
        "ds = dk.load_dataset('text/sentiment-sentences', 'test')\n"
        "for batch in dk.Loader(ds, 8, num_threads=2):\n"
        "    raise ValueError('mine')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stderr.rstrip().endswith("ValueError: mine")
    assert "Exception ignored" not in done.stderr
