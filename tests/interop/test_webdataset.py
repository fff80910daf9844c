from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from support.many_columns import assert_same_rows, every_feature
from support.media import picture, recording

import domainkit as dk
from domainkit.errors import ArchiveError, NotFoundError, ReaderError
from domainkit.features import Audio, Boxes, Float, Image, Int, Label, Tensor, Text, Tokens
from domainkit.interop import own


def tar(path: Path, members: dict[str, bytes | str | dict], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as out:
        for name, value in members.items():
            data = json.dumps(value).encode() if isinstance(value, dict) else value
            data = data.encode() if isinstance(data, str) else data
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return path


def test_every_feature_survives(tmp_path: Path) -> None:
    ds = every_feature(tmp_path / "store", rows=7)
    ds.to_webdataset(tmp_path / "rows.tar")
    back = dk.from_webdataset(tmp_path / "rows.tar")
    assert_same_rows(ds, back)
    assert back.info == ds.info


@pytest.mark.parametrize(
    "name", ["vision/fashion-mnist-mini", "audio/voice-prompts", "text/sentiment-sentences"]
)
def test_embedded_sets_survive(name: str, tmp_path: Path) -> None:
    ds = dk.load_dataset(name, "test[:40]")
    ds.to_webdataset(tmp_path / "rows.tar")
    assert_same_rows(ds, dk.from_webdataset(tmp_path / "rows.tar"))


def test_what_is_written_read_by_tarfile_and_pillow(tmp_path: Path) -> None:
    ds = dk.load_dataset("vision/fashion-mnist-mini", "train")[[9, 4]]
    ds.to_webdataset(tmp_path / "rows.tar")
    with tarfile.open(tmp_path / "rows.tar") as file:
        names = file.getnames()
        data = {name: file.extractfile(name).read() for name in names}  # type: ignore[union-attr]
    assert names == ["__domainkit__", "00000.png", "00000.cls", "00001.png", "00001.cls"]
    for i in range(2):
        image = np.array(Pillow.open(io.BytesIO(data[f"0000{i}.png"])))
        assert torch.equal(torch.from_numpy(image)[None], ds[i]["image"])
        assert int(data[f"0000{i}.cls"]) == ds[i]["label"]
    facts = json.loads(data["__domainkit__"])
    assert facts["features"]["label"]["names"] == list(ds.features["label"].names)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_from_elsewhere(mode: str, tmp_path: Path) -> None:
    members: dict[str, bytes | str | dict] = {"README": "hello", "._x.jpg": b"mac"}
    for i in range(3):
        key = f"shards/part.d/{i:03d}"
        members |= {
            f"{key}.JPG": picture(i, "JPEG"),
            f"{key}.flac": recording(i, kind="FLAC"),
            f"{key}.txt": f"text {i}",
            f"{key}.title.txt": f"title {i}",
            f"{key}.cls": f"{i}\n",
            f"{key}.json": {
                "id": i,
                "score": i if i else 0.5,  # whole in some samples
                "by": "me",
                "ids": [1, i],
                "text": "a member goes first",
                "nested": {"a": 1},
                "nothing": None,
            },
        }
    ds = dk.from_webdataset(tar(tmp_path / "a.b.tar", members, mode))
    assert ds.name == "a"
    assert ds.features == {
        "id": Int(),
        "score": Float(),
        "by": Text(),
        "ids": Tokens(),
        "text": Text(),
        "image": Image(),
        "audio": Audio(),
        "title": Text(),
        "label": Label(),
    }
    assert bytes(ds.raw(2)["image"]) == picture(2, "JPEG")
    assert list(ds["label"]) == [0, 1, 2]
    assert list(ds["score"]) == [0.5, 1.0, 2.0]
    assert ds["text"] == ["text 0", "text 1", "text 2"]
    assert [t.tolist() for t in ds["ids"]] == [[1, 0], [1, 1], [1, 2]]


def test_classes_by_name(tmp_path: Path) -> None:
    path = tar(tmp_path / "x.tar", {"0.cls": "dog", "1.cls": "7", "2.cls": "cat"})
    ds = dk.from_webdataset(path)
    assert ds.features == {"label": Label(("7", "cat", "dog"))}
    assert list(ds["label"]) == [2, 0, 1]
    given = {"label": Label(("dog", "cat", "7"))}
    assert list(dk.from_webdataset(path, features=given)["label"]) == [0, 2, 1]


def test_several_tars(tmp_path: Path) -> None:
    for i in range(3):
        tar(tmp_path / f"s-{i:02d}.tar", {"0.txt": f"{i}a", "1.txt": f"{i}b"})
    ds = dk.from_webdataset(tmp_path / "s-{00..02}.tar")
    assert ds["text"] == ["0a", "0b", "1a", "1b", "2a", "2b"]
    assert dk.from_webdataset([tmp_path / "s-01.tar"])["text"] == ["1a", "1b"]
    with pytest.raises(NotFoundError, match=r"There is no file .*s-03\.tar"):
        dk.from_webdataset(tmp_path / "s-{02..03}.tar")


def test_tars_whose_class_names_differ(tmp_path: Path) -> None:
    for file, names in {"a": ("cat", "dog"), "b": ("dog", "cat")}.items():
        source = tar(tmp_path / "plain.tar", {"0.cls": "0"})
        ds = dk.from_webdataset(source, features={"label": Label(names)}, name=file)
        ds.to_webdataset(tmp_path / f"{file}.tar")
    with pytest.raises(ReaderError, match=r"b\.tar: its columns' facts"):
        dk.from_webdataset([tmp_path / "a.tar", tmp_path / "b.tar"])


def test_overrides(tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, np.arange(6, dtype=np.int16).reshape(2, 3))
    members = {
        "0.pose.npy": array.getvalue(),
        "0.seg.bin": b"\x01\x02",
        "0.json": {"boxes": [[0, 0, 2, 2.5]], "who": "a", "flag": True},
    }
    path = tar(tmp_path / "x.tar", members)
    with pytest.raises(ReaderError, match=r"0\.seg\.bin: \.bin is of no type we know"):
        dk.from_webdataset(path)
    given = {
        "seg": Tensor("uint8", (2,)),
        "boxes": {"type": "Boxes"},
        "who": {"type": "Label", "names": ["b", "a"]},
    }
    with pytest.raises(ReaderError, match="column 'seg': Tensor takes uint8"):
        dk.from_webdataset(path, features=given)
    ds = dk.from_webdataset(path, features={**given, "seg": None})
    assert ds.features == {
        "boxes": Boxes(),
        "who": Label(("b", "a")),
        "flag": Int(),
        "pose": Tensor("int16", (2, 3)),
    }
    row = ds[0]
    assert row["boxes"].tolist() == [[0, 0, 2, 2.5]]
    assert (row["who"], row["flag"], row["pose"].tolist()) == (1, 1, [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"0.txt": "a", "1.cls": "1"}, r"column 'text' is in 1 of 2 samples: leave it out"),
        ({"0.json": {"a": 1}, "1.json": {"a": "x"}}, "column 'a' is Int in some samples, Text in"),
        ({"0.json": {"a": 1}, "1.json": {"a": None}}, "column 'a' is in 1 of 2 samples"),
        ({"0.json": "[1]"}, "0.json must hold a JSON object, got a list"),
        ({"0.json": "{"}, "0.json is not JSON"),
        ({"0.txt": b"\xff"}, "0.txt is not UTF-8"),
        ({"0.jpg": b"1", "0.png": b"2"}, "sample '0' has 'image' twice"),
        ({"0.npy": b"no"}, "0.npy is not a .npy file"),
        ({"README": "x"}, "there is no column"),
        ({"0.json": {"n": 2**70}}, "column 'n': .* does not fit into 64 bits"),
        ({"0.json": {"n": [2**40]}}, "column 'n': Tokens takes int32"),
    ],
)
def test_tars_that_do_not_fit(
    members: dict[str, bytes | str | dict], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ReaderError, match=message):
        dk.from_webdataset(tar(tmp_path / "x.tar", members))


