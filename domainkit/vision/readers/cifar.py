"""The pickled batches of CIFAR-10 and CIFAR-100 ("python version" of the archives).

Each batch is a dict that Python 2 pickled: an array of pictures and lists of labels. A pickle can
run any code; ``plain_pickle`` lets it run none, and the array is made here from the recorded bytes
after its type and shape have been checked.

The layout is A. Krizhevsky's: uint8 [N, 3072], a row holds the red, then the green, then the blue
plane of a 32 x 32 picture.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from domainkit.archive import read_member
from domainkit.errors import ReaderError
from domainkit.vision.readers.plain_pickle import load_plain

__all__ = ["read_cifar_pickle"]

_SHAPE = (3, 32, 32)


def read_cifar_pickle(
    files: Mapping[str, Path],
    split: str,
    *,
    batches: Sequence[str],
    labels: Sequence[str] = ("labels",),
    columns: Sequence[str] = ("label",),
) -> Iterator[dict[str, Any]]:
    """The rows of pickled CIFAR batches, batch by batch in the order given.

    That is torchvision's order; the archive holds its batches in another. One batch (30 MB of
    pictures for CIFAR-10) is held at a time, and a compressed archive is read from its start once
    per batch.

    Args:
        files: "archive", the tar.gz.
        split: not used: ``batches`` says which rows.
        batches: names of members, ``["cifar-10-batches-py/data_batch_1", ...]``.
        labels: keys of the lists of labels in a batch.
        columns: the column that each of them becomes.

    Yields:
        ``image`` np.uint8 [3, 32, 32] and one int per column.

    Raises:
        ReaderError: a batch is not laid out so, or names anything but an array's parts.
        ArchiveError: no such member, or a damaged archive.

    Example:
        >>> import io, tarfile, tempfile
        >>> batch = {b"data": np.zeros((1, 3072), np.uint8), b"labels": [6]}
        >>> data = pickle.dumps(batch, protocol=2)
        >>> with tempfile.TemporaryDirectory() as name:
        ...     with tarfile.open(Path(name, "a.tar.gz"), "w:gz") as tar:
        ...         info = tarfile.TarInfo("batch")
        ...         info.size = len(data)
        ...         tar.addfile(info, io.BytesIO(data))
        ...     rows = list(read_cifar_pickle(
        ...         {"archive": Path(name, "a.tar.gz")}, "train", batches=["batch"]))
        >>> rows[0]["label"], rows[0]["image"].shape
        (6, (3, 32, 32))
    """
    if len(labels) != len(columns):
        raise ReaderError(
            f"labels and columns must be of one length, got {list(labels)} and {list(columns)}"
        )
    for name in batches:
        where = f"{files['archive']}: {name}"
        batch = _unpickle(read_member(files["archive"], name), where)
        images = _pictures(_value(batch, "data", where), where)
        classes = [_integers(_value(batch, key, where), len(images), key, where) for key in labels]
        for row, image in enumerate(images):
            yield {
                "image": image,
                **{column: each[row] for column, each in zip(columns, classes, strict=True)},
            }


def _unpickle(data: bytes, where: str) -> dict[Any, Any]:
    try:
        batch = load_plain(data)
    except pickle.UnpicklingError as error:
        raise ReaderError(f"{where} cannot be unpickled: {error}") from error
    if not isinstance(batch, dict):
        raise ReaderError(f"{where} should hold a dict, it holds a {type(batch).__name__}")
    return batch


def _value(batch: dict[Any, Any], key: str, where: str) -> Any:
    for form in (key.encode(), key):  # Python 2 wrote bytes, Python 3 writes str
        if form in batch:
            return batch[form]
    names = [k.decode("utf-8", "replace") if type(k) is bytes else k for k in batch]
    known = sorted(name[:40] for name in names if type(name) is str)
    raise ReaderError(f"{where} has no {key!r}; it has {', '.join(known[:10])}")


def _pictures(array: Any, where: str) -> np.ndarray:
    try:
        _version, shape, dtype, fortran, data = array.state
        rows, size = shape
        right = (
            (type(rows), type(data), size) == (int, bytes, 3072)
            and dtype.code == "u1"
            and len(data) == rows * size
        )
    except (AttributeError, TypeError, ValueError):
        right = False
    if not right:
        raise ReaderError(f"{where}: 'data' should be a uint8 array [N, 3072]")
    flat = np.frombuffer(data, np.uint8).reshape((rows, 3072), order="F" if fortran else "C")
    return np.ascontiguousarray(flat).reshape(rows, *_SHAPE)


def _integers(values: Any, count: int, key: str, where: str) -> list[int]:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise ReaderError(f"{where}: {key!r} should be a list of integers")
    if len(values) != count:
        raise ReaderError(f"{where} has {count:,} pictures and {len(values):,} {key!r}")
    return values
