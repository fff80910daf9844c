"""Truncate against slices of lists."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.token_batches import as_ragged, lists_of_tokens

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms import Pad, Truncate


def cut(row: list[int], n: int, side: str) -> list[int]:
    return row[:n] if side == "right" else row[-n:]


@given(lists_of_tokens, st.integers(1, 10), st.sampled_from(["left", "right"]))
def test_equals_slices(rows: list[list[int]], n: int, side: str) -> None:
    out = Truncate(n, side)(as_ragged(rows))
    assert [item.tolist() for item in out] == [cut(row, n, side) for row in rows]
    rebuilt = Ragged(out.values, out.offsets, out.shapes)  # checks that the sizes fit together
    assert len(rebuilt) == len(rows)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_dense(side: str, dtype: torch.dtype) -> None:
    rows = [[1, 2, 3, 4], [5, 6, 7, 8]]
    out = Truncate(3, side)(torch.tensor(rows, dtype=dtype))
    assert out.dtype == dtype and out.tolist() == [cut(row, 3, side) for row in rows]
    assert Truncate(9, side)(torch.tensor(rows)).tolist() == rows


def test_labels_and_mask_are_cut_with_the_tokens() -> None:
    tokens = as_ragged([[1, 2, 3], [4]])
    batch = {"tokens": tokens, "labels": as_ragged([[-100, 2, -100], [4]]), "label": [0, 1]}
    out = Truncate(2, "left")(batch)
    assert [item.tolist() for item in out["labels"]] == [[2, -100], [4]]
    assert out["label"] == [0, 1] and batch["tokens"] is tokens
    dense = Truncate(2)(Pad()(batch))
    assert dense["tokens"].tolist() == [[1, 2], [4, 0]]
    assert dense["attention_mask"].tolist() == [[True, True], [True, False]]
    assert dense["labels"].tolist() == [[-100, 2], [4, -100]]


def test_labels_of_other_sizes_are_left_alone() -> None:
    batch = {"tokens": as_ragged([[1, 2, 3], [4]]), "labels": as_ragged([[7, 7, 7, 7], [7]])}
    assert Truncate(2)(batch)["labels"] is batch["labels"]


@pytest.mark.parametrize(
    ("args", "message"),
    [((0,), "max_length of 1 or more, got 0"), ((3, "top"), "side 'left' or 'right', got 'top'")],
)
def test_wrong_arguments(args: Any, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        Truncate(*args)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2, 3), "got float32: put Tokenize before it"),
        (torch.zeros(3, dtype=torch.int64), r"got \[3\]: a single sequence is x\[None\]"),
        (["a text"], "got list: put Tokenize before it"),
        (Ragged.from_list([torch.zeros(2, 2, dtype=torch.int64)]), "takes tokens"),
        ({"tokens": ["a text"]}, "got list"),
        ({"text": ["a text"]}, "works on 'tokens'; the batch has 'text'"),
    ],
)
def test_wrong_input(x: Any, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        Truncate(2)(x)
