"""The store: every feature comes back, nothing half-written is ever there, opening reads no row."""

from __future__ import annotations

import gc
import json
import pickle
import signal
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.rows import FEATURES, dataset, same, store, table

import domainkit.store.reading
import domainkit.store.writing
from domainkit.dataset import Dataset
from domainkit.errors import ReaderError, StoreError
from domainkit.features import Boxes, Image, Int, Label, Tensor, Text, Tokens
from domainkit.prepared import LAYOUT
from domainkit.store import BATCH_ROWS, Store, write_store

PART = "part-00000.arrow"


def expected(row: dict) -> dict:
    """A row of ``table`` as it must come out."""
    return {
        **row,
        "tokens": torch.as_tensor(row["tokens"], dtype=torch.int64),
        "grid": torch.from_numpy(row["grid"]),
    }


# -- round trips -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "n", [0, 1, 2, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, 2 * BATCH_ROWS + 7]
)
def test_every_row_comes_back(tmp_path, n):
    made = dataset(tmp_path, n)
    for ds in (made, Dataset(Store(made._source.folder))):
        assert len(ds) == n
        for got, row in zip(ds, table(n), strict=True):
            assert same(got, expected(row))
        assert ds["number"].tolist() == list(range(n))
        assert ds["label"].tolist() == [i % 2 for i in range(n)]
        assert ds["half"].dtype == np.float64


ROW = st.fixed_dictionaries(
    {
        "number": st.integers(-(2**63), 2**63 - 1),
        "half": st.floats(allow_nan=False),
        "label": st.integers(0, 1),
        "text": st.text(),
        "tokens": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5),
        "grid": st.lists(st.integers(-(2**15), 2**15 - 1), min_size=6, max_size=6).map(
            lambda values: np.array(values, np.int16).reshape(2, 3)
        ),
    }
)


@given(st.lists(ROW, max_size=8))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_come_back(tmp_path, rows):
    ds = dataset(tmp_path, rows)
    for got, row in zip(ds, rows, strict=True):
        assert same(got, expected(row))


def test_bytes_boxes_and_lone_columns_come_back(tmp_path):
    features = {"image": Image(), "boxes": Boxes(), "empty": Text()}
    rows = [
        {"image": b"", "boxes": [], "empty": ""},
        {"image": b"\x00\xff" * 5000, "boxes": [[1, 2, 3, 4]], "empty": ""},
        {"image": memoryview(b"abc"), "boxes": np.ones((3, 4), np.float32), "empty": ""},
    ]
    opened = store(tmp_path, rows, features)
    for i, row in enumerate(rows):
        raw = opened.raw(i)
        assert bytes(raw["image"]) == bytes(row["image"])
        assert raw["boxes"].tolist() == np.asarray(row["boxes"], np.float32).ravel().tolist()
        assert bytes(raw["empty"]) == b""


def test_all_empty_values_come_back(tmp_path):
    features = {"text": Text(), "tokens": Tokens(), "nothing": Tensor(shape=(0,))}
    nothing = np.empty(0, np.float32)
    ds = dataset(tmp_path, [{"text": "", "tokens": [], "nothing": nothing}] * 3, features)
    assert same(ds[2], {"text": "", "tokens": torch.tensor([]).long(), "nothing": torch.empty(0)})


def test_rows_are_views_of_the_file(tmp_path):
    opened = store(tmp_path, [{"x": b"abc", "y": np.ones(4, np.uint8)}], {
        "x": Image(),
        "y": Tensor(dtype="uint8", shape=(4,)),
    })  # fmt: skip
    for value in opened.raw(0).values():
        assert isinstance(value, memoryview)
        assert value.readonly


def test_only_the_asked_columns_are_given(tmp_path):
    opened = store(tmp_path, 3)
    assert opened.raw(1, ["text"]).keys() == {"text"}
    assert opened.raw(1, ()) == {}
    assert list(opened.raw(1)) == list(FEATURES)


def test_several_parts_read_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(domainkit.store.writing, "PART_BYTES", 1)
    n = 3 * BATCH_ROWS + 5
    ds = dataset(tmp_path, n)
    assert len(list(ds._source.folder.glob("part-*.arrow"))) == 4
    assert ds["number"].tolist() == list(range(n))
    for i in (0, BATCH_ROWS - 1, BATCH_ROWS, 2 * BATCH_ROWS + 1, n - 1, -1):
        assert same(ds[i], expected(next(table(1, start=i % n))))


def test_facts_are_kept(tmp_path):
    opened = write_store(
        tmp_path / "s", table(3), FEATURES, fingerprint="abc", info={"name": "ü", "n": [1]}
    )
    assert opened.fingerprint == "abc"
    assert opened.info == {"name": "ü", "n": [1]}
    assert opened.features == FEATURES
    assert list(opened.features) == list(FEATURES)
    assert opened.nbytes == sum(f.stat().st_size for f in opened.folder.iterdir())
    with pa.OSFile(str(opened.folder / PART)) as file:  # any Arrow reader understands it
        read = pa.ipc.open_file(file).read_all()
    assert read["number"].to_pylist() == [0, 1, 2]
    assert json.loads(read.schema.metadata[b"domainkit"])["layout"] == LAYOUT


def test_pickles_as_its_folder(tmp_path):
    opened = store(tmp_path, 2000)
    opened.raw(1500)
    data = pickle.dumps(opened)
    assert len(data) < 1000
    again = pickle.loads(data)
    assert again.raw(1500)["number"] == 1500


def read_everything(folder: Path) -> list[dict]:
    return list(Dataset(Store(folder)))


# -- opening reads nothing ---------------------------------------------------------------------


