"""The CIFAR reader against torchvision, and on pickles that are wrong or hostile."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.publishers_vision import (
    make_cifar10,
    make_cifar100,
    python2_pickle,
    torchvision_dataset,
    write_tar_gz,
)

from domainkit.cards import load_card
from domainkit.errors import ArchiveError, ReaderError
from domainkit.vision.readers.cifar import read_cifar_pickle

MAKERS = {"cifar10": make_cifar10, "cifar100": make_cifar100}
GOOD = {b"data": np.arange(2 * 3072).reshape(2, 3072).astype(np.uint8), b"labels": [3, 8]}


def read(tmp_path: Path, data: bytes, **args: Any) -> list[dict[str, Any]]:
    archive = write_tar_gz(tmp_path / "a.tar.gz", {"folder/batch": data})
    rows = read_cifar_pickle({"archive": archive}, "train", batches=["folder/batch"], **args)
    return list(rows)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", MAKERS)
def test_equals_torchvision_in_its_order(
    name: str, split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MAKERS[name](tmp_path)
    truth = torchvision_dataset(name, made, tmp_path / "tv", split, monkeypatch)
    args = load_card(f"vision/{name}").split(split).args
    rows = list(read_cifar_pickle(made, split, **args))
    assert len(rows) == len(truth) >= 4
    for row, (picture, label) in zip(rows, truth, strict=True):
        assert row["image"].dtype == np.uint8 and row["image"].shape == (3, 32, 32)
        assert np.array_equal(row["image"].transpose(1, 2, 0), np.asarray(picture))
        assert row["label"] == label and type(row["label"]) is int


def test_cifar100_has_the_coarse_labels(tmp_path: Path) -> None:
    made = make_cifar100(tmp_path)
    rows = list(read_cifar_pickle(made, "test", **load_card("vision/cifar100").split("test").args))
    assert set(rows[0]) == {"image", "label", "coarse_label"}
    assert all(0 <= row["coarse_label"] < 20 for row in rows)
    assert len({row["coarse_label"] for row in rows}) > 1


def test_the_stand_ins_are_what_python_2_wrote() -> None:
    data = python2_pickle(GOOD)
    assert data.startswith(b"\x80\x02}") and b"numpy.core.multiarray\n_reconstruct" in data
    assert b"U\x06labels" in data and b"T\x00\x18\x00\x00" in data  # SHORT_BINSTRING, BINSTRING
    again = pickle.loads(data, encoding="latin1")
    assert np.array_equal(again["data"], GOOD[b"data"]) and again["labels"] == [3, 8]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("key", [bytes, str])
def test_pickles_of_this_python_read_too(
    tmp_path: Path, protocol: int, key: Callable[..., Any]
) -> None:
    if protocol > 4:
        pytest.skip("protocol 5 keeps arrays in another way, which no published file has")
    batch = {k if key is bytes else k.decode(): v for k, v in GOOD.items()}
    rows = read(tmp_path, pickle.dumps(batch, protocol=protocol))
    assert [row["label"] for row in rows] == [3, 8]
    images = np.stack([row["image"] for row in rows])
    assert np.array_equal(images.reshape(2, 3072), GOOD[b"data"])


def test_fortran_order(tmp_path: Path) -> None:
    batch = {**GOOD, b"data": np.asfortranarray(GOOD[b"data"])}
    rows = read(tmp_path, python2_pickle(batch))
    assert np.array_equal(np.stack([r["image"] for r in rows]).reshape(2, 3072), GOOD[b"data"])


class _Run:
    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    "attack",
    [
        _Run(os.system, "exit 3"),
        _Run(eval, "1 + 1"),
        _Run(np.load, "secrets.npy", None, True),
        _Run(getattr, "", "join"),
        _Run(bytearray, 1 << 40),
        np.array([1, _Run(os.getcwd)], dtype=object),
    ],
    ids=["system", "eval", "numpy", "getattr", "bytearray", "object array"],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_that_a_pickle_names_is_called(tmp_path: Path, attack: Any, protocol: int) -> None:
    with pytest.raises(ReaderError, match=r"folder/batch cannot be unpickled: it names"):
        read(tmp_path, pickle.dumps({**GOOD, b"more": attack}, protocol=protocol))


def test_an_array_that_would_fill_the_memory_is_never_made(tmp_path: Path) -> None:
    # numpy's own functions would allocate first and look later
    data = python2_pickle(GOOD).replace(
        b"K\x02M\x00\x0c\x86", b"\x8a\x05\x00\x00\x00\x00\x10M\x00\x0c\x86"
    )
    assert data != python2_pickle(GOOD)
    with pytest.raises(ReaderError, match=r"uint8 array \[N, 3072\]"):
        read(tmp_path, data)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({**GOOD, b"data": GOOD[b"data"].astype(np.int16)}, r"uint8 array \[N, 3072\]"),
        ({**GOOD, b"data": GOOD[b"data"][:, :3071].copy()}, r"uint8 array \[N, 3072\]"),
        ({**GOOD, b"data": GOOD[b"data"].reshape(-1)}, r"uint8 array \[N, 3072\]"),
        ({**GOOD, b"data": b"bytes"}, r"uint8 array \[N, 3072\]"),
        ({**GOOD, b"labels": [3]}, "2 pictures and 1 'labels'"),
        ({**GOOD, b"labels": [3, "8"]}, "list of integers"),
        ({**GOOD, b"labels": b"38"}, "list of integers"),
        ({b"data": GOOD[b"data"]}, "has no 'labels'; it has data"),
        ({b"labels": [1]}, "has no 'data'"),
        ({**GOOD, b"data": np.array([[b"x"] * 3072], dtype=object)}, r"uint8 array \[N, 3072\]"),
        ({b"\xff": 1, 5: 1, "a": 2}, "has no 'data'; it has a, \ufffd"),
        ([1, 2], "should hold a dict, it holds a list"),
    ],
)
def test_wrong_batches(tmp_path: Path, batch: Any, message: str) -> None:
    with pytest.raises(ReaderError, match=message):
        read(tmp_path, python2_pickle(batch))


@pytest.mark.parametrize(
    "state",
    [
        b"K\x01M\x00\x0c\x86" + b"X\x00\x0c\x00\x00" + b"x" * 3072,  # the bytes are a text
        b"G?\xf0\x00\x00\x00\x00\x00\x00M\x00\x0c\x86" + b"T\x00\x0c\x00\x00" + b"x" * 3072,
        b"\x88M\x00\x0c\x86" + b"T\x00\x0c\x00\x00" + b"x" * 3072,  # True rows
        b"J\xff\xff\xff\xffM\x00\x0c\x86U\x00",  # -1 rows
    ],
)
def test_arrays_that_lie(tmp_path: Path, state: bytes) -> None:
    honest = b"K\x01M\x00\x0c\x86" + b"T\x00\x0c\x00\x00" + b"x" * 3072
    (row,) = read(tmp_path, batch_with(honest))
    assert row["label"] == 1 and (row["image"] == ord("x")).all()
    with pytest.raises(ReaderError, match=r"uint8 array \[N, 3072\]"):
        read(tmp_path, batch_with(state))


def batch_with(state: bytes) -> bytes:
    """A batch of one label and an array of that shape and data, by hand."""
    shape, _, data = state.partition(b"\x86")
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01"
    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"
    start = b"\x80\x02}(U\x04data" + array + shape + b"\x86" + dtype + b"\x89" + data + b"tb"
    return start + b"U\x06labels](K\x01eu."


@pytest.mark.parametrize("data", [b"", b"\x80\x02", b"no pickle", python2_pickle(GOOD)[:-9]])
def test_broken_pickles(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ReaderError, match=r"a\.tar\.gz: folder/batch"):
        read(tmp_path, data)


def test_missing_member_and_unequal_arguments(tmp_path: Path) -> None:
    made = make_cifar10(tmp_path)
    with pytest.raises(ArchiveError, match="data_batch_9"):
        list(read_cifar_pickle(made, "train", batches=["cifar-10-batches-py/data_batch_9"]))
    with pytest.raises(ReaderError, match="one length"):
        list(read_cifar_pickle(made, "train", batches=[], labels=["a", "b"]))
