"""Datasets and their views against plain Python lists; torch's DataLoader; own errors."""

from __future__ import annotations

import itertools
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.rows import FEATURES, as_list, dataset, same, table
from torch.utils.data import DataLoader, RandomSampler

import domainkit as dk
from domainkit.batch import Batch
from domainkit.combine import concat, mix
from domainkit.dataset import Dataset, load_dataset
from domainkit.errors import DecodeError, NotFoundError
from domainkit.features import Image, Int, Text
from domainkit.ragged import Ragged

N = 20


@pytest.fixture(scope="module")
def ds(tmp_path_factory) -> Dataset:
    return dataset(tmp_path_factory.mktemp("dataset"), N)


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> list[Dataset]:
    """Three stores that hold rows 0..9, nothing, and 100..104."""
    folder = tmp_path_factory.mktemp("parts")
    return [
        dataset(folder, table(n, start), fingerprint=f"{start:032x}")
        for n, start in ((10, 0), (0, 50), (5, 100))
    ]


# -- one row -----------------------------------------------------------------------------------


@pytest.mark.parametrize("i", [0, 7, N - 1, -1, -N])
def test_an_index_of_any_kind_gives_one_row(ds, i):
    row = next(table(1, start=i % N))
    for index in (i, np.int64(i), np.int8(i), np.array(i), torch.tensor(i)):
        sample = ds[index]
        assert list(sample) == list(FEATURES)
        assert sample["number"] == row["number"]
        assert sample["text"] == row["text"]
        assert ds.raw(i)["number"] == row["number"]


@pytest.mark.parametrize("i", [N, -N - 1, 10**12])
def test_an_index_outside_is_refused(ds, i):
    for view in (ds, ds[::-1], ds[list(range(N))]):
        with pytest.raises(IndexError, match=f"row {i} of a dataset of {N}"):
            view[i]
        with pytest.raises(IndexError):
            view.raw(i)
        with pytest.raises(IndexError):
            view[[0, i]]
        with pytest.raises(IndexError):
            view.ids([i])


def test_iterates_once_over_every_row(ds):
    assert as_list(ds) == list(range(N))
    assert [row["number"] for row in ds] == list(range(N))
    with pytest.raises(IndexError):  # so that Python's old protocol stops too
        ds[len(ds)]


# -- views -------------------------------------------------------------------------------------

SLICES = st.slices(N) | st.builds(
    slice,
    st.none() | st.integers(-30, 30),
    st.none() | st.integers(-30, 30),
    st.sampled_from([None, 1, 2, 3, -1, -2, -7]),
)
STEPS = st.lists(
    st.one_of(
        SLICES,
        st.lists(st.integers(-(10**6), 10**6), max_size=12),  # made to fit below
        st.tuples(st.just("mask"), st.integers(0, 2**32)),
        st.tuples(st.just("range"), st.integers(-25, 25), st.integers(-25, 25), st.integers(1, 3)),
        st.tuples(st.just("down"), st.integers(-25, 25), st.integers(-25, 25), st.integers(1, 3)),
    ),
    min_size=1,
    max_size=4,
)


@given(STEPS)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_views_of_views_are_lists_of_lists(ds, steps):
    view, rows = ds, list(range(N))
    for step in steps:
        n = len(rows)
        if isinstance(step, slice):
            view, rows = view[step], rows[step]
        elif isinstance(step, list):
            index = [i % (2 * n) - n for i in step] if n else []
            view = view[[index, np.array(index, np.int64), torch.tensor(index).long()][n % 3]]
            rows = [rows[i] for i in index]
        elif step[0] == "mask":
            mask = [bool(step[1] >> i & 1) for i in range(n)]
            view = view[[mask, np.array(mask, bool), torch.tensor(mask).bool()][n % 3]]
            rows = list(itertools.compress(rows, mask))
        else:
            _, start, stop, by = step
            span = range(start, stop, by if step[0] == "range" else -by)
            if all(-n <= i < n for i in span):
                view, rows = view.select(span), [rows[i] for i in span]
            else:
                with pytest.raises(IndexError):
                    view.select(span)
        assert len(view) == len(rows)
        assert as_list(view) == rows
        assert view["number"].tolist() == rows
        assert view["text"] == [next(table(1, start=i))["text"] for i in rows]
        assert view.ids(range(len(rows))).tolist() == rows  # ids are those of the source
        assert (view.fingerprint == ds.fingerprint) == (rows == list(range(N)))


def test_empty_ranges_with_odd_ends_are_empty(ds):
    for span in (range(0), range(-5), range(-5, 0, -1), range(5, 5), range(100, 50)):
        assert len(ds.select(span)) == 0
    empty = ds[::-1][30:]
    assert (len(empty), list(empty), empty["number"].tolist(), empty["text"]) == (0, [], [], [])


