"""Batch: a dict that knows its samples and prints shapes."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from domainkit.batch import Batch
from domainkit.ragged import Ragged


def make() -> Batch:
    fields = {
        "image": torch.zeros(2, 3, 8, 8, dtype=torch.uint8),
        "audio": Ragged.from_list([torch.zeros(1, 5), torch.zeros(1, 9)]),
        "text": ["a", "ü"],
    }
    return Batch(fields, ids=torch.tensor([5, 9]))


def test_is_a_dict():
    batch = make()
    assert isinstance(batch, dict)
    assert list(batch) == ["image", "audio", "text"]
    batch["label"] = torch.zeros(2)
    assert {**batch}.keys() == {"image", "audio", "text", "label"}


def test_to_moves_tensors_and_leaves_the_rest():
    batch = make()
    moved = batch.to(torch.float64)
    assert type(moved) is Batch
    assert moved["image"].dtype == moved["audio"].dtype == torch.float64
    assert moved["text"] is batch["text"]
    assert moved.ids is batch.ids
    assert batch["image"].dtype == torch.uint8
    away = batch.to("meta")
    assert away["image"].device.type == away["audio"].device.type == "meta"
    assert away.ids.device.type == "cpu"  # random draws belong to ids, and these stay readable


@pytest.mark.parametrize(
    "again",
    [lambda b: pickle.loads(pickle.dumps(b)), copy.copy, copy.deepcopy, Batch.copy],
    ids=["pickle", "copy", "deepcopy", "method"],
)
def test_copies_keep_fields_and_ids(again):
    batch = make()
    other = again(batch)
    assert type(other) is Batch
    assert other is not batch
    assert list(other) == list(batch)
    assert torch.equal(other.ids, batch.ids)
    assert torch.equal(other["image"], batch["image"])
    assert [x.shape for x in other["audio"]] == [x.shape for x in batch["audio"]]
    del other["text"]
    assert "text" in batch


def test_repr_shows_shapes_and_no_values():
    assert repr(make()).splitlines() == [
        "Batch(B=2)",
        "  image  uint8 [2, 3, 8, 8]",
        "  audio  Ragged(B=2, items=[1, 5..9], dtype=float32, device=cpu)",
        "  text   2 strings",
    ]
    assert repr(Batch()) == "Batch(B=0)"


def test_without_ids_nobody_is_named():
    assert Batch({"x": torch.zeros(3)}).ids.shape == (0,)
    assert Batch().ids.dtype == torch.int64
