"""``domainkit cache path``, ``ls`` and ``rm``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support.command import invoke

from domainkit import cache
from domainkit.cards import load_card
from domainkit.cli.held import all_prepared


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input is a terminal, as far as ``rm`` can tell."""

    class Tty:
        def __getattr__(self, name: str) -> Any:
            return getattr(sys, name)

        stdin = type("Stdin", (), {"isatty": lambda self: True})()

    monkeypatch.setattr("domainkit.cli.cache.items.sys", Tty())


def test_path(fresh_home: Path) -> None:
    assert invoke("cache", "path").stdout == f"{fresh_home}\n"


def test_an_empty_cache(fresh_home: Path) -> None:
    assert invoke("cache", "ls").stdout == f"0 B in {fresh_home}\n"
    told = json.loads(invoke("cache", "ls", "--json").stdout)
    assert (told["bytes"], told["files"], told["prepared"], told["unfinished"]) == (0, [], [], [])


def test_ls_shows_files_and_splits(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    told = json.loads(invoke("cache", "ls", "--json").stdout)
    assert {Path(f["path"]).name for f in told["files"]} == set(small.gets())
    assert [f["trusted_on_first_use"] for f in told["files"]].count(True) == 1
    assert {(p["name"], p["split"], p["rows"]) for p in told["prepared"]} == {
        ("vision/small", "train", 600),
        ("vision/small", "test", 40),
    }
    on_disk = sum(e.size for e in cache.entries()) + sum(p.size for p in all_prepared())
    assert told["bytes"] == on_disk
    text = invoke("cache", "ls").stdout
    assert "vision/small, train" in text and "train-images.gz" in text


def test_rm_removes_what_is_of_the_dataset(small: Any, fresh_home: Path) -> None:
    invoke("download", "vision/small", "vision/fashion-mnist-mini", "-q")
    result = invoke("cache", "rm", "vision/small", "--yes")
    assert result.exit_code == 0 and "removed 6 items" in result.stdout
    assert list(cache.entries()) == []
    assert {split.name for split in all_prepared()} == {"vision/fashion-mnist-mini"}
    assert "nothing of vision/small" in invoke("cache", "rm", "vision/small", "--yes").stdout


def test_rm_leaves_what_came_with_domainkit(fresh_home: Path) -> None:
    name = "vision/fashion-mnist-mini"
    invoke("download", name, "-q")
    assert invoke("cache", "rm", name, "vision/fashion-cnn", "-y").exit_code == 0
    assert all(file.path and file.path.is_file() for file in load_card(name).files.values())
    assert list(all_prepared()) == []


def test_rm_takes_unfinished_downloads(small: Any, fresh_home: Path) -> None:
    partial = fresh_home / "partial"
    partial.mkdir()
    digest = load_card("vision/small").files["train-images"].digest
    key = str(digest).replace(":", "-")
    (partial / f"{key}.part").write_bytes(b"some")
    (partial / f"{key}.json").write_text('{"url": "https://example.org/small/train-images.gz"}')
    listed = invoke("cache", "ls").stdout.splitlines()
    assert listed[0].startswith("unfinished")
    assert listed[1].endswith("  train-images.gz  vision/small")
    assert invoke("cache", "rm", "vision/small", "-y").exit_code == 0
    assert list(partial.iterdir()) == []


@pytest.mark.parametrize("name", ["vision/smal", "*/*", "../..", "vision"])
def test_rm_of_an_unknown_name_removes_nothing(small: Any, name: str) -> None:
    invoke("download", "vision/small", "-q")
    assert invoke("cache", "rm", "vision/small", name, "--yes").exit_code == 2
    assert len(list(cache.entries())) == 4 and len(list(all_prepared())) == 2


def test_rm_asks_on_a_terminal(small: Any, terminal: None) -> None:
    invoke("download", "vision/small", "-q")
    no = invoke("cache", "rm", "vision/small", input="n\n")
    assert no.exit_code == 1 and "nothing was removed" in no.stdout
    assert len(list(cache.entries())) == 4
    assert invoke("cache", "rm", "vision/small", input="y\n").exit_code == 0
    assert list(cache.entries()) == []


def test_rm_needs_yes_where_nobody_can_be_asked(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    result = invoke("cache", "rm", "vision/small")
    assert result.exit_code == 2 and "--yes" in result.stderr
    assert len(list(cache.entries())) == 4


def test_rm_of_a_dataset_whose_card_is_gone(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    load_card("vision/small").source.unlink()
    assert invoke("cache", "rm", "vision/small", "-y").exit_code == 0
    assert list(all_prepared()) == []