def test_selecting_a_range_builds_no_array_of_rows(ds):
    for view in (ds[5:], ds[::-1], ds.select(range(3, 9)), ds[2:][::3][1:]):
        assert isinstance(view._rows, range)
        assert len(pickle.dumps(view)) < 600


@pytest.mark.parametrize(
    "wrong",
    [
        1.5,
        None,
        [0.0, 1.0],
        [[0, 1], [2, 3]],
        [True] * (N - 1),
        [True] * (N + 1),
        np.ones((N, 1), bool),
        ["a"],
        object(),
        torch.tensor(1.5),
    ],
    ids=range(10),
)
def test_other_indices_are_refused(ds, wrong):
    with pytest.raises(TypeError, match=f"a mask of {N} booleans"):
        ds[wrong]


def test_filter_sees_only_the_asked_columns(ds):
    seen = []

    def odd(row: dict) -> bool:
        seen.append(set(row))
        return row["label"] == 1

    kept = ds[::-1].filter(odd, columns=["label"])
    assert as_list(kept) == list(range(N))[::-1][::2]
    assert list(kept[0]) == list(FEATURES)
    assert seen == [{"label"}] * N
    assert as_list(ds.filter(lambda row: row["text"].startswith("ö1"))) == [1, 13, 17]
    assert len(ds.filter(lambda row: False)) == 0
    assert len(ds[:0].filter(lambda row: True)) == 0


def test_columns_are_chosen_by_name(ds):
    view = ds.select_columns(["text", "number"])[3:]
    assert list(view[0]) == list(view.features) == ["text", "number"]
    assert view.columns == ("text", "number")
    assert list(view.raw(0)) == ["text", "number"]
    assert ds.select_columns([])[0] == {}
    assert ds.select_columns([]).raw(0) == {}
    for ask in (lambda: view["label"], lambda: view.select_columns(["label"])):
        with pytest.raises(NotFoundError, match="has no column 'label'"):
            ask()
    with pytest.raises(NotFoundError, match="Did you mean 'label'"):
        ds["labels"]


def test_what_is_left_out_is_not_decoded(tmp_path):
    broken = dataset(tmp_path, [{"image": b"broken", "n": 1}], {"image": Image(), "n": Int()})
    assert broken.select_columns(["n"])[0] == {"n": 1}
    assert broken["n"].tolist() == [1]
    assert broken.filter(lambda row: row["n"] == 1, columns=["n"]).raw(0)["image"] == b"broken"
    with pytest.raises(DecodeError, match=r"^test/rows, train, row 0, column 'image': "):
        broken[0]


def test_a_number_column_is_not_copied(ds):
    first, second = ds["number"], ds["number"]
    assert np.shares_memory(first, second)
    assert np.shares_memory(first, ds[5:]["number"])
    assert first.dtype == np.int64
    assert ds["label"].dtype == np.int32


# -- fingerprints ------------------------------------------------------------------------------


def test_fingerprint_tells_rows_and_order_apart(ds, parts):
    views = [
        ds,
        ds[::-1],
        ds[:-1],
        ds[1:],
        ds[[1, 0, *range(2, N)]],
        ds[:0],
        ds[[0] * N],
        concat([ds, ds]),
        concat([ds, ds[:0]]),
        *parts,
        concat(parts),
        concat(parts[::-1]),
        mix(parts[::2], [1, 1]),
        mix(parts[::2], [1, 2]),
    ]
    marks = [view.fingerprint for view in views]
    assert len(set(marks)) == len(marks)
    assert all(len(mark) == 32 and int(mark, 16) >= 0 for mark in marks)


def test_fingerprint_is_the_same_for_the_same_rows(ds):
    assert ds[:].fingerprint == ds[list(range(N))].fingerprint == ds.fingerprint
    assert ds[2:5].fingerprint == ds[[2, 3, 4]].fingerprint == ds[0:10][2:5].fingerprint
    assert ds[[True] * N].fingerprint == ds[::-1][::-1].fingerprint == ds.fingerprint
    assert ds.select_columns(["text"]).fingerprint == ds.fingerprint
    assert pickle.loads(pickle.dumps(ds[3:])).fingerprint == ds[3:].fingerprint


# -- concat and mix ----------------------------------------------------------------------------


