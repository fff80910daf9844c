"""Damage is noticed: what is read is what was written, or there is an error that says what to do.

Files are changed where they lie, through nothing that the store has open.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.rows import dataset, same, store, table

import domainkit.store.writing
from domainkit.combine import concat
from domainkit.dataset import Dataset
from domainkit.errors import StoreError
from domainkit.features import Boxes, Float, Image, Int, Text
from domainkit.loader import Loader
from domainkit.prepared import LAYOUT
from domainkit.store import BATCH_ROWS, Store

PART, SUMS = "part-00000.arrow", "part-00000.sums"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A store with a column of every storage; nobody changes it."""
    return store(tmp_path_factory.mktemp("made"), 3).folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """Two parts with two record batches each."""
    with pytest.MonkeyPatch.context() as patch:
        # a part is closed by the first record batch that finds it larger
        patch.setattr(domainkit.store.writing, "PART_BYTES", 50_000)
        opened = store(tmp_path_factory.mktemp("large"), 3 * BATCH_ROWS + 5)
    assert [part.batches for part in opened._parts] == [2, 2]
    return opened.folder


def flip(path: Path, position: int, mask: int = 1) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ mask]))


def seen(folder: Path) -> list[Any]:
    """All rows, by every way in which samples are read."""
    ds = Dataset(Store(folder))
    rows = np.arange(len(ds))
    one, many, raw = list(ds), ds.__getitems__(rows), [ds.raw(i, checked=True) for i in rows]
    taken = [ds._source.take(rows, name) for name in ds.columns]
    lengths = [ds._source.lengths(rows, name) for name in ("text", "tokens")]
    columns = [ds.column(name) for name in ("number", "half", "label")]
    plain = [
        {k: bytes(v) if not isinstance(v, (int, float)) else v for k, v in r.items()} for r in raw
    ]
    arrays = [torch.from_numpy(np.array(a)) for a in (*taken[:3], *taken[4], taken[5], *lengths)]
    return [*one, *many, *plain, *map(bytes, taken[3]), *arrays, *[c.tolist() for c in columns]]


def checks(folder: Path) -> bool:
    """Whether ``verify`` finds the store whole."""
    try:
        Store(folder).verify()
    except StoreError as error:
        assert "prepare again" in str(error)
        return False
    return True


# -- flipped bits ------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [PART, SUMS, "store.json"])
def test_no_flipped_bit_shows_another_sample(folder, file):
    right, path = seen(folder), folder / file
    assert checks(folder)
    found = 0
    size = path.stat().st_size
    padding = range(3 * 4, 3 * 4 * BATCH_ROWS)  # row sums: three columns, three rows
    for position in range(size):
        if (
            file == SUMS
            and position in padding
            and position % (4 * BATCH_ROWS) > 12
            and position % 61
        ):
            continue
        mask = 1 << position % 8
        flip(path, position, mask)
        try:
            now = seen(folder)
        except StoreError as error:
            assert "prepare again" in str(error)
            found += 1
        else:
            assert len(now) == len(right)
            assert all(map(same, now, right)), f"{file}, byte {position}"
        # the facts are text: another space is no other fact
        assert not checks(folder) or file == "store.json", f"{file}, byte {position}"
        flip(path, position, mask)
    assert found > 100
    assert all(map(same, seen(folder), right))


