"""``domainkit quickstart``: the three domains for real, with one epoch each."""

from __future__ import annotations

import dataclasses
import os
import re

import pytest
from support.command import invoke

from domainkit.cli import quickstart
from domainkit.model_cards import load_model_card

BARS = {"vision": 0.88, "audio": 0.90, "text": 0.85}  # the pretrained models' accuracies


@pytest.fixture(autouse=True)
def _one_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    short = {d: dataclasses.replace(p, epochs=1) for d, p in quickstart.PLANS.items()}
    monkeypatch.setattr(quickstart, "PLANS", short)


def test_all_three_domains() -> None:
    result = invoke("quickstart", "-q")
    assert result.exit_code == 0 and result.stderr == ""
    summary = result.stdout.partition("accuracy on held-out samples\n")[2]
    for domain, plan in quickstart.PLANS.items():
        assert f"\n{plan.dataset}\n" in result.stdout
        row = re.search(rf"^ +{plan.model} +([\d.]+) +([\d.]+)$", summary, re.MULTILINE)
        assert row is not None, summary
        pretrained, fresh = map(float, row.groups())
        chance = 1 / len(load_model_card(plan.model).weights_spec("default").labels)
        assert pretrained >= BARS[domain] and fresh > 1.2 * chance
    assert "dk.load_model(" in summary
    assert "\x1b" not in result.stdout and max(map(len, result.stdout.splitlines())) <= 100
    assert "DOMAINKIT_OFFLINE" not in os.environ


def test_what_it_prints_to_try_runs(capsys: pytest.CaptureFixture[str]) -> None:
    quickstart._what_next(quickstart.PLANS["vision"])
    lines = capsys.readouterr().out.splitlines()
    code = [line.strip() for line in lines[lines.index("  python:") + 1 :]]
    names: dict[str, object] = {}
    exec("\n".join([*code[:-1], f"answer = {code[-1]}"]), names)
    assert len(names["answer"]) == 3  # type: ignore[arg-type]


def test_it_forbids_the_network_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def run(plan: quickstart.Plan) -> quickstart.Outcome:
        seen.append((plan.dataset, os.environ["DOMAINKIT_OFFLINE"]))
        return quickstart.Outcome(plan.model, 1.0, 0.5, 1.0)

    monkeypatch.setattr(quickstart, "_run", run)
    monkeypatch.setenv("DOMAINKIT_OFFLINE", "0")
    assert invoke("quickstart", "audio").exit_code == 0
    assert seen == [("audio/voice-prompts", "1")]
    assert os.environ["DOMAINKIT_OFFLINE"] == "0"


def test_an_unknown_domain() -> None:
    result = invoke("quickstart", "audoi")
    assert result.exit_code == 2 and "'audio'" in result.stderr
