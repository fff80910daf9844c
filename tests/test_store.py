"""The store: every feature comes back, nothing half-written is ever there, opening reads no row."""

from __future__ import annotations

import gc
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import tracemalloc
import zlib
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
from domainkit.errors import DomainkitError, ReaderError, StoreError
from domainkit.features import Boxes, Float, Image, Int, Label, Tensor, Text, Tokens
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


# -- opening reads nothing ---------------------------------------------------------------------


def test_opening_reads_no_row(tmp_path, monkeypatch):
    folder = store(tmp_path, 2000).folder
    read = []

    class Watched:
        def __init__(self, reader: object) -> None:
            self.reader = reader

        def __getattr__(self, name: str) -> object:
            if name in ("get_batch", "get_record_batch", "read_all", "read_pandas"):
                read.append(name)
            return getattr(self.reader, name)

    original = pa.ipc.open_file
    monkeypatch.setattr(pa.ipc, "open_file", lambda source: Watched(original(source)))
    opened = Store(folder)
    ds = Dataset(opened)[10:1990]
    assert len(ds) == 1980
    assert len(ds.fingerprint) == 32
    assert read == []
    assert opened._views == {}
    assert ds[0]["number"] == 10
    assert read == ["get_batch"]  # one record batch for one row
    assert list(opened._views) == [(0, 0)]


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


def test_the_looked_up_batches_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(domainkit.store.reading, "KEPT_BATCHES", 2)
    opened = store(tmp_path, 5 * BATCH_ROWS)
    for batch in (0, 1, 0, 2, 3, 3, 4, 0):
        row = batch * BATCH_ROWS + 1
        assert opened.raw(row)["number"] == row
        assert len(opened._views) <= 2
    assert list(opened._views) == list(opened._loaded) == [(0, 4), (0, 0)]


def test_threads_may_read_while_batches_are_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(domainkit.store.reading, "KEPT_BATCHES", 3)
    n = 20 * BATCH_ROWS
    opened = store(tmp_path, ({"number": i} for i in range(n)), {"number": Int()})
    barrier, right = threading.Barrier(4), []

    def read(seed: int) -> None:
        order = np.random.default_rng(seed).integers(0, n, 3000).tolist()
        barrier.wait()
        right.append(all(opened.raw(i)["number"] == i for i in order))

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
    assert len(opened._views) == 3
    assert sorted(opened._views) == sorted(opened._loaded)


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


# -- damage ------------------------------------------------------------------------------------


def read_everything(folder: Path) -> list[dict]:
    return list(Dataset(Store(folder)))


def test_a_truncated_part_is_refused(tmp_path):
    folder = store(tmp_path, 1200).folder
    whole = (folder / PART).read_bytes()
    for size in [0, 1, 7, 8, 100, *range(1000, len(whole), 5003), len(whole) - 9, len(whole) - 1]:
        (folder / PART).write_bytes(whole[:size])
        with pytest.raises(StoreError, match=r"part-00000\.arrow is damaged.*prepare again"):
            Store(folder)


def test_a_flipped_bit_never_ends_in_another_kind_of_error(tmp_path):
    folder = store(tmp_path, 1200).folder
    whole = (folder / PART).read_bytes()
    rng = np.random.default_rng(0)
    found = 0
    ends = rng.integers(0, 1500, 60)  # metadata lies at both ends
    middle = rng.integers(0, len(whole), 60)
    for position in [*ends, *(len(whole) - 1 - ends), *middle]:
        damaged = bytearray(whole)
        damaged[position] ^= 1 << rng.integers(8)
        (folder / "new").write_bytes(damaged)
        os.replace(folder / "new", folder / PART)  # a mapped file is not written to
        try:
            read_everything(folder)
        except DomainkitError:
            found += 1
    assert found > 10


