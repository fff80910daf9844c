"""Pad against lists filled up by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.token_batches import as_ragged, lists_of_tokens, padded

from domainkit.batch import Batch
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms import Pad


@given(
    rows=lists_of_tokens,
    value=st.integers(0, 5),
    multiple=st.integers(1, 8),
    more=st.none() | st.integers(0, 3),
    side=st.sampled_from(["left", "right"]),
)
def test_equals_lists(
    rows: list[list[int]], value: int, multiple: int, more: int | None, side: str
) -> None:
    longest = max(map(len, rows))
    length = -(-longest // multiple) * multiple
    if more is not None:
        length += (more + (length == 0)) * multiple
    op = Pad(value, multiple, None if more is None else length, side)
    out = op({"tokens": as_ragged(rows)})
    assert out["tokens"].tolist() == padded(rows, value, length, side)
    ones = [[1] * len(row) for row in rows]
    assert out["attention_mask"].dtype == torch.bool
    assert out["attention_mask"].long().tolist() == padded(ones, 0, length, side)
    assert torch.equal(op(as_ragged(rows)), out["tokens"])


def test_keeps_dtype_ids_and_the_other_fields() -> None:
    batch = Batch({"tokens": as_ragged([[5], [6, 7]], torch.int32), "label": torch.tensor([0, 1])})
    batch.ids = torch.tensor([3, 9])
    out = Pad(1)(batch)
    assert isinstance(out, Batch) and out.ids.tolist() == [3, 9]
    assert out["tokens"].dtype == torch.int32 and out["label"] is batch["label"]
    assert isinstance(batch["tokens"], Ragged) and "attention_mask" not in batch


@pytest.mark.parametrize("side", ["left", "right"])
def test_labels_per_token_are_filled_with_what_the_loss_leaves_out(side: str) -> None:
    batch = {"tokens": as_ragged([[5, 6], [7]]), "labels": as_ragged([[-100, 6], [7]])}
    out = Pad(side=side)(batch)
    assert out["labels"].tolist() == padded([[-100, 6], [7]], -100, 2, side)


@pytest.mark.parametrize("side", ["left", "right"])
def test_dense_tokens_grow_and_their_mask_with_them(side: str) -> None:
    rows = [[1, 2, 3], [4, 5, 6]]
    once = Pad(0, multiple_of=4, side=side)({"tokens": torch.tensor(rows)})
    assert once["tokens"].tolist() == padded(rows, 0, 4, side)
    assert once["attention_mask"].sum(1).tolist() == [3, 3]
    twice = Pad(9, size=6, side=side)(once)
    assert twice["tokens"].tolist() == padded(padded(rows, 0, 4, side), 9, 6, side)
    assert twice["attention_mask"].long().tolist() == padded([[1] * 3] * 2, 0, 6, side)


def test_a_batch_of_nothing() -> None:
    assert Pad()(as_ragged([[], []])).shape == (2, 0)
    empty = Ragged.from_shapes(torch.empty(0, dtype=torch.int64), [])
    assert Pad(size=4)({"tokens": empty})["attention_mask"].shape == (0, 4)


def test_too_long() -> None:
    with pytest.raises(TransformError, match=r"3 tokens, more than size 2: put Truncate\(2\)"):
        Pad(size=2)(as_ragged([[1, 2, 3]]))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"multiple_of": 0}, "multiple_of of 1 or more, got 0"),
        ({"size": 0}, "size of 1 or more"),
        ({"size": 10, "multiple_of": 8}, "a multiple of 8, got 10"),
        ({"side": "both"}, "got 'both'"),
    ],
)
def test_wrong_arguments(args: dict[str, Any], message: str) -> None:
    with pytest.raises(TransformError, match=message):
        Pad(**args)


def test_wrong_dtype() -> None:
    with pytest.raises(TransformError, match="got float32"):
        Pad()({"tokens": torch.zeros(1, 2)})
