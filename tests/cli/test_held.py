"""What the command line knows of the cache without torch is what the library knows with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from domainkit import prepare
from domainkit.cards import load_card
from domainkit.cli import held
from domainkit.cli.names import find
from domainkit.errors import NotFoundError


def test_a_prepared_split_is_found_where_it_is(fresh_home: Path) -> None:
    card = load_card("vision/fashion-mnist-mini")
    assert held.prepared_split(card, "test") is None
    made = prepare.prepare(card, "test")
    found = held.prepared_split(card, "test")
    assert found is not None
    assert (found.folder, found.rows, found.size) == (made.folder, 1000, made.nbytes)
    assert list(held.all_prepared()) == list(held.all_prepared(card.name)) == [found]
    assert list(held.all_prepared("vision/mnist")) == []


def test_a_damaged_record_still_takes_room(fresh_home: Path) -> None:
    card = load_card("vision/fashion-mnist-mini")
    made = prepare.prepare(card, "test")
    (made.folder / "store.json").write_text("{")
    found = held.prepared_split(card, "test")
    assert found is not None and found.rows is None and found.size > 700_000


def test_a_name_means_a_dataset_before_a_model() -> None:
    assert find("vision/mnist").splits["train"].rows == 60_000
    assert find("vision/resnet50").default == "imagenet1k-v2"
    assert find("vision/imagenet-eval-1").data["steps"][0]["op"] == "Resize"
    with pytest.raises(NotFoundError, match="no dataset or model 'vision/imagenet-eval-1'"):
        find("vision/imagenet-eval-1", ("dataset", "model"))