def test_concat_is_a_longer_list(parts):
    whole = concat(parts)
    rows = [*range(10), *range(100, 105)]
    assert as_list(whole) == rows
    assert whole["number"].tolist() == rows
    assert whole["text"] == [next(table(1, start=i))["text"] for i in rows]
    assert whole[-1]["number"] == 104
    assert as_list(whole[::-2]) == rows[::-2]
    assert as_list(concat([whole[12:], whole[:2]])) == [102, 103, 104, 0, 1]
    assert whole.ids([0, 10, -1]).tolist() == [0, 10, 14]
    assert as_list(pickle.loads(pickle.dumps(whole))) == rows
    assert same(whole.select_columns(["tokens"])[11], {"tokens": parts[2][1]["tokens"]})
    assert len(concat([parts[1], parts[1]])) == 0


def test_concat_refuses_other_columns(parts, tmp_path):
    other = dataset(tmp_path, [{"text": "a"}], {"text": Text()})
    with pytest.raises(TypeError, match="the columns differ"):
        concat([parts[0], other])
    assert len(concat([parts[0].select_columns(["text"]), other])) == 11
    with pytest.raises(TypeError, match="at least one dataset"):
        concat([])


WEIGHTS = st.lists(
    st.integers(1, 9) | st.floats(0.01, 100) | st.sampled_from([0.1, 1 / 3, 1e-9, 1e9]),
    min_size=1,
    max_size=6,
)


