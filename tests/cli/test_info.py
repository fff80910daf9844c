"""``domainkit info``."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path

import pytest
from support.command import invoke
from support.server import FileServer

from domainkit import cache, model_cards
from domainkit.cards import load_card
from domainkit.prepare import prepare
from domainkit.vision.models import torchvision_table


def test_a_dataset() -> None:
    result = invoke("info", "vision/fashion-mnist")
    card = load_card("vision/fashion-mnist")
    assert result.exit_code == 0
    for text in (card.summary, card.license, card.homepage, "60,000 rows", "26.4 MB"):
        assert text in result.stdout
    for file in card.files.values():
        assert file.digest in result.stdout and file.urls[0] in result.stdout
    words = " ".join(result.stdout.split())
    assert card.citation in words and "10 classes: T-shirt/top, Trouser" in words
    facts = json.loads(invoke("info", "vision/fashion-mnist", "--json").stdout)
    assert facts["kind"] == "dataset" and facts["columns"]["label"]["names"][9] == "Ankle boot"
    assert [split["rows"] for split in facts["splits"]] == [60_000, 10_000]
    assert {file["state"] for file in facts["files"]} == {"absent"}


def test_it_tells_what_is_here(fresh_home: Path) -> None:
    name = "vision/fashion-mnist-mini"
    before = json.loads(invoke("info", name, "--json").stdout)
    assert {file["state"] for file in before["files"]} == {"shipped"}
    assert [split["prepared"] for split in before["splits"]] == [None, None]
    folder = prepare(load_card(name), "test").folder
    after = json.loads(invoke("info", name, "--json").stdout)
    assert [split["prepared"] for split in after["splits"]] == [None, str(folder)]
    text = invoke("info", name).stdout
    assert f"test is in {folder}" in text and "not prepared" in text


def test_a_model() -> None:
    result = invoke("info", "vision/resnet50")
    assert result.exit_code == 0
    assert "weights imagenet1k-v2 (default)" in result.stdout and "acc@1: 80.858" in result.stdout
    facts = json.loads(invoke("info", "vision/resnet50", "--json").stdout)
    assert (facts["kind"], len(facts["weights"])) == ("model", 2)
    assert len(facts["weights"][0]["labels"]) == 1000


def test_a_model_of_our_own_says_how_it_was_trained() -> None:
    text = invoke("info", "vision/fashion-cnn").stdout
    assert "again: domainkit reproduce vision/fashion-cnn" in text
    assert "comes with domainkit" in text


def test_a_digest_of_which_only_the_start_is_published(
    fresh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchvision publishes 8 hex digits; the copy here has all of them, and is held to them."""
    data = b"weights"
    full = hashlib.sha256(data).hexdigest()
    table = copy.deepcopy(model_cards._read(torchvision_table.TABLE))
    weights = table["models"]["resnet18"]["weights"]["imagenet1k-v1"]
    weights["sha256"] = full[:8]
    monkeypatch.setattr(model_cards, "_read", lambda path: table)
    monkeypatch.setattr(
        model_cards, "_index", lambda domain: {"vision/resnet18": torchvision_table.TABLE}
    )
    before = invoke("info", "vision/resnet18").stdout
    assert f"sha256 starts with {full[:8]}" in before and full not in before

    place = tmp_path / weights["url"].removeprefix("https://")
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    with FileServer(tmp_path) as server:
        monkeypatch.setenv("DOMAINKIT_MIRROR", server.url)
        cache.fetch([weights["url"]], digest=f"sha256:{full[:8]}")
    after = invoke("info", "vision/resnet18").stdout
    assert f"sha256 starts with {full[:8]}" in after and f"sha256:{full}" in after
    facts = json.loads(invoke("info", "vision/resnet18", "--json").stdout)["weights"][0]
    assert (facts["digest"], facts["sha256"]) == (f"sha256:{full[:8]}", full)
    told = invoke("verify", "vision/resnet18")
    assert told.exit_code == 0
    assert f"sha256 starts with {full[:8]}, the prefix that the card has" in told.stdout
    assert f"still sha256:{full}" in told.stdout


def test_a_recipe() -> None:
    result = invoke("info", "vision/imagenet-eval-1")
    assert result.exit_code == 0 and "1. Resize(size=256" in result.stdout
    facts = json.loads(invoke("info", "vision/imagenet-eval-1", "--json").stdout)
    assert facts["kind"] == "recipe" and facts["steps"][1] == {"op": "CenterCrop", "size": 224}


def test_an_unknown_name() -> None:
    result = invoke("info", "mnist", "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Did you mean 'vision/mnist'" in result.stderr
