"""The IDX reader against torchvision's MNIST and FashionMNIST, and on files that are wrong."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.publishers_vision import (
    idx_bytes,
    make_fashion_mnist,
    make_mnist,
    torchvision_dataset,
)

from domainkit.errors import ArchiveError, ReaderError
from domainkit.vision.readers.idx import read_idx

MAKERS = {"mnist": make_mnist, "fashion-mnist": make_fashion_mnist}
IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([2, 0, 9], np.uint8)


def files(tmp_path: Path, images: bytes, labels: bytes) -> dict[str, Path]:
    paths = {"images": tmp_path / "images.gz", "labels": tmp_path / "labels.gz"}
    paths["images"].write_bytes(images)
    paths["labels"].write_bytes(labels)
    return paths


def packing(data: bytes) -> bytes:
    # without the time, so that every process gives a test the same name
    return gzip.compress(data, mtime=0)


def packed(array: np.ndarray) -> bytes:
    return packing(idx_bytes(array))


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", MAKERS)
def test_equals_torchvision(
    name: str, split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MAKERS[name](tmp_path)
    truth = torchvision_dataset(name, made, tmp_path / "tv", split, monkeypatch)
    rows = list(read_idx({r: made[f"{split}-{r}"] for r in ("images", "labels")}, split))
    assert len(rows) == len(truth) == (7 if split == "train" else 5)
    for row, (picture, label) in zip(rows, truth, strict=True):
        assert row["image"].dtype == np.uint8 and row["image"].shape == (1, 28, 28)
        assert np.array_equal(row["image"][0], np.asarray(picture))
        assert row["label"] == label and type(row["label"]) is int


def test_uncompressed_files_read_too(tmp_path: Path) -> None:
    rows = list(read_idx(files(tmp_path, idx_bytes(IMAGES), idx_bytes(LABELS)), "train"))
    assert [row["label"] for row in rows] == LABELS.tolist()
    assert np.array_equal(np.concatenate([row["image"] for row in rows]), IMAGES)


def test_holds_a_few_megabytes(tmp_path: Path) -> None:
    many = np.zeros((30_000, 28, 28), np.uint8)  # 23.5 MB
    paths = files(tmp_path, packed(many), packed(np.zeros(30_000, np.uint8)))
    del many
    tracemalloc.start()
    count = sum(1 for _ in read_idx(paths, "train"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 30_000
    assert peak < 8e6


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (packed(LABELS), packed(LABELS), r"images.gz .*expected it to start with 00 00 08 03"),
        (packed(IMAGES), packed(IMAGES), r"labels.gz .*1 dimension"),
        (packed(IMAGES), packed(LABELS[:2]), "3 pictures and .* 2 labels"),
        (packing(idx_bytes(IMAGES)[:-1]), packed(LABELS), "images.gz ends too early: 1 "),
        (packing(idx_bytes(IMAGES)[:9]), packed(LABELS), "ends too early"),
        (packed(IMAGES), packing(idx_bytes(LABELS)[:-2]), "labels.gz ends too early: 2 "),
        (
            packing(idx_bytes(IMAGES) + b"!"),
            packed(LABELS),
            "goes on after the last of its 3",
        ),
        (packed(IMAGES), packing(idx_bytes(LABELS) + b"!"), "labels.gz goes on"),
        (b"<html>", packed(LABELS), "00 00 08 03, got 3c 68 74 6d"),
        (b"", packed(LABELS), "ends too early"),
        (
            packing(bytes([0, 0, 8, 3, 0, 0, 0, 3]) + b"\xff" * 8),
            packed(LABELS),
            "pictures of 4,294,967,295 x 4,294,967,295",
        ),
    ],
)
def test_wrong_files(tmp_path: Path, images: bytes, labels: bytes, message: str) -> None:
    with pytest.raises(ReaderError, match=message):
        list(read_idx(files(tmp_path, images, labels), "train"))


def test_a_cut_off_gzip_is_an_archive_error(tmp_path: Path) -> None:
    paths: dict[str, Any] = files(tmp_path, packed(IMAGES)[:-12], packed(LABELS))
    with pytest.raises(ArchiveError, match=r"images\.gz"):
        list(read_idx(paths, "train"))