@given(WEIGHTS, st.lists(st.integers(0, N), min_size=6, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mix_keeps_the_proportions_within_a_row(ds, weights, sizes):
    sets = [ds[:size] for size in sizes[: len(weights)]]
    mixed = mix(sets, weights)
    exact = [Fraction(str(w)) for w in weights]  # 0.1 is a tenth, not the nearest float
    shares = [w / sum(exact) for w in exact]
    starts = np.cumsum([0, *map(len, sets)])
    ids = mixed.ids(range(len(mixed)))
    given_ = [0] * len(sets)
    for n, row in enumerate(ids, 1):
        k = int(np.searchsorted(starts, row, side="right")) - 1
        assert row - starts[k] == given_[k]  # each in its own order, nothing twice
        given_[k] += 1
        assert all(abs(g - n * s) < 1 for g, s in zip(given_, shares, strict=True))
    # it ends where the first of them runs out
    assert len(mixed) == min(
        math.floor(len(part) / share) for part, share in zip(sets, shares, strict=True)
    )


def test_mix_with_many_small_weights_keeps_the_large_one_on_time(ds):
    # sorting by due time, the obvious way, is two and a half rows off here
    mixed = mix([ds] + [ds[:2]] * 10, [0.5] + [0.05] * 10)
    large = mixed.ids(range(len(mixed))) < N
    drift = np.cumsum(large) - 0.5 * np.arange(1, len(mixed) + 1)
    assert len(mixed) == 40
    assert np.abs(drift).max() < 1


def test_mix_reads_like_a_dataset(parts):
    mixed = mix([parts[0], parts[2]], [2, 1])
    assert len(mixed) == 15
    assert sorted(as_list(mixed)) == [*range(10), *range(100, 105)]
    assert as_list(mixed) == mixed["number"].tolist()
    assert as_list(pickle.loads(pickle.dumps(mixed[3:]))) == as_list(mixed)[3:]


@pytest.mark.parametrize("temperature", [1, 2, 7.5, math.inf])
def test_mix_by_temperature_is_mix_by_powers_of_the_sizes(ds, temperature):
    sets = [ds[:16], ds[:4], ds[4:13]]
    weights = [round(len(s) ** (1 / temperature) * 1000) for s in sets]
    mixed, other = mix(sets, temperature=temperature), mix(sets, weights)
    assert abs(len(mixed) - len(other)) <= 1
    n = min(len(mixed), len(other))
    assert np.array_equal(mixed.ids(range(n)), other.ids(range(n)))


def test_mix_takes_weights_or_a_temperature(ds):
    for wrong in ({}, {"weights": [1, 1], "temperature": 2}):
        with pytest.raises(TypeError, match="one of the two"):
            mix([ds, ds], **wrong)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        mix([ds, ds], temperature=0)
    with pytest.raises(ValueError, match="datasets with rows"):
        mix([ds, ds[:0]], temperature=2)
    assert len(mix([ds, ds[:0]], [1, 1])) == 0


def test_parts_are_the_datasets_of_a_concat(ds, parts):
    assert ds.parts == (N,)
    assert ds[3:7].parts == (4,)
    assert concat(parts).parts == tuple(map(len, parts))
    assert concat([ds, ds[:0], ds[:3]]).parts == (N, 0, 3)
    assert concat([concat([ds, ds]), ds]).parts == (2 * N, N)  # those that were joined last


def test_views_keep_their_parts(ds):
    whole = concat([ds[:10], ds[10:]]).select_columns(["number"])
    assert whole[5:].parts == (5, N - 10)
    assert whole[::2].parts == (5, (N - 10 + 1) // 2)
    assert whole[:10].parts == (10, 0)
    assert whole[[3, 1, 2, 12, 11]].parts == (3, 2)
    assert whole[9::-1].parts == (10, 0)
    assert whole.filter(lambda row: row["number"] >= 12).parts == (0, N - 12)
    for mingled in (whole[::-1], whole[[0, 11, 1]], mix([ds, ds], [1, 1])):
        with pytest.raises(ValueError, match="concat the views"):
            mingled.parts  # noqa: B018  # the access is the test


@pytest.mark.parametrize(
    "weights", [[], [1], [1, 2, 3], [1, 0], [1, -1], [1, float("nan")], [1, float("inf")]]
)
def test_mix_refuses_other_weights(ds, weights):
    with pytest.raises(TypeError, match="one positive weight per dataset"):
        mix([ds, ds], weights)


# -- batches and torch's DataLoader ------------------------------------------------------------


def test_batch_joins_rows(ds):
    batch = ds.batch([3, -1, np.int64(5)])
    assert type(batch) is Batch
    assert batch.ids.tolist() == [3, N - 1, 5]
    assert batch.ids.dtype == torch.int64
    assert same(batch["number"], torch.tensor([3, N - 1, 5]))
    assert same(batch["half"], torch.tensor([1.5, (N - 1) / 2, 2.5]))
    assert batch["text"] == [ds[3]["text"], ds[-1]["text"], ds[5]["text"]]
    assert isinstance(batch["tokens"], Ragged)
    assert batch["tokens"].lengths.tolist() == [3, 4, 0]
    assert batch["grid"].shape == (3, 2, 3)
    assert ds[::-1].batch([0])["number"].tolist() == [N - 1]
    assert ds[::-1].batch([0]).ids.tolist() == [N - 1]


@pytest.mark.parametrize("context", [None, "fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_works_in_torchs_data_loader(ds, context):
    view = ds.select_columns(["number", "text", "grid"])[::-1]
    loader = DataLoader(
        view, batch_size=6, num_workers=0 if context is None else 1, multiprocessing_context=context
    )
    view[3]  # fork with mapped files open
    batches = list(loader)
    assert [len(b["text"]) for b in batches] == [6, 6, 6, 2]
    assert torch.cat([b["number"] for b in batches]).tolist() == list(range(N))[::-1]
    assert list(itertools.chain(*(b["text"] for b in batches))) == view["text"]
    assert torch.cat([b["grid"] for b in batches]).shape == (N, 2, 3)


def test_works_with_torchs_samplers_and_subsets(ds):
    view = ds.select_columns(["number"])
    shuffled = DataLoader(view, batch_size=7, sampler=RandomSampler(view))
    assert sorted(torch.cat([b["number"] for b in shuffled]).tolist()) == list(range(N))
    subset = torch.utils.data.Subset(view, [4, 2])
    assert [row["number"] for row in subset] == [4, 2]
    assert [row["number"] for row in subset.__getitems__([1, 0])] == [2, 4]


# -- loading by name ---------------------------------------------------------------------------


def test_load_dataset_reads_an_embedded_set():
    train = load_dataset("vision/fashion-mnist-mini", "train")
    assert len(train) == 5000
    assert train.name == "vision/fashion-mnist-mini, train"
    assert train.info["license"] == "MIT"
    assert train[0]["image"].shape == (1, 28, 28)
    assert np.bincount(train["label"]).tolist() == [500] * 10
    head = dk.load_dataset("vision/fashion-mnist-mini", split="train[:10%]+test[-5:]+train[99%:]")
    assert len(head) == 500 + 5 + 50
    assert torch.equal(head[0]["image"], train[0]["image"])
    assert torch.equal(head[-1]["image"], train[-1]["image"])


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("vision/fashion-mnist-mimi", "train", "Did you mean 'vision/fashion-mnist-mini'"),
        ("MNIST", None, "Did you mean 'vision/mnist'"),
        ("vision/fashion-mnist-mini", "trian", "Did you mean 'train'"),
        ("vision/fashion-mnist-mini", "train+val", "has no split 'val'"),
        ("vision/fashion-mnist-mini", "train[", "is not a split"),
        ("vision/fashion-mnist-mini", None, "choose one of train, test"),
        ("../../etc/passwd", "train", "There is no dataset"),
        ("", "train", "There is no dataset ''"),
    ],
)
def test_wrong_names_offer_the_right_ones(name, split, message, fresh_home):
    with pytest.raises(NotFoundError, match=message):
        load_dataset(name, split)
    assert list(fresh_home.iterdir()) == []  # nothing was fetched or prepared
