"""The embedded set: what the card promises, and the credit that its licence asks for."""

from __future__ import annotations

from collections import Counter

import pytest

import domainkit as dk
from domainkit.cards import load_card


@pytest.mark.parametrize(("split", "labels"), [("train", (1211, 1206)), ("test", (289, 294))])
def test_rows(split: str, labels: tuple[int, int]) -> None:
    rows = dk.load_dataset("text/sentiment-sentences", split)
    counts = Counter(row["label"] for row in rows)
    assert (counts[0], counts[1]) == labels
    assert {row["source"] for row in rows} == {"amazon", "imdb", "yelp"}
    assert all(row["text"].strip() for row in rows)


def test_the_labels_mean_what_they_are_called() -> None:
    names = load_card("text/sentiment-sentences").features["label"]["names"]
    rows = dk.load_dataset("text/sentiment-sentences", "train")
    said = {name: Counter[str]() for name in names}
    for row in rows:
        said[names[row["label"]]].update(set(row["text"].lower().split()))
    assert said["positive"]["great"] > 5 * said["negative"]["great"]
    assert said["negative"]["bad"] > 5 * said["positive"]["bad"]


def test_the_credit() -> None:
    card = load_card("text/sentiment-sentences")
    notice = (card.source.parent / card.source.stem / "LICENSE").read_text(encoding="utf-8")
    assert "Kotzias" in card.citation and "CC BY 4.0" in card.license
    for part in ("Dimitrios Kotzias", "creativecommons.org/licenses/by/4.0", "Changes:"):
        assert part in notice
