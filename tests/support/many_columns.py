"""A dataset with a column of every feature, and what each of its rows holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from support.media import picture, pixels, recording

from domainkit.dataset import Dataset
from domainkit.features import (
    Audio,
    Boxes,
    Feature,
    Float,
    Image,
    Int,
    Label,
    Mask,
    Tensor,
    Text,
    Tokens,
)
from domainkit.store import write_store

__all__ = ["FEATURES", "assert_same_rows", "every_feature"]

FEATURES: dict[str, Feature] = {
    "image": Image(),
    "scan": Image("L", (1, 4, 6)),
    "small": Image("RGB", (3, 5, 2)),
    "layers": Image("RGB", (4, 2, 3)),  # no image file holds four plain channels
    "audio": Audio(8000),
    "text": Text(),
    "label": Label(("3", "no", "é")),  # a name that looks like an index
    "group": Label(),
    "count": Int(),
    "score": Float(),
    "tokens": Tokens(),
    "boxes": Boxes(),
    "mask": Mask(),
    "pose": Tensor("float64", (2, 3)),
    "title": Text(),
}


def every_feature(folder: Path, rows: int = 5) -> Dataset:
    store = write_store(
        folder,
        [_row(i) for i in range(rows)],
        FEATURES,
        fingerprint=f"every-{rows}",
        info={"name": "own/every", "split": "train", "license": "CC0-1.0"},
    )
    return Dataset(store)


def assert_same_rows(one: Dataset, other: Dataset) -> None:
    """Both keep the same bytes and numbers in every row and column."""
    assert one.features == other.features
    assert len(one) == len(other)
    for i in range(len(one)):
        a, b = one.raw(i), other.raw(i)
        for name in one.columns:
            left, right = a[name], b[name]
            if isinstance(left, float) and np.isnan(left):
                assert np.isnan(right)
            elif isinstance(left, (int, float)):
                assert (left, name) == (right, name)
            else:
                assert (bytes(left), name) == (bytes(right), name)


def _row(i: int) -> dict[str, Any]:
    rng = np.random.default_rng(i)
    return {
        "image": picture(i),
        "scan": np.moveaxis(pixels(i, 4, 6, 1), -1, 0),
        "small": np.moveaxis(pixels(i, 5, 2, 3), -1, 0),
        "layers": np.moveaxis(pixels(i, 2, 3, 4), -1, 0),
        "audio": recording(i, kind="FLAC" if i % 2 else "WAV"),
        "text": ["", "plain", "zwei\nZeilen", "emoji 🎈", "<b>"][i % 5],
        "label": i % 3,
        "group": i * 10,
        "count": -(2**53) - i,
        "score": float("nan") if i == 2 else i / 3,
        "tokens": list(range(-i, i)),
        "boxes": rng.random((i % 3, 4)).astype(np.float32),
        "mask": picture(i, channels=1),
        "pose": rng.random((2, 3)),
        "title": f"row {i}",
    }
