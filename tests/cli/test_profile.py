"""``domainkit profile``, for real and short: what it prints, writes and refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from support.command import invoke

from domainkit.loader.stats import STAGES

FASHION = "vision/fashion-mnist-mini"
SHORT = ("--seconds", 0.05, "--threads", 1, "--device", "cpu")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads within an operation wait for each other, on a busy machine for seconds."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def document(*args: object) -> dict[str, Any]:
    result = invoke("profile", *args, *SHORT, "--json", "-q")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    return json.loads(result.stdout)


def test_a_training(tmp_path: Path) -> None:
    page, trace = tmp_path / "t.html", tmp_path / "t.json"
    result = invoke(
        *("profile", FASHION, "--model", "vision/fashion-cnn", *SHORT),
        *("--html", page, "--trace", trace),
    )
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == f"{FASHION}, train with vision/fashion-cnn"
    assert "training, recipe vision/fashion-mnist-train-1, batches of 128 on cpu" in lines[1]
    for name in ("the loop", "if the model were free", "if the input were free", *STAGES):
        assert any(line.startswith(f"  {name} ") for line in lines), name
    assert max(map(len, lines)) <= 100 and "\x1b" not in result.stdout
    verdicts = ("Input-bound", "Model-bound", "Balanced", "Contended", "Bursty")
    assert sum(line.startswith(verdicts) for line in lines) == 1
    assert lines[-2:] == [f"timeline: {page}", f"trace, for ui.perfetto.dev: {trace}"]
    assert "measure: done" in result.stderr  # a log gets lines
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    events = json.loads(trace.read_text())["traceEvents"]
    assert {"wait", "step", "read"} <= {e["name"] for e in events}


def test_the_loader_alone_for_a_script() -> None:
    found = document(FASHION, "--split", "test[:50%]", "--batch-size", 25)
    assert found["dataset"] == FASHION and found["samples"] == 500
    assert found["model"] is found["training"] is found["recipe"] is found["model_rate"] is None
    assert found["rate"] == found["input_rate"] > 0 and found["batch_size"] == 25
    assert list(found["stats"]["stages"]) == list(STAGES)
    assert found["verdict"]["bound"] == "input"
    assert found["verdict"]["line"].startswith("The loader alone: ")
    assert "spans" not in found


def test_a_forward_pass_takes_the_recipe_of_the_weights() -> None:
    found = document(FASHION, "--split", "test", "--model", "vision/fashion-cnn", "--eval")
    assert found["training"] is False and found["model_rate"] > 0
    assert found["recipe"] == "vision/fashion-mnist-eval-1"


@pytest.mark.parametrize(
    ("dataset", "model"),
    [
        ("audio/voice-prompts", "audio/voice-prompts-cnn"),
        ("text/sentiment-sentences", "text/sentiment-bag"),
    ],
)
def test_other_domains(dataset: str, model: str) -> None:
    found = document(dataset, "--model", model, "--batch-size", 16)
    assert found["split"] == "train" and found["training"] is True
    assert found["stats"]["stages"]["transform"]["ms_per_sample"] > 0


def test_the_generator_stays_as_it_was() -> None:
    before = torch.get_rng_state()
    document(FASHION, "--model", "vision/fashion-cnn")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["vision/fashion-mnist-mnii"], "vision/fashion-mnist-mini"),
        ([FASHION, "--split", "dev"], "train"),
        ([FASHION, "--recipe", "vision/none"], "no recipe 'vision/none'"),
        ([FASHION, "--model", "vision/none"], "no model 'vision/none'"),
        ([FASHION, "--model", "text/sentiment-bag"], "needs a column 'text'"),
        ([FASHION, "--device", "abacus"], "no device 'abacus'"),
        ([FASHION, "--html", "no/such/folder/t.html"], "no folder"),
        ([FASHION, "--batch-size", 0], "batch-size"),
        ([FASHION, "--seconds", 0], "seconds"),
        ([], "DATASET"),
    ],
)
def test_wrong_use(args: list[object], told: str) -> None:
    result = invoke("profile", *args)
    assert result.exit_code == 2 and result.stdout == ""
    assert told in result.stderr and "Traceback" not in result.stderr


def test_a_model_that_does_not_take_the_batches() -> None:
    recipe = "vision/fashion-mnist-eval-1"
    result = invoke(
        *("profile", FASHION, "--model", "vision/resnet18", "--recipe", recipe, *SHORT, "-q"),
    )
    assert result.exit_code == 1 and result.stdout == ""
    assert "vision/resnet18 does not take these batches (field 'image')" in result.stderr
