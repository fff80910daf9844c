from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image as Pillow
from support.many_columns import assert_same_rows, every_feature
from support.media import picture, pixels, recording

import domainkit as dk
from domainkit.errors import NotFoundError, ReaderError
from domainkit.features import Audio, Float, Image, Int, Label, Tensor, Text, Tokens
from domainkit.interop import own


def test_every_feature_survives_parquet(tmp_path: Path) -> None:
    ds = every_feature(tmp_path / "store", rows=7)
    ds.to_parquet(tmp_path / "out" / "rows.parquet")
    back = dk.from_parquet(tmp_path / "out" / "rows.parquet")
    assert_same_rows(ds, back)
    assert back.info == ds.info
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["rows.parquet"]


@pytest.mark.parametrize(
    "name", ["vision/fashion-mnist-mini", "audio/voice-prompts", "text/sentiment-sentences"]
)
def test_embedded_sets_survive_parquet(name: str, tmp_path: Path) -> None:
    ds = dk.load_dataset(name, "test[:60]")
    ds.to_parquet(tmp_path / "rows.parquet")
    assert_same_rows(ds, dk.from_parquet(tmp_path / "rows.parquet"))


def test_parquet_read_by_pyarrow_and_pillow(tmp_path: Path) -> None:
    ds = dk.load_dataset("vision/fashion-mnist-mini", "train")[[7, 3000, 2]]
    ds.to_parquet(tmp_path / "rows.parquet")
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table["label"].to_pylist() == [ds[i]["label"] for i in range(3)]
    for i, row in enumerate(table["image"].to_pylist()):
        image = np.array(Pillow.open(io.BytesIO(row["bytes"])))
        assert torch.equal(torch.from_numpy(image)[None], ds[i]["image"])
    hub = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert hub["label"]["names"] == list(ds.features["label"].names)


def test_view_and_selected_columns_are_what_is_written(tmp_path: Path) -> None:
    ds = every_feature(tmp_path / "store", rows=5).select_columns(["count", "tokens"])[::-2]
    ds.to_parquet(tmp_path / "rows.parquet")
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table.column_names == ["count", "tokens"]
    assert table["tokens"].to_pylist() == [list(range(-i, i)) for i in (4, 2, 0)]


def test_no_rows(tmp_path: Path) -> None:
    ds = every_feature(tmp_path / "store")[:0]
    ds.to_parquet(tmp_path / "rows.parquet")
    assert_same_rows(ds, dk.from_parquet(tmp_path / "rows.parquet"))


