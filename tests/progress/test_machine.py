"""Lines for programs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domainkit import progress
from domainkit.progress.machine import MachineView

KEYS = ["event", "bar", "name", "done", "total", "unit", "seconds", "per_second", "note"]


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    told = capsys.readouterr()
    assert told.out == "" and told.err.isascii()
    return [json.loads(line) for line in told.err.splitlines()]


def test_from_start_to_done(capsys: pytest.CaptureFixture[str], clock: Any) -> None:
    view = MachineView("büch\n.gz", 10_000, "B")
    view.begin()
    view.advance(4000, fresh=False)
    clock.run(view, 6, lambda: view.advance(125))
    view.close(True)
    view.close(True)
    first, *between, last = lines(capsys)
    assert list(first) == KEYS
    number = first["bar"]
    values = ["start", number, "büch\n.gz", 0, 10_000, "B", 0.0, None, ""]
    assert list(first.values()) == values
    assert {line["event"] for line in between} == {"progress"}
    assert 10 <= len(between) <= 12  # two a second
    assert between[-1]["per_second"] == pytest.approx(1000, rel=0.01)
    assert (last["event"], last["done"], last["bar"]) == ("done", 10_000, number)
    assert (last["seconds"], last["per_second"]) == (6.0, 1000.0)


def test_nothing_new_is_not_told(capsys: pytest.CaptureFixture[str], clock: Any) -> None:
    view = MachineView("x", None, "rows")
    view.advance(10)
    clock.run(view, 60)
    stalled = lines(capsys)
    assert stalled[-1]["per_second"] == 0.0  # a stall is told until it is one
    clock.run(view, 60)
    assert lines(capsys) == []
    view.note("busy")
    clock.run(view, 0.125)
    view.note("still busy")
    clock.run(view, 1)
    assert [line["note"] for line in lines(capsys)] == ["busy", "still busy"]
    view.close(False)
    (last,) = lines(capsys)
    assert (last["event"], last["note"]) == ("stopped", "still busy")


def test_every_bar_has_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    progress.enable(json=True)
    try:
        with progress.bar("same name", 1), progress.bar("same name", 1):
            pass
    finally:
        progress.enable(None)
    told = lines(capsys)
    assert [line["event"] for line in told] == ["start", "start", "done", "done"]
    assert told[0]["bar"] == told[3]["bar"] != told[1]["bar"] == told[2]["bar"]


def test_switched_off_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    progress.enable(False, json=True)
    try:
        with progress.bar("x"):
            pass
        assert not progress.enabled()
    finally:
        progress.enable(None)
    assert lines(capsys) == []
