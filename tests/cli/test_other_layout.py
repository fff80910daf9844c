"""A split that another version of domainkit prepared: it stays, is told of, and can be removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.cache_verbs import aged, told
from support.command import invoke

import domainkit as dk
from domainkit.cards import load_card
from domainkit.errors import StoreError
from domainkit.prepare import prepare
from domainkit.prepared import LAYOUT, find_prepared, prepared_folder
from domainkit.store import Store


@pytest.fixture
def old(small: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The split "test" in the first layout, which had one checksum per part and no file beside."""
    card = load_card("vision/small")
    with monkeypatch.context() as patch:
        patch.setattr("domainkit.prepared.places.LAYOUT", 1)
        folder = prepare(card, "test").folder
    facts = json.loads((folder / "store.json").read_text())
    for key in ("part_bytes", "sums_xxh3", "xxh3"):
        del facts[key]
    (folder / "part-00000.sums").unlink()
    facts |= {"layout": 1, "part_crc32": ["00000000"]}
    (folder / "store.json").write_text(json.dumps(facts))
    return folder


def test_it_is_prepared_anew_beside_it(old: Path) -> None:
    card = load_card("vision/small")
    assert find_prepared(card, "test") is None
    ds = dk.load_dataset("vision/small", "test")
    assert len(ds) == 40 and ds[0]["image"].shape == (1, 4, 4)
    assert ds._source.folder == prepared_folder(card, "test") != old
    assert {path.name for path in old.iterdir()} == {"store.json", "part-00000.arrow"}


def test_opened_by_hand_it_is_refused_by_name(old: Path) -> None:
    with pytest.raises(
        StoreError,
        match=f"has layout 1, this domainkit reads layout {LAYOUT}: run `domainkit cache rm",
    ):
        Store(old)


def test_verify_tells_of_it_and_lets_it_be(old: Path) -> None:
    invoke("download", "vision/small", "-q")
    assert invoke("verify", "vision/small").exit_code == 0
    result = invoke("cache", "verify")
    assert result.exit_code == 0
    assert f"other  {old}: prepared by another version of domainkit" in result.stdout
    found = told("cache", "verify")
    assert found["ok"] and [f["state"] for f in found["findings"]].count("other") == 1
    assert old.exists()


def test_it_is_listed_and_removed(old: Path) -> None:
    invoke("download", "vision/small", "-q")
    shown = [Path(split["path"]).name for split in told("cache", "ls")["prepared"]]
    assert len(shown) == 3 and old.name in shown
    assert invoke("cache", "rm", "vision/small", "-y").exit_code == 0
    assert not old.exists()
    assert told("cache", "ls")["prepared"] == []


def test_it_is_pruned_by_age(old: Path) -> None:
    aged(50)
    invoke("download", "vision/small", "-q")
    assert invoke("cache", "prune", "--older-than", "30d", "-y").exit_code == 0
    assert not old.exists()
    assert find_prepared(load_card("vision/small"), "test") is not None
