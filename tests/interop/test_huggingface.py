from __future__ import annotations

import io
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from support.many_columns import assert_same_rows, every_feature
from support.media import fill, picture, recording

import domainkit as dk
from domainkit.errors import MissingExtraError, ReaderError
from domainkit.features import Audio, Float, Image, Int, Label, Tensor, Text, Tokens
from domainkit.interop import own


@pytest.fixture
def hub() -> Any:
    # the folder datasets/ of a checkout imports as an empty package of that name
    library = pytest.importorskip("datasets")
    if not hasattr(library, "Dataset"):
        pytest.skip("the library datasets is not installed")
    library.disable_progress_bars()
    return library


def test_parquet_is_read_with_pictures_and_class_names(hub: Any, tmp_path: Path) -> None:
    ds = dk.load_dataset("vision/fashion-mnist-mini", "test[:20]")
    ds.to_parquet(tmp_path / "rows.parquet")
    theirs = hub.Dataset.from_parquet(str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path / "c"))
    assert theirs.features["label"] == hub.ClassLabel(names=list(ds.features["label"].names))
    assert theirs.features["image"] == hub.Image(mode="L")
    assert theirs["label"] == list(ds["label"])
    for i in range(20):
        assert theirs[i]["image"].mode == "L"
        assert torch.equal(torch.from_numpy(np.array(theirs[i]["image"]))[None], ds[i]["image"])


def test_parquet_with_every_feature_is_read(hub: Any, tmp_path: Path) -> None:
    ds = every_feature(tmp_path / "store")
    ds.to_parquet(tmp_path / "rows.parquet")
    theirs = hub.Dataset.from_parquet(str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path / "c"))
    check_every_feature(hub, theirs, ds)


def test_to_hf_with_every_feature(hub: Any, tmp_path: Path) -> None:
    ds = every_feature(tmp_path / "store")
    check_every_feature(hub, ds.to_hf(), ds)


def check_every_feature(hub: Any, theirs: Any, ds: dk.Dataset) -> None:
    assert theirs.features["audio"] == hub.Audio(sampling_rate=8000)
    theirs = theirs.cast_column("audio", hub.Audio(decode=False))
    assert theirs.column_names == list(ds.columns)
    assert len(theirs) == len(ds)
    assert theirs.features["label"].names == ["3", "no", "é"]
    for i in range(len(ds)):
        row, ours, raw = theirs[i], ds[i], ds.raw(i)
        assert row["audio"]["bytes"] == bytes(raw["audio"])
        assert np.array_equal(np.array(row["image"]), ours["image"].permute(1, 2, 0).numpy())
        assert np.array_equal(np.array(row["mask"]), ours["mask"].numpy())
        assert np.array_equal(row["layers"], ours["layers"].numpy())
        assert np.array_equal(row["pose"], ours["pose"].numpy())
        assert row["tokens"] == ours["tokens"].tolist()
        assert row["boxes"] == ours["boxes"].tolist()
        for name in ("text", "title", "label", "group", "count"):
            assert row[name] == ours[name]
        assert np.array_equal(row["score"], ours["score"], equal_nan=True)


