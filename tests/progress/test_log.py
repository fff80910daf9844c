"""Lines in a log."""

from __future__ import annotations

import re
from typing import Any

import pytest

from domainkit.progress import bar
from domainkit.progress.log import LogView


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    told = capsys.readouterr()
    assert told.out == ""
    return told.err.splitlines()


def test_a_line_for_every_10_per_cent(capsys: pytest.CaptureFixture[str], clock: Any) -> None:
    view = LogView("train-images", None, "B")
    view.begin()
    view.set_total(20_000_000)
    clock.run(view, 40, lambda: view.advance(62_500))
    view.close(True)
    told = lines(capsys)
    assert [line.split(",")[0] for line in told] == [
        *(f"train-images: {step}0 %" for step in range(1, 10)),
        "train-images: done in 40 s",
    ]
    assert told[4] == "train-images: 50 %, 10.0/20.0 MB, 500.0 kB/s, 20 s left"
    assert told[-1] == "train-images: done in 40 s, 20.0/20.0 MB, 500.0 kB/s"


def test_short_work_gets_its_end_alone(capsys: pytest.CaptureFixture[str], clock: Any) -> None:
    view = LogView("x", 100, "rows")
    clock.run(view, 0.375, lambda: view.advance(25))
    view.advance(25)
    view.close(True)
    assert lines(capsys) == ["x: done in 0 s, 100/100 rows"]


def test_what_was_there_is_no_speed(capsys: pytest.CaptureFixture[str], clock: Any) -> None:
    view = LogView("x", 100_000_000, "B")
    view.advance(75_000_000, fresh=False)
    clock.run(view, 20, lambda: view.advance(125_000))
    view.close(False)
    assert lines(capsys) == [
        "x: 75 %, 75.5/100.0 MB",  # said as soon as it is known, when it is too early for a speed
        "x: 80 %, 80.0/100.0 MB, 1.0 MB/s, 20 s left",
        "x: 90 %, 90.0/100.0 MB, 1.0 MB/s, 10 s left",
        "x: stopped after 20 s, 95.0/100.0 MB, 1.0 MB/s",
    ]


def test_work_that_starts_again(capsys: pytest.CaptureFixture[str], clock: Any) -> None:
    view = LogView("x", 1000, "B")
    clock.run(view, 5, lambda: view.advance(10))
    view.advance(-400)
    clock.run(view, 6, lambda: view.advance(10))
    told = lines(capsys)
    assert [re.findall(r"\d+ %", line) for line in told] == [[f"{n}0 %"] for n in range(1, 5)]
    assert "80 B/s" in told[-1]


def test_an_unknown_total(capsys: pytest.CaptureFixture[str], clock: Any) -> None:
    view = LogView("rows", None, "rows")
    clock.run(view, 70, lambda: view.advance(125))
    clock.run(view, 30)  # it stands still, and that is said too
    view.close(False)
    assert lines(capsys) == [
        "rows: 30,000 rows, 1,000 rows/s",
        "rows: 60,000 rows, 1,000 rows/s",
        "rows: 70,000 rows, 0 rows/s",
        "rows: stopped after 1 min 40 s, 70,000 rows, 700 rows/s",
    ]


def test_a_wait_is_told_at_once_and_again(capsys: pytest.CaptureFixture[str], clock: Any) -> None:
    view = LogView("x", None, "rows")
    view.note("another process is at it, waiting")
    clock.run(view, 0.125)
    assert lines(capsys) == ["x: another process is at it, waiting"]
    clock.run(view, 29)
    assert lines(capsys) == []
    clock.run(view, 31.25)
    view.close(True)
    assert lines(capsys) == [
        "x: another process is at it, waiting",
        "x: another process is at it, waiting",
        "x: done in 1 min 00 s",
    ]


def test_notes_do_not_flood(capsys: pytest.CaptureFixture[str], clock: Any) -> None:
    view = LogView("x", 1000, "rows")
    view.advance(50)
    for left in range(60, 0, -1):
        view.note(f"busy (503); trying again in {left} s")
        clock.run(view, 1)
    assert [line.split(", ")[-1] for line in lines(capsys)] == [
        "busy (503); trying again in 60 s",
        "busy (503); trying again in 30 s",
    ]
    for k in range(20):
        view.note(f"reason {'abcdefghijklmnopqrst'[k]}")
        clock.run(view, 1)
    told = lines(capsys)
    assert told[0].endswith("reason a") and len(told) == 4
    view.note("")
    clock.run(view, 60)
    assert lines(capsys) == []


def test_an_error_ends_a_bar_as_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), bar("x", 10, enabled=True) as shown:
        shown.advance(3)
        shown.note("the\nreason")
        raise KeyError
    told = lines(capsys)
    assert told[-1] == "x: stopped after 0 s, 3/10 rows, the reason"
