"""The embedded set: what the card promises, and that it says what the labels are not."""

from __future__ import annotations

from collections import Counter

import pytest

import domainkit as dk
from domainkit.cards import load_card

NAMES = ["en", "es", "fr", "it", "ru"]


@pytest.mark.parametrize(("split", "each"), [("train", 72), ("test", 19)])
def test_rows(split: str, each: int) -> None:
    rows = dk.load_dataset("audio/voice-prompts", split)
    labels = Counter(NAMES[row["label"]] for row in rows.select_columns(["label"]))
    assert labels == dict.fromkeys(NAMES, each)
    first = rows[0]
    assert first["audio"].shape == (1, round(first["seconds"] * 8000))
    assert first["file"].startswith("en/") and first["transcript"]


def test_a_prompt_is_in_one_split_in_all_its_locales() -> None:
    prompts = {}
    for split in ("train", "test"):
        rows = dk.load_dataset("audio/voice-prompts", split).select_columns(["file"])
        prompts[split] = Counter(row["file"].split("/")[1] for row in rows)
        assert set(prompts[split].values()) == {5}
    assert not prompts["train"].keys() & prompts["test"].keys()


def test_the_card_says_that_labels_are_voices_and_credits_them() -> None:
    card = load_card("audio/voice-prompts")
    assert "one voice per locale" in card.summary and "language identification" in card.summary
    assert "CC-BY-SA-3.0" in card.license and "CC-BY-3.0" in card.license
    notice = (card.source.parent / card.source.stem / "LICENSE").read_text(encoding="utf-8")
    for person in ("Allison Smith", "June Wallack", "Carlo Flora", "Maxim Topal"):
        assert person in card.citation and person in notice