def test_killed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ds = every_feature(tmp_path / "store")
    (tmp_path / "rows.parquet").write_bytes(b"old")
    monkeypatch.setattr(type(ds), "raw", lambda self, i, **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ds.to_parquet(tmp_path / "rows.parquet")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rows.parquet", "store"]
    assert (tmp_path / "rows.parquet").read_bytes() == b"old"


def test_types_become_features() -> None:
    table = pa.table(
        {
            "jpeg": [picture(1, "JPEG")],
            "hub": [{"bytes": recording(1), "path": "a.wav"}],
            "words": pa.array(["a"]).dictionary_encode(),
            "view": pa.array(["b"], pa.string_view()),
            "flag": [True],
            "small": pa.array([3], pa.uint8()),
            "half": pa.array([1.5], pa.float32()),
            "ids": pa.array([[5, 6]], pa.large_list(pa.int64())),
            "pose": pa.array([[[1, 2], [3, 4]]], pa.list_(pa.list_(pa.int16(), 2), 2)),
            "tensor": pa.FixedShapeTensorArray.from_numpy_ndarray(np.ones((1, 2, 3), np.float32)),
        }
    )
    ds = dk.from_arrow(table)
    assert ds.features == {
        "jpeg": Image(),
        "hub": Audio(),
        "words": Text(),
        "view": Text(),
        "flag": Int(),
        "small": Int(),
        "half": Float(),
        "ids": Tokens(),
        "pose": Tensor("int16", (2, 2)),
        "tensor": Tensor("float32", (2, 3)),
    }
    row = ds[0]
    assert (row["flag"], row["small"], row["half"], row["view"]) == (1, 3, 1.5, "b")
    assert row["pose"].tolist() == [[1, 2], [3, 4]]
    assert torch.equal(row["tensor"], torch.ones(2, 3))
    assert row["hub"].shape == (1, 400)
    assert row["jpeg"].shape == (3, 12, 17)


def test_many_small_and_sliced_batches() -> None:
    schema = pa.schema({"x": pa.list_(pa.int64()), "n": pa.int64()})
    parts = [pa.table({"x": [[i] * (i % 3)], "n": [i]}, schema) for i in range(1300)]
    ds = dk.from_arrow(pa.concat_tables(parts)[100:1250])
    assert list(ds["n"]) == list(range(100, 1250))
    assert [t.tolist() for t in ds["x"]] == [[i] * (i % 3) for i in range(100, 1250)]


def test_features_override_and_leave_out(tmp_path: Path) -> None:
    table = pa.table(
        {
            "animal": ["dog", "cat"],
            "when": pa.array([1, 2], pa.timestamp("s")),
            "vector": pa.array([[1.0, 2.0], [3.0, 4.0]]),
            "scan": [pixels(i, 2, 2, 1).tobytes() for i in range(2)],
        }
    )
    with pytest.raises(ReaderError, match=r"column 'when' is timestamp\[s\].*features=\{'when'"):
        dk.from_arrow(table)
    given = {
        "animal": Label(("cat", "dog")),
        "when": None,
        "vector": {"type": "Tensor", "shape": [2]},
        "scan": None,
    }
    ds = dk.from_arrow(table, features=given, name="zoo")
    assert repr(ds) == "Dataset(zoo: 2 rows; animal: Label, vector: Tensor)"
    assert list(ds["animal"]) == [1, 0]
    assert ds[1]["vector"].tolist() == [3.0, 4.0]
    with pytest.raises(ReaderError, match=r"features names 'anmial'; the columns are animal, when"):
        dk.from_arrow(table, features={"anmial": None})
    with pytest.raises(TypeError, match="must be a Feature, a dict"):
        dk.from_arrow(table, features={"animal": "Label"})


@pytest.mark.parametrize(
    ("column", "feature", "message"),
    [
        (pa.array(["a", None]), None, r"rows 0\.\.1, column 'x' has 1 nulls"),
        (pa.array([[1], [None]]), None, r"column 'x' is list<.*1 of the numbers are null"),
        (pa.array([1.0, 2.5]), "Int", r"column 'x' is double, which does not become Int"),
        (pa.array([[2**40]]), None, "does not become Tokens"),
        (pa.array([2**63], pa.uint64()), None, "does not become Int"),
        (pa.array([b"what is this"]), None, "is no feature by itself"),
        (pa.array([{"bytes": None, "path": "/etc/hostname"}]), "Image", "holds no bytes"),
        (pa.array([[1, 2, 3]]), "Boxes", r"Boxes takes \[n, 4\]"),
        (pa.array(["a"]), "Image", "does not become Image"),
    ],
)
def test_columns_that_do_not_fit(column: pa.Array, feature: str | None, message: str) -> None:
    if pa.types.is_struct(column.type):
        column = pa.array(
            column.to_pylist(), pa.struct({"bytes": pa.binary(), "path": pa.string()})
        )
    given = {"x": {"type": feature}} if feature else None
    with pytest.raises(ReaderError, match=message):
        dk.from_arrow(pa.table({"x": column}), features=given)


def test_null_number_is_nan() -> None:
    assert np.isnan(dk.from_arrow(pa.table({"x": [None, 1.5]}))[0]["x"])


@pytest.mark.parametrize("form", ["file", "stream"])
def test_arrow_files(form: str, tmp_path: Path) -> None:
    for i in range(3):
        table = pa.table({"n": [10 * i, 10 * i + 1]})
        new = pa.ipc.new_file if form == "file" else pa.ipc.new_stream
        with new(tmp_path / f"part-{i}.arrow", table.schema) as writer:
            writer.write_table(table)
    rows = [0, 1, 10, 11, 20, 21]
    assert list(dk.from_arrow(str(tmp_path / "part-*.arrow"))["n"]) == rows
    assert list(dk.from_arrow(tmp_path / "part-{0..1}.arrow")["n"]) == rows[:4]
    assert list(dk.from_arrow([tmp_path / "part-2.arrow"])["n"]) == rows[4:]
    with pytest.raises(NotFoundError, match=r"There is no file .*part-3\.arrow"):
        dk.from_arrow(tmp_path / "part-{0..3}.arrow")


def test_files_that_disagree(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1], "m": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"n": [1]}), tmp_path / "b.parquet")
    with pytest.raises(ReaderError, match=r"a\.parquet has n, m; b\.parquet has n"):
        dk.from_parquet(tmp_path / "*.parquet")
    for file, names in {"c": ["cat", "dog"], "d": ["dog", "cat"]}.items():
        table = pa.table({"label": [0]})
        ds = dk.from_arrow(table, features={"label": Label(tuple(names))})
        ds.to_parquet(tmp_path / f"{file}.parquet")
    with pytest.raises(ReaderError, match=r"c\.parquet and d\.parquet say different things"):
        dk.from_parquet([tmp_path / "c.parquet", tmp_path / "d.parquet"])


def test_damaged_files(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ReaderError, match=r"bad\.parquet is not a Parquet file"):
        dk.from_parquet(tmp_path / "bad.parquet")
    (tmp_path / "bad.arrow").write_bytes(b"ARROW1 no")
    with pytest.raises(ReaderError, match=r"bad\.arrow is neither"):
        dk.from_arrow(tmp_path / "bad.arrow")
    table = pa.table({"n": list(range(100_000))})
    pq.write_table(table, tmp_path / "torn.parquet", compression="none", use_dictionary=False)
    data = bytearray((tmp_path / "torn.parquet").read_bytes())
    data[4:60] = b"\xff" * 56  # the first page's header
    (tmp_path / "torn.parquet").write_bytes(data)
    with pytest.raises(ReaderError, match="torn: the data is damaged"):
        dk.from_parquet(tmp_path / "torn.parquet")


def test_a_table_is_known_by_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    one = dk.from_arrow(pa.table({"n": [1, 2]}))
    with monkeypatch.context() as patch:
        patch.setattr(own, "write_store", None)
        assert dk.from_arrow(pa.table({"n": [1, 2]})).fingerprint == one.fingerprint
    assert dk.from_arrow(pa.table({"n": [1, 3]})).fingerprint != one.fingerprint
    assert dk.from_arrow(pa.table({"m": [1, 2]})).fingerprint != one.fingerprint
