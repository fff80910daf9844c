"""The vision cards against the installed torchvision, and the embedded set against Debian's."""

from __future__ import annotations

import gzip
import hashlib
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision.datasets as tv

from domainkit.cards import data_folder, list_datasets, load_card
from domainkit.prepare import find_reader
from domainkit.vision.readers import READERS
from domainkit.vision.readers.idx import read_idx

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
NAMES = {
    "vision/fashion-mnist": tv.FashionMNIST.classes,
    "vision/fashion-mnist-mini": tv.FashionMNIST.classes,
    "vision/mnist": tv.MNIST.classes,
    # torchvision reads CIFAR's names from the archive: these are the publisher's page
    "vision/cifar10": [
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ],
    "vision/imagenette": [names[0] for names in tv.Imagenette._WNID_TO_CLASS.values()],
}
ROWS = {
    "vision/cifar10": {"train": 50000, "test": 10000},
    "vision/cifar100": {"train": 50000, "test": 10000},
    "vision/fashion-mnist": {"train": 60000, "test": 10000},
    "vision/fashion-mnist-mini": {"train": 5000, "test": 1000},
    "vision/imagenette": {"train": 9469, "val": 3925},
    "vision/mnist": {"train": 60000, "test": 10000},
}


def toml(name: str) -> dict[str, Any]:
    path = data_folder("datasets") / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_rows() -> None:
    cards = {name: load_card(name) for name in list_datasets("vision")}
    found = {name: {k: s.rows for k, s in card.splits.items()} for name, card in cards.items()}
    assert found == ROWS


@pytest.mark.parametrize("name", ROWS)
def test_readers_exist_and_take_their_arguments(name: str) -> None:
    card = load_card(name)
    for split in card.splits.values():
        assert split.reader in READERS
        assert callable(find_reader(card, split))


@pytest.mark.parametrize("name", NAMES)
def test_class_names_and_their_order(name: str) -> None:
    assert list(load_card(name).features["label"]["names"]) == list(NAMES[name])


def test_cifar100_names_are_sorted_as_published() -> None:
    features = load_card("vision/cifar100").features
    for column, count in (("label", 100), ("coarse_label", 20)):
        names = list(features[column]["names"])
        assert names == sorted(set(names)) and len(names) == count
    assert features["label"]["names"][0] == "apple"
    assert features["label"]["names"][99] == "worm"
    assert features["coarse_label"]["names"][19] == "vehicles_2"


def test_imagenette_folders_are_in_torchvisions_order() -> None:
    for split in load_card("vision/imagenette").splits.values():
        assert list(split.args["classes"]) == sorted(tv.Imagenette._WNID_TO_CLASS)


@pytest.mark.parametrize(
    ("name", "kind"), [("vision/mnist", tv.MNIST), ("vision/fashion-mnist", tv.FashionMNIST)]
)
def test_idx_files_are_torchvisions(name: str, kind: Any) -> None:
    card, facts = load_card(name), toml(name)["files"]
    for key, spec in card.files.items():
        file = spec.urls[0].rsplit("/", 1)[1]
        assert facts[key]["md5"] == dict(kind.resources)[file]
        assert spec.urls[0] == kind.mirrors[0] + file
        assert spec.digest == f"sha256:{facts[key]['sha256']}"  # the stronger one is checked
        assert ("train" in file) == ("train" in key) and ("images" in file) == ("images" in key)


def test_archives_are_torchvisions() -> None:
    known = {
        "vision/cifar10": (tv.CIFAR10.url, tv.CIFAR10.tgz_md5),
        "vision/cifar100": (tv.CIFAR100.url, tv.CIFAR100.tgz_md5),
        "vision/imagenette": tv.Imagenette._ARCHIVES["full"],
    }
    for name, (url, md5) in known.items():
        (spec,) = load_card(name).files.values()
        assert spec.urls == (url,) and spec.digest == f"md5:{md5}"
    c10 = load_card("vision/cifar10").splits
    for split, entries in (("train", tv.CIFAR10.train_list), ("test", tv.CIFAR10.test_list)):
        folder = tv.CIFAR10.base_folder
        assert list(c10[split].args["batches"]) == [f"{folder}/{entry}" for entry, _ in entries]


def test_embedded_files_are_as_promised() -> None:
    card = load_card("vision/fashion-mnist-mini")
    for spec in card.files.values():
        assert spec.path is not None
        data = spec.path.read_bytes()
        assert len(data) == spec.size
        assert f"sha256:{hashlib.sha256(data).hexdigest()}" == spec.digest
    folder = data_folder("datasets") / "vision" / "fashion-mnist-mini"
    assert "Zalando" in (folder / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
@pytest.mark.parametrize(("split", "prefix"), [("train", "train"), ("test", "t10k")])
def test_embedded_set_is_the_first_of_each_class(split: str, prefix: str) -> None:
    card = load_card("vision/fashion-mnist-mini")
    paths = {role: card.files[key].path for role, key in card.split(split).files.items()}
    rows = list(read_idx(paths, split))  # type: ignore[arg-type]
    assert len(rows) == card.split(split).rows
    images = gzip.decompress((DEBIAN / f"{prefix}-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((DEBIAN / f"{prefix}-labels-idx1-ubyte.gz").read_bytes())[8:]
    whole = np.frombuffer(images, np.uint8).reshape(-1, 28, 28)
    classes = np.frombuffer(labels, np.uint8)
    for label in range(10):
        mine = np.stack([row["image"][0] for row in rows if row["label"] == label])
        assert len(mine) == len(rows) // 10
        assert np.array_equal(mine, whole[classes == label][: len(mine)])
