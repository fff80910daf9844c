"""``domainkit list``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import invoke

from domainkit.cards import DOMAINS, list_datasets
from domainkit.cli.names import list_recipes as names_of_recipes
from domainkit.model_cards import list_models
from domainkit.recipe import list_recipes


def test_datasets_are_grouped_by_domain() -> None:
    lines = invoke("list").stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        domain for domain in DOMAINS if list_datasets(domain)
    ]
    assert [line.strip() for line in lines if line.startswith(" ")] == list_datasets()


@pytest.mark.parametrize("domain", DOMAINS)
def test_one_domain_is_a_name_a_line(domain: str) -> None:
    assert invoke("list", domain).stdout.splitlines() == list_datasets(domain)
    assert invoke("list", domain, "--models").stdout.splitlines() == list_models(domain)


def test_recipes_are_those_of_the_library() -> None:
    assert names_of_recipes() == list_recipes()
    assert invoke("list", "vision", "--recipes").stdout.splitlines() == list_recipes("vision")


def test_json() -> None:
    assert json.loads(invoke("list", "--json").stdout) == {
        "datasets": {domain: list_datasets(domain) for domain in DOMAINS}
    }
    both = json.loads(invoke("list", "audio", "--models", "--recipes", "--json").stdout)
    assert both == {
        "models": {"audio": list_models("audio")},
        "recipes": {"audio": list_recipes("audio")},
    }


def test_an_unknown_domain() -> None:
    result = invoke("list", "visoin")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Did you mean 'vision'?" in result.stderr


def test_names_come_from_file_names_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "broken.toml").write_text("no [ TOML")
    monkeypatch.setenv("DOMAINKIT_CARDS", str(tmp_path))
    assert "audio/broken" in invoke("list", "audio").stdout.splitlines()
