"""Many rows at once: what ``take`` and ``lengths`` give is what row by row gives."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.rows import FEATURES, dataset, store, table

import domainkit.store.writing
from domainkit.combine import concat, mix
from domainkit.dataset import Dataset, Source
from domainkit.features import Boxes, Image, Int, Tensor, Text, Tokens
from domainkit.store import BATCH_ROWS, Store

N = 3 * BATCH_ROWS + 5


@pytest.fixture(params=["one part", "four parts", "joined", "joined views"])
def source(request, tmp_path, monkeypatch) -> Source:
    """The rows of ``table(N)``, kept in several ways."""
    if request.param != "one part":
        monkeypatch.setattr(domainkit.store.writing, "PART_BYTES", 1)
    if not request.param.startswith("joined"):
        return store(tmp_path, N)
    first, second = store(tmp_path, 700), store(tmp_path, table(N - 700, start=700))
    parts = [Dataset(first), Dataset(second)]
    if request.param == "joined views":
        parts = [dataset(tmp_path, table(1000, start=-100))[100:800], parts[1].select_columns([])]
        parts[1] = Dataset(second)
    return concat(parts)._source


def rows(kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    return {
        "none": np.empty(0, np.int64),
        "one": np.array([BATCH_ROWS]),
        "last": np.array([N - 1]),
        "edges": np.array([0, BATCH_ROWS - 1, BATCH_ROWS, N - 1, 699, 700, 0]),
        "in order": np.arange(N),
        "backwards": np.arange(N)[::-1],
        "repeats": rng.integers(0, N, 2 * N),
    }[kind]


def one_by_one(source: Source, wanted: np.ndarray, name: str) -> list[Any]:
    return [source.raw(int(i), [name])[name] for i in wanted]


@pytest.mark.parametrize(
    "kind", ["none", "one", "last", "edges", "in order", "backwards", "repeats"]
)
def test_take_gives_what_raw_gives(source, kind):
    wanted = rows(kind)
    for name in ("number", "half", "label"):
        taken = source.take(wanted, name)
        assert taken.dtype == source.features[name].dtype_stored
        assert taken.tolist() == one_by_one(source, wanted, name)
    texts = one_by_one(source, wanted, "text")
    taken = source.take(wanted, "text")
    assert [bytes(view) for view in taken] == [bytes(text) for text in texts]
    assert all(isinstance(view, memoryview) and view.readonly for view in taken)
    assert source.lengths(wanted, "text").tolist() == [len(text) for text in texts]
    lists = one_by_one(source, wanted, "tokens")
    values, lengths = source.take(wanted, "tokens")
    assert (values.dtype, lengths.dtype) == (np.int32, np.int64)
    assert lengths.tolist() == [len(tokens) for tokens in lists]
    assert source.lengths(wanted, "tokens").tolist() == lengths.tolist()
    assert values.tolist() == [token for tokens in lists for token in tokens]
    grids = one_by_one(source, wanted, "grid")
    taken = source.take(wanted, "grid")
    assert (taken.dtype, taken.shape) == (np.uint8, (len(wanted), 12))
    assert [row.tobytes() for row in taken] == [bytes(grid) for grid in grids]


@pytest.mark.parametrize("kind", ["none", "edges", "repeats"])
def test_rows_of_one_width_are_placed_where_the_caller_wants_them(source, kind):
    wanted = rows(kind)
    buffer = np.full((len(wanted) + 2, 12), 7, np.uint8)
    out = buffer[1:-1]
    assert source.take(wanted, "grid", out=out) is out
    assert np.array_equal(out, source.take(wanted, "grid"))
    assert (buffer[[0, -1]] == 7).all()


@pytest.mark.parametrize(
    "out",
    [
        np.empty((3, 11), np.uint8),
        np.empty((2, 12), np.uint8),
        np.empty((3, 12), np.int8),
        np.empty((3, 24), np.uint8)[:, ::2],
        np.empty(36, np.uint8),
    ],
)
def test_another_place_than_asked_for_is_refused(source, out):
    with pytest.raises(ValueError, match=r"out= must be contiguous uint8 \[3, 12\]"):
        source.take(np.arange(3), "grid", out=out)


def test_a_place_for_what_has_no_width_is_refused(source):
    with pytest.raises(ValueError, match="'text' is 'binary': leave it out"):
        source.take(np.arange(3), "text", out=np.empty((3, 0), np.uint8))


@pytest.mark.parametrize("wanted", [[-1], [N], [0, N + 5], [2**40]])
def test_rows_that_are_not_there_are_refused(source, wanted):
    for name in FEATURES:
        with pytest.raises(IndexError, match=f"of a (store|dataset) of {N}"):
            source.take(np.array(wanted), name)
    with pytest.raises(IndexError):
        source.lengths(np.array(wanted), "text")


def test_lengths_of_what_is_all_of_one_size_are_refused(source):
    for name in ("number", "grid"):
        with pytest.raises(ValueError, match="all of one size"):
            source.lengths(np.arange(2), name)


def test_empty_values_and_unaligned_widths(tmp_path):
    features = {
        "nothing": Tensor(shape=(0,)),
        "five": Tensor(dtype="uint8", shape=(5,)),
        "empty": Text(),
        "boxes": Boxes(),
        "image": Image(),
        "none": Tokens(),
    }
    made = [
        {
            "nothing": np.empty(0, np.float32),
            "five": np.arange(i, i + 5, dtype=np.uint8),
            "empty": "",
            "boxes": [[i, 2, 3, 4]] * (i % 2),
            "image": b"x" * (i % 3),
            "none": [],
        }
        for i in range(7)
    ]
    opened = store(tmp_path, made, features)
    wanted = np.array([6, 0, 3, 3])
    assert opened.take(wanted, "nothing").shape == (4, 0)
    assert opened.take(wanted, "five").tolist() == [made[i]["five"].tolist() for i in wanted]
    assert opened.take(wanted, "empty") == [b""] * 4
    assert opened.lengths(wanted, "image").tolist() == [0, 0, 0, 0]
    values, lengths = opened.take(np.array([1, 2, 5]), "boxes")
    assert (values.tolist(), lengths.tolist()) == ([1, 2, 3, 4, 5, 2, 3, 4], [4, 0, 4])
    values, lengths = opened.take(wanted, "none")
    assert (values.dtype, values.tolist(), lengths.tolist()) == (np.int32, [], [0] * 4)


def test_a_store_without_rows(tmp_path):
    opened = store(tmp_path, 0)
    assert opened.take(np.empty(0, np.int64), "number").tolist() == []
    assert opened.take([], "text") == []
    assert opened.lengths([], "text").tolist() == []
    with pytest.raises(IndexError):
        opened.take([0], "number")


def test_a_mix_of_parts(tmp_path):
    mixed = mix([dataset(tmp_path, 900), dataset(tmp_path, table(300, start=900))], [3, 1])
    ids = mixed.ids(np.arange(len(mixed)))
    assert mixed._source.take(ids, "number").tolist() == mixed["number"].tolist()


def test_threads_may_take_at_once(tmp_path: Path):
    n = 20 * BATCH_ROWS
    folder = store(tmp_path, ({"number": i} for i in range(n)), {"number": Int()}).folder
    for _ in range(10):
        opened, barrier, right = Store(folder), threading.Barrier(4), []

        def read(
            seed: int,
            opened: Store = opened,
            barrier: threading.Barrier = barrier,
            right: list[bool] = right,
        ) -> None:
            wanted = np.random.default_rng(seed).permutation(n)
            barrier.wait()
            right.append(np.array_equal(opened.take(wanted, "number"), wanted))

        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert right == [True] * 4