def test_to_hf_is_written_once_and_comes_back(
    hub: Any, fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds = dk.load_dataset("audio/voice-prompts", "test[:8]")
    first = ds.to_hf()
    with monkeypatch.context() as patch:
        patch.setattr(type(ds), "raw", None)
        second = ds.to_hf()
    assert first.with_format("arrow")[:] == second.with_format("arrow")[:]
    assert len(list((fresh_home / "prepared" / "hf").iterdir())) == 1
    assert_same_rows(ds, dk.from_hf(first))


def test_from_hf(hub: Any, tmp_path: Path) -> None:
    local = fill(tmp_path, {"a.png": picture(1, channels=1)}) / "a.png"
    theirs = hub.Dataset.from_dict(
        {
            "picture": [str(local), picture(2)],
            "sound": [{"bytes": recording(i, 16000), "path": None} for i in range(2)],
            "resampled": [{"bytes": recording(i, 16000), "path": None} for i in range(2)],
            "label": [1, 0],
            "text": ["a", "b"],
            "n": [1, 2],
            "flag": [True, False],
            "x": [0.5, None],
            "ids": [[1], []],
            "grid": [[[1.0, 2.0]], [[3.0, 4.0]]],
        },
        hub.Features(
            {
                "picture": hub.Image(decode=False),
                "sound": {"bytes": hub.Value("binary"), "path": hub.Value("string")},
                "resampled": {"bytes": hub.Value("binary"), "path": hub.Value("string")},
                "label": hub.ClassLabel(names=["cat", "dog"]),
                "text": hub.Value("string"),
                "n": hub.Value("int32"),
                "flag": hub.Value("bool"),
                "x": hub.Value("float32"),
                "ids": hub.Sequence(hub.Value("int64")),
                "grid": hub.Array2D((1, 2), "float32"),
            }
        ),
    )
    # made here, a column of Audio would ask for their audio decoder
    theirs = theirs.cast_column("sound", hub.Audio(sampling_rate=16000, decode=False))
    theirs = theirs.cast_column("resampled", hub.Audio(sampling_rate=8000, decode=False))
    ds = dk.from_hf(theirs)
    assert ds.features == {
        "picture": Image(),
        "sound": Audio(16000),
        "resampled": Audio(),  # what the files have is not what the hub resamples to
        "label": Label(("cat", "dog")),
        "text": Text(),
        "n": Int(),
        "flag": Int(),
        "x": Float(),
        "ids": Tokens(),
        "grid": Tensor("float32", (1, 2)),
    }
    assert bytes(ds.raw(0)["picture"]) == local.read_bytes()
    grey = np.array(Pillow.open(io.BytesIO(picture(1, channels=1))))
    assert torch.equal(ds[0]["picture"], torch.from_numpy(grey)[None].expand(3, -1, -1))
    assert ds[1]["grid"].tolist() == [[3.0, 4.0]]
    assert list(ds["label"]) == [1, 0]
    assert np.isnan(ds[1]["x"])


def test_from_hf_after_select_and_filter(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = hub.Dataset.from_dict({"n": list(range(2000))})
    chosen = theirs.select(range(1999, 0, -3))
    ds = dk.from_hf(chosen)
    assert list(ds["n"]) == list(range(1999, 0, -3))
    with monkeypatch.context() as patch:  # the same rows are prepared once
        patch.setattr(own, "write_store", None)
        assert dk.from_hf(chosen).fingerprint == ds.fingerprint
    assert dk.from_hf(theirs.select([5])).fingerprint != ds.fingerprint


def test_from_hf_refuses_other_things(hub: Any) -> None:
    one = hub.Dataset.from_dict({"n": [1]})
    with pytest.raises(TypeError, match=r"got DatasetDict: choose a split, such as hf\['train'\]"):
        dk.from_hf(hub.DatasetDict(train=one))
    with pytest.raises(TypeError, match="got list"):
        dk.from_hf([{"n": 1}])
    with pytest.raises(ReaderError, match="column 's' has 1 nulls"):
        dk.from_hf(hub.Dataset.from_dict({"s": ["a", None]}))


def test_webdataset_is_read_by_their_loader(hub: Any, tmp_path: Path) -> None:
    ds = dk.load_dataset("vision/fashion-mnist-mini", "test[:3]")
    ds.to_webdataset(tmp_path / "rows.tar")
    theirs = hub.load_dataset(
        "webdataset",
        data_files=str(tmp_path / "rows.tar"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    assert theirs["__key__"] == ["00000", "00001", "00002"]
    assert theirs["cls"] == list(ds["label"])
    assert np.array_equal(np.array(theirs[2]["png"]), ds[2]["image"][0].numpy())


@pytest.mark.parametrize("found", [None, types.ModuleType("datasets")])
def test_without_the_library(found: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # None: no such module; an empty module is what a plain folder called datasets imports as
    monkeypatch.setitem(sys.modules, "datasets", found)
    with pytest.raises(MissingExtraError, match=r"pip install 'domainkit\[datasets\]'"):
        dk.from_hf([])
    with pytest.raises(MissingExtraError, match=r"pip install 'domainkit\[datasets\]'"):
        every_feature(tmp_path / "store").to_hf()