def test_opening_reads_no_row(tmp_path):
    folder = store(tmp_path, 2000).folder
    read_everything(folder)
    for file in folder.glob("part-*"):
        size = file.stat().st_size
        file.unlink()
        with file.open("wb") as hole:  # nothing but the size is there
            hole.truncate(size)
    ds = Dataset(Store(folder))[10:1990]
    assert len(ds) == 1980
    assert len(ds.fingerprint) == 32
    with pytest.raises(StoreError):
        ds[0]


def test_a_row_touches_one_record_batch_of_the_asked_columns(tmp_path):
    opened = store(tmp_path, 2000)
    opened.raw(1500, ["text"])
    (part,) = opened._parts
    assert list(part.columns) == ["text"]
    assert np.flatnonzero(part.columns["text"]._places).tolist() == [1500 // BATCH_ROWS]


def test_two_hundred_thousand_rows_cost_no_memory(tmp_path):
    features = {"number": Int(), "text": Text()}
    made = store(tmp_path, ({"number": i, "text": "word"} for i in range(200_000)), features)
    folder = made.folder
    del made
    Dataset(Store(folder))[0]  # what is imported once is not the dataset's
    gc.collect()
    tracemalloc.start()
    try:
        ds = Dataset(Store(folder))
        opened = tracemalloc.get_traced_memory()[0]
        half = ds[::2]
        viewed = tracemalloc.get_traced_memory()[0]
        for i in range(0, 200_000, 400):  # every record batch
            assert ds[i]["number"] == i
        touched = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(half) == 100_000
    assert opened < 100_000
    assert viewed - opened < 10_000
    assert touched < 1_000_000


def test_threads_may_read_at_once(tmp_path):
    n = 20 * BATCH_ROWS
    features = {"number": Int(), "text": Text()}
    folder = store(tmp_path, ({"number": i, "text": str(i)} for i in range(n)), features).folder
    opened, barrier, right = Dataset(Store(folder)), threading.Barrier(4), []

    def read(seed: int) -> None:
        order = np.random.default_rng(seed).integers(0, n, 3000).tolist()
        barrier.wait()
        right.append(all(opened[i] == {"number": i, "text": str(i)} for i in order))

    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switching)
    assert right == [True] * 4


# -- writing -----------------------------------------------------------------------------------


def failing(n: int, error: BaseException):
    yield from table(n)
    raise error


@pytest.mark.parametrize("n", [0, 10, BATCH_ROWS + 1])
@pytest.mark.parametrize("error", [ReaderError("no"), ValueError("x"), KeyboardInterrupt()])
def test_a_failed_writer_leaves_nothing(tmp_path, n, error):
    with pytest.raises(type(error)):
        write_store(tmp_path / "s", failing(n, error), FEATURES, fingerprint="f")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_writer_leaves_the_old_store(tmp_path):
    write_store(tmp_path / "s", table(3), FEATURES, fingerprint="old")
    with pytest.raises(ValueError, match="x"):
        write_store(tmp_path / "s", failing(600, ValueError("x")), FEATURES, fingerprint="new")
    assert Store(tmp_path / "s").fingerprint == "old"
    assert len(Store(tmp_path / "s")) == 3
    write_store(tmp_path / "s", table(4), FEATURES, fingerprint="new")
    assert len(Store(tmp_path / "s")) == 4
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


KILLED = """
import sys, time
from pathlib import Path
from domainkit.features import Int
from domainkit.store import write_store

def rows():
    for i in range(2000):
        if i == 1500:
            print("half", flush=True)
            sys.stdin.read()  # until this process is killed
        yield {"number": i}

write_store(Path(sys.argv[1]), rows(), {"number": Int()}, fingerprint="f")
"""


def test_a_killed_writer_leaves_no_store(tmp_path):
    place = tmp_path / "s"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert not place.exists()
    assert len(list(tmp_path.iterdir())) == 1  # what was begun, under another name
    with pytest.raises(StoreError, match="not a prepared dataset"):
        Store(place)
    write_store(place, [{"number": 7}], {"number": Int()}, fingerprint="f")
    assert Store(place).raw(0) == {"number": 7}


def test_the_folder_may_be_read_by_others(tmp_path):
    made = store(tmp_path, 1)
    assert made.folder.stat().st_mode & 0o755 == 0o755


@pytest.mark.parametrize("n", [2, 4])
def test_a_wrong_number_of_rows_is_refused(tmp_path, n):
    with pytest.raises(ReaderError, match=f"expected 3 rows, the files hold {n}"):
        write_store(tmp_path / "s", table(n), FEATURES, fingerprint="f", expected_rows=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"a": 1}, r"row 600: the reader gave \['a'\], the card has \['a', 'b'\]"),
        ({"a": 1, "b": 0, "c": 2}, r"row 600: the reader gave \['a', 'b', 'c'\]"),
        ({"a": "x", "b": 0}, "row 600, column 'a': .*'x'"),
        ({"a": 2**63, "b": 0}, "row 600, column 'a': .*64 bits"),
        ({"a": 1, "b": "no such"}, "row 600, column 'b': there is no class 'no such'"),
        ({"a": 1, "b": 5}, "row 600, column 'b': class 5 is outside 0..1"),
        ({"a": None, "b": 0}, "row 600, column 'a'"),
    ],
)
def test_a_record_that_does_not_fit_is_named(tmp_path, row, message):
    rows = [{"a": 1, "b": 1}] * 600 + [row]
    with pytest.raises(ReaderError, match=message):
        store(tmp_path, rows, {"a": Int(), "b": Label(names=("x", "y"))})
