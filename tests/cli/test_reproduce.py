"""``domainkit reproduce``: the verdict, and one true run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.command import invoke

from domainkit import zoo
from domainkit.model_cards import load_model_card

NAME = "vision/fashion-cnn"


@pytest.fixture
def lands(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes every training land so far from the card's accuracy."""
    card = load_model_card(NAME)
    (promised,) = card.weights_spec("default").metrics.values()

    def land(off: float) -> None:
        def again(name: str, *, epochs: int, after_epoch: Any) -> tuple[None, float]:
            after_epoch(0, 0.5)
            return None, promised + off

        monkeypatch.setattr(zoo, "reproduce", again)

    return land


def test_within_a_hundredth(lands: Any) -> None:
    lands(-0.009)
    result = invoke("reproduce", NAME)
    assert result.exit_code == 0
    assert "epoch 1/" in result.stdout and ": within 0.01" in result.stdout


def test_missed(lands: Any) -> None:
    lands(-0.02)
    result = invoke("reproduce", NAME)
    assert result.exit_code == 1 and "not within 0.01" in result.stdout


def test_fewer_epochs_are_held_against_nothing(lands: Any) -> None:
    lands(-0.2)
    result = invoke("reproduce", NAME, "--epochs", "1", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert (told["model"], told["epochs"], told["within"]) == (NAME, 1, False)
    assert told["card_epochs"] == load_model_card(NAME).training["epochs"]


@pytest.mark.parametrize("name", ["vision/resnet50", "vision/fashion-cn"])
def test_what_cannot_be_trained(name: str) -> None:
    result = invoke("reproduce", name)
    assert (result.exit_code, result.stdout) == (2, "")


def test_no_epochs_is_wrong_use() -> None:
    assert invoke("reproduce", NAME, "--epochs", "0").exit_code == 2


def test_a_true_run() -> None:
    result = invoke("reproduce", "text/sentiment-bag", "--epochs", "1", "--json", "-q")
    assert result.exit_code == 0 and result.stderr == ""
    told = json.loads(result.stdout)
    assert 0.4 < told["accuracy"] <= 1 and told["card_accuracy"] >= 0.85
