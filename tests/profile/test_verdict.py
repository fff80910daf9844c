"""The verdict over made-up numbers: every bound and every piece of advice, and what tips them."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from domainkit.loader.stats import STAGES, WORKERS, StageStats, Stats
from domainkit.profile import Profile, Verdict, judge

# eight cores, two threads that are both busy, a decoder that takes most, a model that starves
BASE: dict[str, Any] = {
    "title": "made up",
    "rate": 1000.0,
    "input_rate": 1050.0,
    "model_rate": 4000.0,
    "input_cores": 2.0,
    "device": "cuda:0",
    "batch_size": 100,
    "num_threads": 2,
    "num_processes": 0,
    "prefetch": 4,
    "cpus": 8,
    "torch_threads": 4,
    "accelerator": True,
}


def profile(
    heavy: str = "decode",
    *,
    stall: float = 0.7,
    wait: tuple[float, float] = (0.7, 0.9),
    step: float = 0.3,
    occupied: float = 0.95,
    **numbers: Any,
) -> Profile:
    """``wait`` is (p50, p99) in ms per sample; ``occupied`` the threads' share of work."""
    facts = BASE | numbers
    facts.setdefault("idle_cores", facts["cpus"] - facts["input_cores"])  # nobody else is there
    seconds = 10.0
    work = occupied * seconds * max(facts["num_threads"], 1)
    stages = {name: StageStats(share=0.05, seconds=0.05 * work) for name in STAGES}
    stages[heavy] = StageStats(share=0.8, seconds=0.8 * work)
    stages["wait"] = StageStats(p50=wait[0], p99=wait[1], share=stall)
    stages["step"] = StageStats(p50=step, p99=step, share=1 - stall)
    stats = Stats(10_000, 100, seconds, facts["rate"], stall, stages)
    return Profile(**facts, stats=stats)


FULL = {"num_threads": 8, "prefetch": 16, "input_cores": 7.9}
FAST = {
    "rate": 950.0,
    "input_rate": 3000.0,
    "model_rate": 1000.0,
    "stall": 0.02,
    "wait": (0.0, 0.0),
}
SLOW = {"rate": 500.0, "input_rate": 1000.0, "model_rate": 1500.0, "device": "cpu"}

CASES = {
    "idle cores": ({}, "input", "more-threads", "num_threads=8: 6.0 of 8 cores are idle"),
    "no thread": ({"num_threads": 0}, "input", "more-threads", "num_threads out"),
    "crowd": (
        FULL | {"num_threads": 32, "prefetch": 64},
        "input",
        "fewer-threads",
        "num_threads=8",
    ),
    "short queue": (
        {"num_threads": 8, "input_cores": 2.0, "occupied": 0.2},
        *("input", "prefetch", "prefetch=8"),
    ),
    "Python's lock": (
        {"heavy": "transform", "num_threads": 4, "input_cores": 1.05},
        *("input", "processes", "num_processes=4: transform keeps"),
    ),
    "waiting disk": (
        {"heavy": "read", "num_threads": 4, "input_cores": 0.3},
        *("input", "storage", "faster disk"),
    ),
    "all cores read": (FULL | {"heavy": "read"}, "input", "storage", "faster disk"),
    "all cores decode": (FULL, "input", "smaller-media", "no larger than"),
    "all cores place": (FULL | {"heavy": "place"}, "input", "equal-shapes", "one shape"),
    "all cores copy": (FULL | {"heavy": "copy"}, "input", "smaller-copies", "less is copied"),
    "all cores transform": (FULL | {"heavy": "transform"}, "input", "cheaper-transform", "recipe"),
    "an idle GPU": (
        FULL | {"heavy": "transform", "device": "cpu"},
        *("input", "transform-on-device", 'device="cuda"'),
    ),
    "processes are not second-guessed": (
        {"num_processes": 4, "input_cores": 0.2},
        *("input", "smaller-media", "no larger than"),
    ),
    "a busy machine": (
        {"num_threads": 8, "prefetch": 16, "input_cores": 1.0, "idle_cores": 0.0},
        *("input", "other-programs", "other programs take 7.0 of 8 cores"),
    ),
    "a busy machine, shared": (
        SLOW | {"input_cores": 2.0, "idle_cores": 1.0},
        *("contended", "other-programs", "other programs take 5.0 of 8 cores"),
    ),
    "no model": ({"model_rate": None}, "input", "more-threads", "The loader alone"),
    "model": (FAST, "model", "cheaper-step", "3.2 x as many"),
    "model on the CPU": (FAST | {"device": "cpu"}, "model", "model-to-device", "accelerator"),
    "balanced": (
        {"rate": 950.0, "input_rate": 1000.0, "model_rate": 1020.0, "stall": 0.05},
        *("balanced", "leave", "equally fast"),
    ),
    "bursts": (
        {"rate": 800.0, "input_rate": 1500.0, "model_rate": 1000.0, "stall": 0.2}
        | {"wait": (0.001, 2.0), "step": 0.8},
        *("bursty", "prefetch", "prefetch=8"),
    ),
    "many bursts": (  # far below both ceilings, and still bursts rather than contention
        {"rate": 400.0, "input_rate": 1500.0, "model_rate": 1000.0, "stall": 0.5}
        | {"wait": (0.001, 9.0), "step": 0.8},
        *("bursty", "prefetch", "9,000 x the median"),
    ),
    "shared cores": (SLOW | {"torch_threads": 8}, "contended", "share-cores", "threads(6)"),
    "shared cores, one for torch": (
        SLOW | {"torch_threads": 1, "num_threads": 8},
        *("contended", "fewer-threads", "num_threads=7"),
    ),
    "enough cores, and a GPU": (SLOW, "contended", "model-to-device", "50 % of what"),
    "enough cores, and no GPU": (
        SLOW | {"accelerator": False},
        *("contended", "smaller-media", "50 % of what"),
    ),
    "launches wait for the lock": (
        SLOW | {"device": "cuda:0"},
        *("contended", "processes", "num_processes=2"),
    ),
}


