"""Small datasets made on the spot, and stand-ins that must be importable by another process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from domainkit.dataset import Dataset
from domainkit.features import Feature, Float, Int, Label, Tensor, Text, Tokens
from domainkit.store import Store, write_store

__all__ = ["FEATURES", "as_list", "dataset", "same", "store", "table"]

FEATURES: dict[str, Feature] = {
    "number": Int(),
    "half": Float(),
    "label": Label(names=("even", "odd")),
    "text": Text(),
    "tokens": Tokens(),
    "grid": Tensor(dtype="int16", shape=(2, 3)),
}


def table(n: int, start: int = 0) -> Iterator[dict[str, Any]]:
    """``n`` rows in which every column tells the row's number; sizes differ, some are empty."""
    for i in range(start, start + n):
        yield {
            "number": i,
            "half": i / 2,
            "label": i % 2,
            "text": "ö" * (i % 4) + str(i),
            "tokens": np.arange(i % 5) + i,
            "grid": np.full((2, 3), i % 1000, np.int16),
        }


def store(
    folder: Path,
    rows: Iterable[Mapping[str, Any]] | int,
    features: Mapping[str, Feature] = FEATURES,
    fingerprint: str = "f" * 32,
) -> Store:
    """A store in a new folder below ``folder``."""
    records = table(rows) if isinstance(rows, int) else rows
    place = folder / f"store-{len(list(folder.iterdir()))}"
    return write_store(
        place,
        records,
        features,
        fingerprint=fingerprint,
        info={"name": "test/rows", "split": "train"},
    )


def dataset(folder: Path, rows: Any = 10, features: Any = FEATURES, **kwargs: Any) -> Dataset:
    """``store`` as a dataset."""
    return Dataset(store(folder, rows, features, **kwargs))


def as_list(ds: Dataset) -> list[int]:
    """Which rows of ``table`` a dataset shows, in order."""
    return [row["number"] for row in ds.select_columns(["number"])]


def same(a: Any, b: Any) -> bool:
    """Whether two decoded samples hold the same values, types and dtypes."""
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    return type(a) is type(b) and a == b
