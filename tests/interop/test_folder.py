from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from support.media import fill, picture, pixels, recording
from torchvision.datasets import ImageFolder

import domainkit as dk
from domainkit.errors import DecodeError, NotFoundError, ReaderError
from domainkit.features import Audio, Image, Label, Text
from domainkit.interop import own


def test_same_rows_as_torchvision_image_folder(tmp_path: Path) -> None:
    root = fill(
        tmp_path / "pets",
        {
            "dog/b.png": picture(1),
            "dog/a.JPG": picture(2, "JPEG"),
            "dog/rex/z.png": picture(3, channels=1),  # grey: read as RGB, as torchvision does
            "cat/9.bmp": picture(4, "BMP"),
            "cat/10.png": picture(5),
            "ant-eater/1.png": picture(6, height=3, width=40),
        },
    )
    ds, theirs = dk.from_folder(root), ImageFolder(str(root))
    assert ds.features == {"image": Image(), "label": Label(("ant-eater", "cat", "dog"))}
    assert ds.features["label"].names == tuple(theirs.classes)
    assert len(ds) == len(theirs) == 6
    for i, (image, label) in enumerate(theirs):
        raw, path = ds.raw(i), Path(theirs.imgs[i][0])
        assert bytes(raw["image"]) == path.read_bytes()
        assert raw["label"] == label
        if path.suffix != ".JPG":
            expected = torch.from_numpy(np.array(image)).permute(2, 0, 1)
            assert torch.equal(ds[i]["image"], expected)


def test_jpeg_rows_decode(tmp_path: Path) -> None:
    ds = dk.from_folder(fill(tmp_path / "one", {"a/1.jpg": picture(0, "JPEG")}))
    difference = ds[0]["image"].permute(1, 2, 0).numpy().astype(int) - pixels(0)
    assert np.abs(difference).mean() < 12  # JPEG's own loss


def test_recordings_with_one_rate(tmp_path: Path) -> None:
    root = fill(
        tmp_path / "words",
        {"no/1.flac": recording(1, kind="FLAC"), "yes/1.wav": recording(2), "yes/.hidden.wav": b""},
    )
    ds = dk.from_folder(root)
    assert ds.features == {"audio": Audio(8000), "label": Label(("no", "yes"))}
    integers = np.random.default_rng(2).integers(-9000, 9000, 400)
    assert torch.equal(ds[1]["audio"][0] * 32768, torch.from_numpy(integers).float())


def test_recordings_with_several_rates_have_none(tmp_path: Path) -> None:
    root = fill(tmp_path / "x", {"a.wav": recording(1, 8000), "b.wav": recording(1, 16000)})
    assert dk.from_folder(root).features == {"audio": Audio(None)}
    assert dk.from_folder(root)[1]["audio"].shape == (1, 400)


def test_damaged_recording_is_told_when_it_is_decoded(tmp_path: Path) -> None:
    ds = dk.from_folder(fill(tmp_path / "x", {"a.wav": recording(1), "b.wav": b"RIFF no sound"}))
    assert ds.features["audio"] == Audio(8000)
    with pytest.raises(DecodeError, match=r"x, row 1, column 'audio'"):
        ds[1]


def test_texts_without_classes(tmp_path: Path) -> None:
    root = fill(
        tmp_path / "notes", {"b.txt": "zwei\r\n", "a.txt": "\ufeffeins é", "ignored.csv": "1"}
    )
    ds = dk.from_folder(root)
    assert ds.features == {"text": Text()}
    assert ds["text"] == ["eins é", "zwei\r\n"]
    assert repr(ds) == "Dataset(notes: 2 rows; text: Text)"


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    root = fill(tmp_path / "notes", {"a.txt": b"caf\xe9"})
    with pytest.raises(ReaderError, match=r"a\.txt is not UTF-8"):
        dk.from_folder(root)