@given(
    st.integers(0, 2**40), st.integers(1, 255), st.sampled_from(["00000", "00001"]), st.booleans()
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_changed_byte_of_many_shows_another_sample(large, place, mask, part, beside):
    path = large / f"part-{part}{'.sums' if beside else '.arrow'}"
    position = place % path.stat().st_size
    flip(path, position, mask)
    try:
        ds, rows = Dataset(Store(large)), range(3 * BATCH_ROWS + 5)
        for i in (*rows[::97], *rows[-5:]):
            try:
                assert same(ds[i], expected(i))
            except StoreError as error:
                assert f"part-{part}" in str(error)
        assert not checks(large)
    finally:
        flip(path, position, mask)


def expected(i: int) -> dict[str, Any]:
    (row,) = table(1, start=i)
    tokens = torch.as_tensor(row["tokens"], dtype=torch.int64)
    return {**row, "tokens": tokens, "grid": torch.from_numpy(row["grid"])}


ROW = BATCH_ROWS + 7


@pytest.fixture(params=["text", "tokens", "grid", "number"])
def spoilt(request, tmp_path) -> tuple[Dataset, str, str]:
    """A dataset whose row ``ROW`` is damaged in one column, and what is said of it."""
    ds = dataset(tmp_path, 2 * BATCH_ROWS + 9)
    name = request.param
    needle = {
        "text": f"{ROW}".encode(),
        "tokens": np.array([ROW, ROW + 1, ROW + 2, ROW + 3], np.int32).tobytes(),
        "grid": np.full(6, ROW, np.int16).tobytes(),
        "number": np.array([ROW - 1, ROW, ROW + 1], np.int64).tobytes(),
    }[name]
    path = ds._source.folder / PART
    data = path.read_bytes()
    at = (
        data.index(needle)
        if name != "text"
        else data.index("ö".encode() * (ROW % 4) + needle) + 2 * (ROW % 4)
    )
    flip(path, at + len(needle) // 2, 4)
    where = f"rows {BATCH_ROWS}..{2 * BATCH_ROWS - 1}" if name == "number" else f"row {ROW}"
    return Dataset(Store(ds._source.folder)), name, f"{path} is damaged ({where}, column '{name}'"


WAYS: dict[str, Callable[[Dataset], Any]] = {
    "one": lambda ds: ds[ROW],
    "several": lambda ds: ds.__getitems__([3, ROW]),
    "a view": lambda ds: ds[::-1][len(ds) - 1 - ROW],
    "joined": lambda ds: concat([ds, ds])[len(ds) + ROW],
    "joined, many": lambda ds: [
        concat([ds, ds])._source.take([2, len(ds) + ROW], n) for n in ds.columns
    ],
    "a batch": lambda ds: ds.batch([ROW, 5]),
    "many": lambda ds: [ds._source.take([0, ROW, 1], name) for name in ds.columns],
    "the loader": lambda ds: list(Loader(ds, 64, num_threads=2)),
    "a line of text": lambda ds: [ds.raw(ROW, checked=True)],
    "parquet": lambda ds: ds.to_parquet(ds._source.folder / "out.parquet"),
    "webdataset": lambda ds: ds.to_webdataset(ds._source.folder / "out.tar"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_reading_names_the_damage(spoilt, way):
    ds, _, message = spoilt
    with pytest.raises(StoreError) as caught:
        WAYS[way](ds)
    assert message in str(caught.value)
    assert str(caught.value).endswith(f"remove {ds._source.folder} and prepare again")


def test_other_rows_and_columns_can_still_be_read(spoilt):
    ds, name, _ = spoilt
    assert ds.select_columns([c for c in ds.columns if c != name])[
        ROW
    ].keys() == ds.features.keys() - {name}
    if name != "number":
        assert same(ds[ROW - 1], expected(ROW - 1))
    assert same(ds[3], expected(3))


def test_raw_is_not_checked_unless_asked(spoilt):
    ds, name, message = spoilt
    if name == "number":
        with pytest.raises(StoreError):
            ds.raw(ROW)
        return
    assert bytes(ds.raw(ROW)[name]) != bytes(dataset_raw(ROW, ds)[name])
    with pytest.raises(StoreError, match="not the bytes that were written"):
        ds.raw(ROW, checked=True)
    assert message


def dataset_raw(i: int, ds: Dataset) -> dict[str, Any]:
    """What the store should hold of a row."""
    (row,) = table(1, start=i)
    return {name: feature.encode(row[name]) for name, feature in ds.features.items()}


def test_verify_names_the_rows(spoilt):
    ds, _, _ = spoilt
    folder = ds._source.folder
    stretch = f"rows {BATCH_ROWS}..{2 * BATCH_ROWS - 1}"
    with pytest.raises(StoreError) as caught:
        ds._source.verify()
    assert str(caught.value) == (
        f"{folder / PART} is damaged ({stretch}): remove {folder} and prepare again"
    )


def test_verify_tells_several_stretches(tmp_path, monkeypatch):
    monkeypatch.setattr(domainkit.store.writing, "PART_BYTES", 1 << 60)
    opened = store(
        tmp_path, ({"text": f"<{i}>"} for i in range(20 * BATCH_ROWS + 3)), {"text": Text()}
    )
    path = opened.folder / PART
    data = path.read_bytes()
    for batch in (2, 3, 7, 20):
        flip(path, data.index(f"<{batch * BATCH_ROWS + 1}>".encode()))
    flip(path, len(data) - 1)
    with pytest.raises(StoreError) as caught:
        opened.verify()
    assert "(rows 1024..2047, rows 3584..4095, rows 10240..10242, its footer)" in str(caught.value)
    for batch in (9, 11, 13, 15, 17):
        flip(path, data.index(f"<{batch * BATCH_ROWS + 1}>".encode()))
    with pytest.raises(
        StoreError, match=r"\.\.6143, rows 6656\.\.7167, 3 more stretches of rows, its"
    ):
        opened.verify()


def test_damage_in_the_second_part_counts_rows_from_the_first(large, tmp_path):
    folder = Path(shutil.copytree(large, tmp_path / "copy"))
    path = folder / "part-00001.arrow"
    row = 3 * BATCH_ROWS + 2
    flip(path, path.read_bytes().index(f"{row}".encode()))
    opened = Store(folder)
    with pytest.raises(
        StoreError, match=rf"part-00001\.arrow is damaged \(row {row}, column 'text'"
    ):
        Dataset(opened)[row]
    with pytest.raises(
        StoreError, match=rf"part-00001\.arrow is damaged \(rows {row - 2}\.\.{row + 2}\)"
    ):
        opened.verify()


def test_a_dataset_in_the_cache_is_mended_by_name(tmp_path):
    home = tmp_path / "prepared" / "vision" / "digits"
    home.mkdir(parents=True)
    folder = store(home, [{"text": "abc"}], {"text": Text()}).folder
    flip(folder / PART, (folder / PART).read_bytes().index(b"abc"))
    with pytest.raises(StoreError) as caught:
        Dataset(Store(folder))[0]
    assert str(caught.value).endswith(
        "run `domainkit cache rm vision/digits` and prepare again; `domainkit verify "
        "vision/digits` says what else is damaged"
    )


# -- what the checksums are --------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 3, BATCH_ROWS, 3 * BATCH_ROWS + 5])
def test_the_sums_are_those_of_the_files(tmp_path, monkeypatch, n):
    monkeypatch.setattr(domainkit.store.writing, "PART_BYTES", 1)
    opened = store(tmp_path, n)
    opened.verify()
    facts = json.loads((opened.folder / "store.json").read_text())
    parts = sorted(opened.folder.glob("part-*.arrow"))
    assert len(parts) == len(facts["part_rows"]) == -(-n // BATCH_ROWS)
    for i, part in enumerate(parts):
        data, sums = part.read_bytes(), part.with_suffix(".sums").read_bytes()
        assert facts["part_bytes"][i] == len(data)
        assert facts["sums_xxh3"][i] == xxhash.xxh3_64_hexdigest(sums)
        (end, first), (stop, last) = np.frombuffer(sums[-32:], np.uint64).reshape(2, 2).tolist()
        assert stop == len(data)
        assert first == xxhash.xxh3_64_intdigest(data[:end])
        assert last == xxhash.xxh3_64_intdigest(data[end:])
        texts = np.frombuffer(sums[: 4 * BATCH_ROWS], np.uint32)
        for k in range(facts["part_rows"][i]):
            text = bytes(opened.raw(i * BATCH_ROWS + k)["text"])
            assert texts[k] == xxhash.xxh3_64_intdigest(text) % 2**32


def test_what_is_held_to_sums_is_what_was_meant(tmp_path, monkeypatch):
    """Bytes that change on their way to the disk are found, though nobody ever saw others."""
    write = domainkit.store.writing.SummedFile.write

    def change(self: Any, data: Any) -> int:
        bad = (
            bytes(data).replace(b"needle", b"needlf")
            if str(self.raw.name).endswith(".arrow")
            else data
        )
        self.__class__.__base__.write(self, bad)
        self._hash.update(data)
        return len(data)

    monkeypatch.setattr(domainkit.store.writing.SummedFile, "write", change)
    opened = store(tmp_path, [{"text": "needle"}], {"text": Text()})
    monkeypatch.setattr(domainkit.store.writing.SummedFile, "write", write)
    assert bytes(opened.raw(0)["text"]) == b"needlf"
    with pytest.raises(StoreError, match=r"row 0, column 'text'"):
        Dataset(opened)[0]
    with pytest.raises(StoreError, match=r"rows 0\.\.0"):
        opened.verify()


# -- files that are too short, gone, or others ---------------------------------------------------


@pytest.mark.parametrize("file", [PART, SUMS, "store.json"])
def test_a_store_cut_anywhere_is_refused(folder, file):
    path = folder / file
    whole = path.read_bytes()
    for size in range(len(whole)) if file != SUMS else range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(StoreError, match=r"prepare again"):
            Store(folder)
    path.write_bytes(whole + b"\0")
    if file == "store.json":
        return
    with pytest.raises(StoreError, match=r"is damaged \(it has [\d,]+ bytes, [\d,]+ were written"):
        Store(folder)


@pytest.mark.parametrize("file", [PART, SUMS])
def test_verify_finds_a_cut(large, tmp_path, file):
    folder = Path(shutil.copytree(large, tmp_path / "copy"))
    opened, path = Store(folder), folder / file
    whole = path.stat().st_size
    for size in [whole - 1, whole - 100, whole // 2, 100, 0]:
        os.truncate(path, size)
        with pytest.raises(StoreError, match=rf"{file} is damaged .*prepare again"):
            opened.verify()
    path.unlink()
    with pytest.raises(StoreError, match=rf"{file} is damaged .*prepare again"):
        opened.verify()


@pytest.mark.parametrize("file", [PART, SUMS])
@pytest.mark.parametrize(
    "read",
    [
        lambda ds: ds[BATCH_ROWS],
        lambda ds: ds._source.take(np.array([0, BATCH_ROWS]), "text"),
        lambda ds: ds._source.lengths(np.array([BATCH_ROWS]), "tokens"),
        lambda ds: ds["number"],
    ],
)
def test_a_file_that_shrinks_while_it_is_open(large, tmp_path, file, read):
    folder = Path(shutil.copytree(large, tmp_path / "copy"))
    ds = Dataset(Store(folder))
    assert same(ds[0], expected(0))
    os.truncate(folder / file, 5000)
    # behind its end there is no memory any more: without the look, this would be the end of all
    with pytest.raises(StoreError, match=rf"{file} is damaged \(it has lost its end while"):
        read(ds)


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_what_is_removed_can_be_read_to_the_end(large, tmp_path, how):
    folder = Path(shutil.copytree(large, tmp_path / "copy"))
    ds = Dataset(Store(folder))
    assert same(ds[0], expected(0))
    for file in folder.iterdir():
        file.unlink()
        if how == "replaced":
            file.write_bytes(b"x")
    for i in (BATCH_ROWS, 3 * BATCH_ROWS + 4):
        assert same(ds[i], expected(i))


@pytest.mark.parametrize("file", [PART, SUMS, "store.json"])
def test_a_missing_file_is_refused(folder, file):
    (folder / file).unlink()
    with pytest.raises(StoreError, match="prepare again"):
        Store(folder)


def test_a_foreign_part_is_refused(tmp_path):
    folder, other = store(tmp_path, 600).folder, store(tmp_path, 1200).folder
    (folder / PART).write_bytes((other / PART).read_bytes())
    with pytest.raises(StoreError, match=r"bytes, [\d,]+ were written"):
        Store(folder)


def test_a_part_of_the_same_size_with_numbers_of_another_kind_is_noticed(tmp_path):
    rows = [{"number": i} for i in range(600)]
    folder = store(tmp_path, rows, {"number": Int()}).folder
    other = store(tmp_path, rows, {"number": Float()}).folder
    size = (folder / PART).stat().st_size
    data = (other / PART).read_bytes()
    (folder / PART).write_bytes(data[:size].ljust(size, b"\0"))
    with pytest.raises(StoreError, match="damaged"):
        Store(folder).verify()
    with pytest.raises(StoreError, match="damaged"):
        Store(folder).raw(0)


def test_parts_that_changed_places_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(domainkit.store.writing, "PART_BYTES", 1)
    rows = [{"number": i, "text": f"{i:05d}"} for i in range(2 * BATCH_ROWS)]
    folder = store(tmp_path, rows, {"number": Int(), "text": Text()}).folder
    first, second = folder / PART, folder / "part-00001.arrow"
    assert first.stat().st_size == second.stat().st_size
    os.rename(first, folder / "x")
    os.rename(second, first)
    os.rename(folder / "x", second)
    with pytest.raises(StoreError, match=r"part-00000\.arrow is damaged"):
        Dataset(Store(folder))[0]
    with pytest.raises(StoreError, match=r"part-00000\.arrow is damaged"):
        Store(folder).verify()


def test_values_without_bytes_have_sums_too(tmp_path):
    features = {"image": Image(), "boxes": Boxes(), "text": Text()}
    ds = dataset(tmp_path, [{"image": b"", "boxes": [], "text": ""}] * 3, features)
    raw = ds.raw(1, checked=True)
    assert (bytes(raw["image"]), raw["boxes"].tolist(), bytes(raw["text"])) == (b"", [], b"")
    assert ds._source.take([0, 2], "image") == [b"", b""]
    ds._source.verify()


# -- facts ---------------------------------------------------------------------------------------


def changes() -> Iterator[Any]:
    yield lambda facts: facts["features"]["label"].update(names=["odd", "even"])
    yield lambda facts: facts.update(part_rows=[2])
    yield lambda facts: facts.update(fingerprint="g" * 32)
    yield lambda facts: facts["info"].update(split="test")
    yield lambda facts: facts.update(sums_xxh3=["0" * 16])
    yield lambda facts: facts.update(xxh3="0" * 16)
    yield lambda facts: facts.update(xxh3=None)
    yield lambda facts: facts.pop("xxh3")
    yield lambda facts: facts.pop("features")
    yield lambda facts: facts.update(more=1)


@pytest.mark.parametrize("change", [*changes()])
def test_other_facts_than_were_written_are_refused(folder, change):
    facts = json.loads((folder / "store.json").read_text())
    change(facts)
    (folder / "store.json").write_text(json.dumps(facts))
    with pytest.raises(StoreError, match=r"is not a prepared dataset .*prepare again"):
        Store(folder)


@pytest.mark.parametrize(
    "facts", ["", "{", "[]", "null", "7", "{}", f'{{"layout": {LAYOUT}}}', b"\xff\xfe"]
)
def test_damaged_facts_are_refused(folder, facts):
    (folder / "store.json").write_bytes(facts if isinstance(facts, bytes) else facts.encode())
    with pytest.raises(StoreError, match=r"is not a prepared dataset .*prepare again"):
        Store(folder)


@pytest.mark.parametrize("layout", [0, 1, LAYOUT + 1, "1", None])
def test_another_layout_is_refused_by_name(folder, layout):
    facts = json.loads((folder / "store.json").read_text())
    (folder / "store.json").write_text(json.dumps({**facts, "layout": layout}))
    with pytest.raises(StoreError, match=f"has layout {layout}, this domainkit reads layout"):
        Store(folder)


def test_any_arrow_reader_understands_a_part(folder):
    with pa.memory_map(str(folder / PART)) as file:
        assert pa.ipc.open_file(file).read_all()["text"].to_pylist() == ["0", "ö1", "öö2"]
