"""The image-folder reader against torchvision's Imagenette, and on archives that are wrong."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.publishers_vision import make_imagenette, torchvision_dataset, write_tar_gz

from domainkit.cards import load_card
from domainkit.errors import ReaderError
from domainkit.vision.codec import decode_image
from domainkit.vision.readers.image_folder import read_image_folder

MEMBERS = {
    "pets/train/dog/b.jpg": b"1",
    "pets/train/cat/deep/a.PNG": b"2",
    "pets/test/dog/c.jpg": b"3",
    "pets/train/notes.txt": b"4",
    "pets/train/loose.jpg": b"5",
    "pets/train/dog/._b.jpg": b"6",
    "pets/train2/cat/d.jpg": b"7",
    "pets/train/dog/a.jpg": b"8",
}


@pytest.fixture(params=["tar.gz", "zip"])
def pets(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Path]:
    path = tmp_path / f"pets.{request.param}"
    if request.param == "zip":
        with zipfile.ZipFile(path, "w") as file:
            for name, data in MEMBERS.items():
                file.writestr(name, data)
    else:
        write_tar_gz(path, MEMBERS, folders=["pets", "pets/train"])
    return {"archive": path}


@pytest.mark.parametrize("split", ["train", "val"])
def test_equals_torchvision(split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_imagenette(tmp_path)
    truth = torchvision_dataset("imagenette", made, tmp_path / "tv", split, monkeypatch)
    card = load_card("vision/imagenette")
    rows = list(read_image_folder(made, split, **card.split(split).args))
    # the archive has its own order: match by content, which is different for every picture
    by_content = {
        hashlib.sha256(Path(path).read_bytes()).digest(): i
        for i, (path, _) in enumerate(truth._samples)
    }
    assert len(by_content) == len(truth) == len(rows)
    found = [by_content[hashlib.sha256(row["image"]).digest()] for row in rows]
    assert sorted(found) == list(range(len(truth))) and found != sorted(found)
    names = card.features["label"]["names"]
    for row, place in zip(rows, found, strict=True):
        picture, label = truth[place]
        assert row["label"] == label and names[label] == truth.classes[label][0]
        mine = decode_image(row["image"]).permute(1, 2, 0).numpy()
        assert np.array_equal(mine, np.asarray(picture))


def test_the_order_is_the_archives_own_every_time(pets: dict[str, Path]) -> None:
    first, second = (list(read_image_folder(pets, "train", folder="pets/train")) for _ in range(2))
    assert first == second
    assert first == [
        {"image": b"1", "label": "dog"},
        {"image": b"2", "label": "cat"},
        {"image": b"8", "label": "dog"},
    ]


def test_classes_number_the_labels(pets: dict[str, Path]) -> None:
    args: dict[str, Any] = {"folder": "/pets/train/", "classes": ["bird", "cat", "dog"]}
    assert [r["label"] for r in read_image_folder(pets, "train", **args)] == [2, 1, 2]


def test_the_top_folder_and_endings(pets: dict[str, Path]) -> None:
    rows = list(read_image_folder(pets, "train", extensions=[".Png"]))
    assert rows == [{"image": b"2", "label": "pets"}]


def test_unlisted_class(pets: dict[str, Path]) -> None:
    with pytest.raises(ReaderError, match=r"'cat', which is not one of the 1 classes dog"):
        list(read_image_folder(pets, "train", folder="pets/train", classes=["dog"]))


def test_nothing_found_says_where_pictures_are(pets: dict[str, Path]) -> None:
    with pytest.raises(ReaderError, match=r"below 'pets/valid'; there are pictures below pets/tr"):
        list(read_image_folder(pets, "train", folder="pets/valid"))


def test_no_picture_at_all(tmp_path: Path) -> None:
    archive = write_tar_gz(tmp_path / "a.tar.gz", {"a/b.txt": b"text"})
    with pytest.raises(ReaderError, match="no picture"):
        list(read_image_folder({"archive": archive}, "train"))


def test_bytes_are_left_as_published(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("L", (5, 4), 9).save(out, "JPEG")
    archive = write_tar_gz(tmp_path / "a.tar.gz", {"train/x/1.jpg": out.getvalue()})
    (row,) = read_image_folder({"archive": archive}, "train", folder="train")
    assert row["image"] == out.getvalue()
