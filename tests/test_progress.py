"""Bars in a log, on a terminal, in a notebook, and silence where nobody asked."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from domainkit import progress
from domainkit.progress import bar


@pytest.fixture(autouse=True)
def switch_off_afterwards():
    yield
    progress.enable(None)


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def test_silent_unless_asked(capsys):
    for enabled in (None, False):
        with bar("prepare", 10, "rows", enabled) as shown:
            shown.advance(10)
            shown.note("x")
    assert capsys.readouterr() == ("", "")
    progress.enable()
    with bar("prepare", 10, "rows", enabled=False) as shown:
        shown.advance(10)
    assert capsys.readouterr() == ("", "")
    with bar("prepare", 10, "rows") as shown:
        shown.advance(10)
    assert "prepare: done in" in capsys.readouterr().err


def test_a_log_gets_a_line_per_tenth(capsys, clock):
    with bar("train-images", None, "B", enabled=True) as shown:
        shown.set_total(20_000_000)
        for _ in range(200):
            clock.now += 0.2
            shown.advance(100_000)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[4] == "train-images: 50 %, 10.0/20.0 MB, 500.0 kB/s, 20 s left"
    assert lines[-1] == "train-images: done in 40 s, 20.0/20.0 MB, 500.0 kB/s"


def test_a_log_of_unknown_length_and_notes(capsys, clock):
    with pytest.raises(KeyError), bar("rows", None, "rows", enabled=True) as shown:
        for _ in range(70):
            clock.now += 1
            shown.advance(1000)
        shown.note("first")
        clock.now += 6
        shown.note("second")
        shown.note("third, too soon")
        raise KeyError
    assert capsys.readouterr().err.splitlines() == [
        "rows: 30,000 rows, 1,000 rows/s",
        "rows: 60,000 rows, 1,000 rows/s",
        "rows: 70,000 rows, 1,000 rows/s, first",
        "rows: 70,000 rows, 921 rows/s, second",
        "rows: stopped after 1 min 16 s, 70,000 rows, 921 rows/s, third, too soon",
    ]


def test_a_terminal_shows_several_bars_at_once(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    together = threading.Barrier(3)

    def work(name: str) -> None:
        with bar(name, 1000, "rows", enabled=True) as shown:
            together.wait(10)
            shown.advance(400)
            shown.advance(-400)
            shown.advance(1000)
            together.wait(10)

    threads = [threading.Thread(target=work, args=(f"set [{n}]",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = terminal.getvalue().rsplit("set [0]", 1)[1]
    assert all(f"set [{n}]" in terminal.getvalue() for n in range(3))
    assert last.count("1,000/1,000 rows") == 3
    assert (progress._rich_shown, progress._rich_bars) == ([], 0)


def test_a_notebook_gets_a_bar_of_its_own(monkeypatch):
    display = pytest.importorskip("IPython.display")
    pages = []

    class Handle:
        def update(self, page):
            pages.append(page.data)

    def show(page, display_id):
        assert display_id
        pages.append(page.data)
        return Handle()

    monkeypatch.setattr(display, "display", show)
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    with bar("a < b", 10, "batches") as shown:  # on by default in a notebook
        shown.advance(10)
    assert pages[0].startswith('<div>a &lt; b <progress value="0" max="10"></progress> 0/10')
    assert 'value="10" max="10"' in pages[-1]


def test_many_threads_lose_no_count():
    with bar("n", None, "rows", enabled=False) as shown:
        threads = [
            threading.Thread(target=lambda: [shown.advance(1) for _ in range(5000)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert shown.done == 20_000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (7320, "2 h 02 min")],
)
def test_durations(seconds, text):
    assert progress._duration(seconds) == text