@pytest.mark.parametrize("n", [0, 3, 3 * BATCH_ROWS + 5])
def test_the_sums_are_those_of_the_files(tmp_path, monkeypatch, n):
    monkeypatch.setattr(domainkit.store.writing, "PART_BYTES", 1)
    opened = store(tmp_path, n)
    opened.verify()
    parts = sorted(opened.folder.glob("part-*.arrow"))
    facts = json.loads((opened.folder / "store.json").read_text())
    assert facts["part_crc32"] == [f"{zlib.crc32(part.read_bytes()):08x}" for part in parts]
    assert len(parts) == -(-n // BATCH_ROWS)


def test_verify_finds_any_flipped_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(domainkit.store.writing, "PART_BYTES", 1)
    opened = store(tmp_path, 2 * BATCH_ROWS)
    part = opened.folder / "part-00001.arrow"
    whole = part.read_bytes()
    for position in [0, len(whole) - 1, *np.random.default_rng(0).integers(0, len(whole), 20)]:
        damaged = bytearray(whole)
        damaged[position] ^= 4
        (opened.folder / "new").write_bytes(damaged)
        os.replace(opened.folder / "new", part)
        with pytest.raises(StoreError, match=r"part-00001\.arrow is damaged .*prepare again"):
            opened.verify()
    part.unlink()
    with pytest.raises(StoreError, match=r"part-00001\.arrow is damaged .*prepare again"):
        opened.verify()


@pytest.mark.parametrize("sums", [None, [], ["0", "0"], ["x"], [7], 7])
def test_a_store_without_good_sums_is_refused(tmp_path, sums):
    folder = store(tmp_path, 3).folder
    facts = json.loads((folder / "store.json").read_text())
    facts["part_crc32"] = sums
    if sums is None:
        del facts["part_crc32"]
    (folder / "store.json").write_text(json.dumps(facts))
    with pytest.raises(StoreError, match=r"is not a prepared dataset .*prepare again"):
        Store(folder)


def test_a_missing_or_foreign_part_is_refused(tmp_path):
    folder, other = store(tmp_path, 600).folder, store(tmp_path, 1200).folder
    renamed = store(tmp_path, ({"n": i} for i in range(600)), {"n": Int()}).folder
    retyped = store(
        tmp_path,
        ({**row, "number": float(row["number"])} for row in table(600)),
        {**FEATURES, "number": Float()},
    ).folder
    for source, message in ((other, "does not hold 600 rows"), (renamed, "other columns")):
        (folder / PART).write_bytes((source / PART).read_bytes())
        with pytest.raises(StoreError, match=message):
            Store(folder)
    (folder / PART).write_bytes((retyped / PART).read_bytes())
    with pytest.raises(StoreError, match="other columns"):
        Store(folder)
    (folder / PART).unlink()
    with pytest.raises(StoreError, match="is damaged"):
        Store(folder)


@pytest.mark.parametrize(
    "facts",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "{}",
        '{"layout": 1}',
        '{"layout": 1, "features": {"x": {"type": "Gone"}}, "fingerprint": "", "info": {}}',
        '{"layout": 1, "features": [], "fingerprint": "", "info": {}, "part_rows": []}',
        '{"layout": 1, "features": {}, "fingerprint": "", "info": {}, "part_rows": ["x"]}',
        b"\xff\xfe",
    ],
)
def test_damaged_facts_are_refused(tmp_path, facts):
    folder = store(tmp_path, 3).folder
    (folder / "store.json").write_bytes(facts if isinstance(facts, bytes) else facts.encode())
    with pytest.raises(StoreError, match=r"is not a prepared dataset .*prepare again"):
        Store(folder)


@pytest.mark.parametrize("layout", [0, LAYOUT + 1, "1", None])
def test_another_layout_is_refused_by_name(tmp_path, layout):
    folder = store(tmp_path, 3).folder
    facts = json.loads((folder / "store.json").read_text())
    (folder / "store.json").write_text(json.dumps({**facts, "layout": layout}))
    with pytest.raises(StoreError, match=f"has layout {layout}, this domainkit reads layout"):
        Store(folder)


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_what_is_not_a_folder_is_refused(tmp_path, place):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="is not a prepared dataset"):
        Store(tmp_path / place)


@pytest.mark.parametrize("fails", ["get_batch", "validate"])
def test_damage_found_while_reading_names_the_file(tmp_path, monkeypatch, fails):
    opened = store(tmp_path, 3)

    class Broken:
        """A reader, and the record batch it gives, whose lengths do not fit together."""

        def get_batch(self, _: int) -> Broken:
            return self.check("get_batch")

        def validate(self) -> Broken:
            return self.check("validate")

        def check(self, name: str) -> Broken:
            if name == fails:
                raise pa.ArrowInvalid("bad lengths")
            return self

    monkeypatch.setattr(opened, "_readers", [Broken()])
    with pytest.raises(StoreError, match=r"part-00000\.arrow is damaged \(bad lengths\)"):
        opened.raw(0)