def test_pickled_array_is_never_loaded(tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ReaderError, match=r"is not a \.npy file of plain numbers"):
        dk.from_webdataset(tar(tmp_path / "x.tar", {"0.npy": array.getvalue()}))


def test_cut_off_and_unsafe_tars(tmp_path: Path) -> None:
    whole = tar(tmp_path / "a.tar", {"0.txt": "a" * 5000, "1.txt": "b" * 5000})
    (tmp_path / "cut.tar").write_bytes(whole.read_bytes()[:8000])
    with pytest.raises(ArchiveError, match=r"cut"):
        dk.from_webdataset(tmp_path / "cut.tar")
    with pytest.raises(ArchiveError, match=r"'\.\.'"):
        dk.from_webdataset(tar(tmp_path / "x.tar", {"../0.txt": "a"}))


def test_prepared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tar(tmp_path / "x.tar", {"0.txt": "a"})
    first = dk.from_webdataset(path)
    monkeypatch.setattr(own, "write_store", None)
    assert dk.from_webdataset(path).fingerprint == first.fingerprint


def test_column_name_that_a_tar_cannot_hold(tmp_path: Path) -> None:
    source = tar(tmp_path / "x.tar", {"0.json": {"a/b": "x"}})
    with pytest.raises(ReaderError, match="no '/' in its name"):
        dk.from_webdataset(source).to_webdataset(tmp_path / "y.tar")
    assert not (tmp_path / "y.tar").exists()