@pytest.mark.parametrize(("numbers", "bound", "advice", "told"), CASES.values(), ids=CASES)
def test_each_case(numbers: dict[str, Any], bound: str, advice: str, told: str) -> None:
    made_up = profile(**numbers)
    verdict = judge(made_up)
    assert (verdict.bound, verdict.advice) == (bound, advice), verdict.line
    assert told in verdict.line
    assert made_up.verdict == verdict == judge(made_up)


def test_every_bound_and_advice_that_is_documented_is_reached() -> None:
    text = re.sub(r"\s+", " ", Verdict.__doc__ or "")
    bounds = set(re.findall(r'"([\w-]+)"', text.split("bound:")[1].split("stage:")[0]))
    advice = set(re.findall(r'"([\w-]+)"', text.split("advice:")[1].split("line:")[0]))
    assert bounds == {case[1] for case in CASES.values()}
    assert advice == {case[2] for case in CASES.values()}


@pytest.mark.parametrize("numbers", [case[0] for case in CASES.values()], ids=CASES)
def test_one_line_with_one_piece_of_advice(numbers: dict[str, Any]) -> None:
    line = judge(profile(**numbers)).line
    assert "\n" not in line and line.endswith(".") and line.count("; ") == 1
    assert line[0].isupper() and 40 < len(line) < 220


@pytest.mark.parametrize("stage", WORKERS)
def test_the_heaviest_stage_is_named(stage: str) -> None:
    verdict = judge(profile(stage))
    assert verdict.stage == stage and f"{stage} is 80 % of the loader's work" in verdict.line


def test_waits_shorter_than_half_a_step_are_no_bursts() -> None:
    numbers = CASES["bursts"][0] | {"wait": (0.001, 0.3)}
    assert judge(profile(**numbers)).bound == "model"


@pytest.mark.parametrize("factor", [0.01, 1.0, 100.0])
def test_the_speed_of_the_machine_changes_nothing(factor: float) -> None:
    for numbers, bound, advice, _ in CASES.values():
        made_up = profile(**numbers)
        model_rate = made_up.model_rate and factor * made_up.model_rate
        scaled = dataclasses.replace(
            made_up,
            rate=factor * made_up.rate,
            input_rate=factor * made_up.input_rate,
            model_rate=model_rate,
        )
        assert (judge(scaled).bound, judge(scaled).advice) == (bound, advice)


def test_nothing_measured_at_all() -> None:
    """A loop so short that no stage has a time is judged all the same."""
    stats = Stats(0, 0, 0.0, 0.0, 0.0, dict.fromkeys(STAGES, StageStats()))
    assert judge(Profile(**BASE, idle_cores=6.0, stats=stats)).bound == "input"