def test_splits_share_their_class_names(tmp_path: Path) -> None:
    root = fill(
        tmp_path / "mood",
        {
            "train/sad/1.txt": "a",
            "train/glad/1.txt": "b",
            "test/sad/1.txt": "c",
            "test/__MACOSX/1.txt": "x",
        },
    )
    train, test = dk.from_folder(root, split="train"), dk.from_folder(root, split="test")
    assert train.features["label"] == test.features["label"] == Label(("glad", "sad"))
    assert list(test["label"]) == [1]
    assert test.name == "mood, test"
    with pytest.raises(NotFoundError, match=r"holds splits.*'test' or 'train'"):
        dk.from_folder(root)
    with pytest.raises(NotFoundError, match=r"no folder 'tset'. Did you mean 'test'"):
        dk.from_folder(root, split="tset")


def test_mixed_kinds_name_two_files_and_task_chooses(tmp_path: Path) -> None:
    root = fill(
        tmp_path / "mixed",
        {"a/1.png": picture(1), "a/1.txt": "one", "b/2.png": picture(2), "README.txt": "hello"},
    )
    with pytest.raises(ReaderError, match=r"a/1\.png \(image\).*README\.txt|README\.txt.*a/1\.png"):
        dk.from_folder(root)
    ds = dk.from_folder(root, task="image-classification")
    assert ds.columns == ("image", "label")
    assert ds.info["task"] == "image-classification"
    assert len(ds) == 2
    with pytest.raises(ReaderError, match=r"holds no file that ends with \.wav"):
        dk.from_folder(root, task="audio-classification")
    with pytest.raises(TypeError, match="task must begin with"):
        dk.from_folder(root, task="classification")


def test_files_beside_class_folders(tmp_path: Path) -> None:
    root = fill(tmp_path / "half", {"a/1.txt": "one", "stray.txt": "two"})
    with pytest.raises(ReaderError, match=r"a/1\.txt is in a class folder, stray\.txt is not"):
        dk.from_folder(root)
    flat = fill(tmp_path / "flat", {"1.txt": "one"})
    with pytest.raises(ReaderError, match="needs class folders"):
        dk.from_folder(flat, task="text-classification")


def test_no_folder_and_no_files(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="There is no folder"):
        dk.from_folder(tmp_path / "nowhere")
    with pytest.raises(ReaderError, match="holds no file that ends with"):
        dk.from_folder(fill(tmp_path / "x", {"a.pdf": b""}))


def test_features_override(tmp_path: Path) -> None:
    root = fill(tmp_path / "grey", {"1/a.png": picture(1), "0/a.png": picture(2)})
    names = {"type": "Label", "names": ["1", "0"]}
    ds = dk.from_folder(root, features={"image": {"type": "Image", "mode": "L"}, "label": names})
    assert ds[0]["image"].shape == (1, 12, 17)
    assert list(ds["label"]) == [1, 0]
    with pytest.raises(TypeError, match="features may describe 'image' and 'label'"):
        dk.from_folder(root, features={"picture": {"type": "Image"}})


def test_prepared_once_and_anew_when_a_file_changes(
    tmp_path: Path, fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = fill(tmp_path / "notes", {"a/1.txt": "old", "b/1.txt": "same"})
    first = dk.from_folder(root)
    with monkeypatch.context() as patch:  # a second opening writes nothing
        patch.setattr(own, "write_store", None)
        again = dk.from_folder(root)
    assert again.fingerprint == first.fingerprint
    (root / "a/1.txt").write_text("new")  # same name, same size
    os.utime(root / "a/1.txt", ns=(1, 1))
    changed = dk.from_folder(root)
    assert changed[0]["text"] == "new"
    assert changed.fingerprint != first.fingerprint
    assert len(list((fresh_home / "prepared" / "own" / "notes").iterdir())) == 2


def test_two_places_with_equal_names_sizes_and_times(tmp_path: Path) -> None:
    for place, text in {"one": "cat", "two": "dog"}.items():
        file = fill(tmp_path / place / "notes", {"1.txt": text}) / "1.txt"
        os.utime(file, ns=(7, 7))
    assert dk.from_folder(tmp_path / "one" / "notes")["text"] == ["cat"]
    assert dk.from_folder(tmp_path / "two" / "notes")["text"] == ["dog"]


def test_link_to_a_folder_above_ends(tmp_path: Path) -> None:
    root = fill(tmp_path / "loop", {"a/1.txt": "one"})
    (root / "a" / "up").symlink_to(root, target_is_directory=True)
    assert dk.from_folder(root)["text"] == ["one"]
