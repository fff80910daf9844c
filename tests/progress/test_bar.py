"""Who sees a bar: silence where nobody asked, and the way of showing that fits the place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from domainkit import progress
from domainkit.progress import bar
from domainkit.progress.ticker import ticker

ROOT = Path(progress.__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def switch_off_afterwards() -> Iterator[None]:
    yield
    progress.enable(None)


def python(code: str, encoding: str = "utf-8", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding=encoding,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )


def test_silent_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
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
    assert capsys.readouterr() == ("", "prepare: done in 0 s, 10/10 rows\n")


def test_a_silent_bar_has_no_thread_and_loads_no_view() -> None:
    code = (
        "import sys, threading; from domainkit.progress import bar\n"
        "with bar('x') as shown:\n    shown.advance(1); n = threading.active_count()\n"
        "print(n, *(m for m in sys.modules if m.startswith('domainkit.progress')))"
    )
    told = python(code).stdout.split()
    assert told == ["1", "domainkit.progress", "domainkit.progress.counts"]


def test_the_way_of_showing_is_imported_when_it_is_used() -> None:
    code = (
        "import sys; from domainkit.progress import bar\n"
        "with bar('x', 1, enabled=True) as shown:\n    shown.advance(1)\n"
        "print('rich' in sys.modules, 'json' in sys.modules)"
    )
    done = python(code)
    assert done.stdout == "False False\n"
    assert done.stderr == "x: done in 0 s, 1/1 rows\n"


def test_a_dumb_terminal_gets_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    with bar("x", 1, enabled=True) as shown:
        shown.advance(1)
    assert capsys.readouterr().err == "x: done in 0 s, 1/1 rows\n"


def test_no_stderr_is_no_trouble() -> None:
    code = (
        "import sys; sys.stderr = None\nfrom domainkit.progress import bar\n"
        "with bar('x', enabled=True) as shown:\n    shown.note('x'); shown.advance(1)\n"
        "print(shown.done)"
    )
    done = python(code)
    assert (done.stdout, done.stderr) == ("1\n", "")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_reader_that_goes_away_does_not_stop_the_work(as_json: bool) -> None:
    code = (
        "import os, sys; from domainkit import progress\n"
        f"progress.enable(json={as_json}); away, end = os.pipe(); os.close(away)\n"
        "sys.stderr = os.fdopen(end, 'w')\n"
        "with progress.bar('x', 10) as shown:\n"
        "    shown.note('gone'); shown.advance(10)\n"
        "with progress.bar('x', 10) as shown:\n    shown.advance(10)\n"
        "print(shown.done, flush=True); os._exit(0)"
    )
    assert python(code).stdout == "10\n"


def test_names_of_any_characters_in_a_small_code_page() -> None:
    code = (
        "from domainkit.progress import bar\n"
        "with bar('\\u00fcb\\u4e2d\\x1b[2J\\n.gz \\ud800', 1, enabled=True) as shown:\n"
        "    shown.advance(1)"
    )
    done = python(code, "cp437", PYTHONIOENCODING="cp437:replace")
    assert done.returncode == 0
    assert done.stderr == "\u00fcb\\u4e2d?[2J .gz ?: done in 0 s, 1/1 rows\n"


def test_many_threads_lose_no_count() -> None:
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


def test_bars_inside_each_other_and_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    progress.enable()
    together = threading.Barrier(3)

    def work(name: str) -> None:
        with bar(name, 10, "rows") as outer:
            together.wait(10)
            with bar(f"{name} inner", 5, "rows") as inner:
                inner.advance(5)
            outer.advance(10)
            together.wait(10)

    threads = [threading.Thread(target=work, args=(f"set {n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capsys.readouterr().err.splitlines()
    assert sorted(lines) == sorted(
        f"set {n}{inner}: done in 0 s, {count}/{count} rows"
        for n in range(3)
        for inner, count in (("", 10), (" inner", 5))
    )


def test_the_thread_that_draws_ends_with_the_last_bar() -> None:
    with bar("x", enabled=True), bar("y", enabled=True):
        thread = ticker()._thread
        assert thread is not None and thread.is_alive() and thread.daemon
    thread.join(10)
    assert not thread.is_alive()
    with bar("x", enabled=True):
        assert ticker()._thread is not None and ticker()._thread is not thread


def test_all_bars_can_be_closed_from_outside(capsys: pytest.CaptureFixture[str]) -> None:
    progress.close_all()  # there are none
    progress.enable(json=True)
    with bar("x", 10) as outer, bar("y") as inner:
        outer.advance(4)
        progress.close_all()
        outer.advance(6)
        inner.note("later")
        told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["name"]) for line in told] == [
        *(("start", "x"), ("start", "y"), ("stopped", "y"), ("stopped", "x"))
    ]
    assert told[-1]["done"] == 4
    assert capsys.readouterr().err == ""  # and no second end


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_shows_its_own_bars_alone() -> None:
    code = (
        "import os, sys, time, warnings; from domainkit.progress import bar\n"
        "warnings.simplefilter('ignore')\n"
        "with bar('parent', 1, enabled=True) as outer:\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        with bar('child', 1, enabled=True) as inner:\n"
        "            inner.advance(1); outer.note('never seen'); time.sleep(0.6)\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0); outer.advance(1)\n"
    )
    assert python(code).stderr.splitlines() == [
        "child: done in 1 s, 1/1 rows",
        "parent: done in 1 s, 1/1 rows",
    ]
