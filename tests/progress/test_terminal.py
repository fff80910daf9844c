"""Bars on a real terminal, by what can be seen on it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("termios")
from support.terminal import Screen, Session

from domainkit import progress

ROOT = Path(progress.__file__).parent.parent.parent
WAIT = "answers 503 Service Unavailable; trying again in 12 s (2 of 5)"
HEAD = """
import sys, threading, time
from domainkit import progress
from domainkit.progress import bar
progress.enable()
key = sys.stdin.readline
"""


def session(code: str, width: int = 80, height: int = 24, **env: str) -> Session:
    """A program; where it calls ``key()`` it waits until the test types a line."""
    command = [sys.executable, "-c", HEAD + code]
    return Session(command, width, height, {"PYTHONPATH": str(ROOT), **env})


def test_a_bar_has_name_speed_and_time_left() -> None:
    code = """
with bar("train-images.gz", 26_400_000, "B") as shown:
    for _ in range(15):
        time.sleep(0.1); shown.advance(500_000)
    key()
"""
    with session(code) as program:
        row = r"train-images\.gz  ━+[╸╺]━+  [67]\.\d/26\.4 MB, [345]\.\d MB/s, [3456] s left"
        program.until(lambda screen: any(re.fullmatch(row, line) for line in screen.lines))
        assert len(program.screen.lines) == 1
        # nobody advances it: it is seen to stand still
        program.until(lambda screen: screen.lines[0].endswith("  7.5/26.4 MB, 0 B/s"), 15)
        program.type("\n")
        assert program.finish() == 0
        (line,) = [line for line in program.screen.text.split("\n") if line.strip()]
        assert re.fullmatch(r"train-images\.gz: done in \d+ s, 7\.5/26\.4 MB, .* [kM]B/s", line)
        assert "\x1b[?25" not in program.raw  # the cursor is left alone


@pytest.mark.parametrize(("width", "rows"), [(80, 2), (60, 3), (40, 4), (24, 6)])
def test_a_wait_is_seen_whole(width: int, rows: int) -> None:
    code = f"""
with bar("a-file-with-quite-a-long-name-train-images.gz", 26_400_000, "B") as shown:
    shown.advance(12_000_000, fresh=False)
    time.sleep(1.1)
    shown.note({WAIT!r})
    key()
    shown.note("")
    key()
"""
    with session(code, width) as program:
        start = time.monotonic()
        program.until(lambda screen: WAIT in " ".join(" ".join(screen.lines).split()))
        assert time.monotonic() - start < 30
        lines = program.screen.lines
        assert len(lines) == rows and max(map(len, lines)) <= width
        head, tail = lines[0].split("…")[0], lines[0].split("…")[1]
        assert "a-file-with-quite-a-long-name-train-images.gz".startswith(head)
        assert "gz" in tail and "12.0/26.4 MB" in lines[0] and "0 B/s" in " ".join(lines)
        program.type("\n")
        program.until(lambda screen: len(screen.lines) == (1 if width >= 60 else 2))
        program.type("\n")
        assert program.finish() == 0


def bars(count: int) -> str:
    return f"""
def work(n):
    with bar(f"shard-{{n:05}}-of-{count:05}.tar", 1000, "B") as shown:
        shown.advance(10 * n)
        if n == 1:
            shown.note({WAIT!r})
        opened.wait(); closing.wait()
opened, closing = threading.Barrier({count} + 1), threading.Barrier({count} + 1)
threads = [threading.Thread(target=work, args=(n,)) for n in range({count})]
for thread in threads:
    thread.start(); time.sleep(0.005)
opened.wait(); key(); closing.wait()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 10), (40, 24), (30, 10)])
def test_eight_files_at_once(width: int, height: int) -> None:
    with session(bars(8), width, height) as program:

        def all_there(screen: Screen) -> bool:
            return sum("shar" in line for line in screen.lines) == 8

        program.until(all_there)
        program.until(lambda screen: "of 5)" in screen.text)
        assert len(program.screen.lines) < height
        if (width, height) == (80, 24):
            assert WAIT in program.screen.text
            starts = {
                re.search("[━╸╺]", line).start()
                for line in program.screen.lines[::-1]
                if "1.0 kB" in line
            }
            assert len(starts) == 1  # below each other
        program.type("\n")
        assert program.finish() == 0
        # one line is left of each, and nothing of the bars, whatever has scrolled by
        told = re.sub(r"\s+", " ", program.screen.text)
        assert len(re.findall(r"shard-0000\d-of-00008\.tar: done in \d s,", told)) == 8
        assert "━" not in program.screen.text and "trying" not in program.screen.text


def test_more_bars_than_lines() -> None:
    with session(bars(12), 80, 8) as program:
        program.until(lambda screen: "and 6 more" in screen.lines)
        assert len(program.screen.lines) == 7
        program.type("\n")
        assert program.finish() == 0
        assert program.screen.text.count("done in") == 12
        assert "more" not in program.screen.text


def test_what_is_printed_meanwhile_stands_above() -> None:
    code = """
with bar("outer", 10) as outer:
    outer.advance(1)
    print("first line")
    with bar("inner", 10) as inner:
        inner.advance(10)
    sys.stderr.write("second line " + "x" * 100 + "\\n")
    key()
print("after")
"""
    with session(code) as program:
        program.until(lambda screen: "second line" in screen.text)
        program.type("\n")
        assert program.finish() == 0
        text = [line for line in program.screen.text.split("\n") if line]
        assert text[:2] == ["first line", "inner: done in 0 s, 10/10 rows"]
        assert text[2] == "second line " + "x" * 68 and text[3] == "x" * 32
        assert text[4:] == ["outer: done in 0 s, 1/10 rows", "after"]


def test_an_error_leaves_no_bar() -> None:
    code = f"""
print("before")
with bar("outer", 10) as outer, bar("inner", 10) as inner:
    inner.note({WAIT!r})
    time.sleep(0.3)
    raise SystemExit("the error")
"""
    with session(code) as program:
        assert program.finish() == 1
        assert program.screen.lines == ["before", "the error"]
        assert any(WAIT in " ".join(lines) for lines in program.seen)
        assert (program.screen.row, program.screen.column) == (2, 0)


@pytest.mark.parametrize("width", [80, 40])
def test_ctrl_c_that_the_terminal_shows_breaks_no_line(width: int) -> None:
    code = """
print("before")
try:
    with bar("first", 10), bar("n" * 60, 10_000_000) as shown:
        shown.advance(5_000_000, fresh=False)
        shown.note("waiting"); time.sleep(1.5); shown.note("")
        time.sleep(60)
except KeyboardInterrupt:
    pass
"""
    command = [sys.executable, "-c", HEAD + code]
    with Session(command, width, env={"PYTHONPATH": str(ROOT)}, echo=True) as program:
        program.until(lambda screen: "waiting" in screen.text)
        # the last line reaches to the end of what is used of a line
        program.until(lambda screen: len(screen.lines[-1]) == width - 2)
        program.type("\x03")
        assert program.finish() == 0
        assert program.screen.lines == ["before"]


def test_a_bar_that_nobody_closes_is_gone_at_the_end() -> None:
    code = """
def rows():
    with bar("rows", 10) as shown:
        yield 1
        yield 2
left = rows(); next(left)
time.sleep(0.3)
import gc; gc.disable(); keep = [left]; keep.append(keep)
"""
    with session(code) as program:
        assert program.finish() == 0
        assert any("0/10 rows" in line for lines in program.seen for line in lines)
        assert program.screen.text == ""


def test_a_wait_that_ends_leaves_nothing() -> None:
    code = """
with bar("train.gz") as shown:
    shown.note("another process is at it, waiting")
    time.sleep(0.3)
"""
    with session(code, width=30) as program:
        assert program.finish() == 0
        assert program.screen.text == ""
        assert any("another process is at it," in " ".join(lines) for lines in program.seen)
        assert not any("rows" in line for lines in program.seen for line in lines)


def test_wide_characters_and_escapes_in_names() -> None:
    code = """
with bar("数据集" * 20 + "\\x1b[2J\\x07.zip", 10) as shown:
    shown.note("理由 " * 40)
    time.sleep(0.3)
    key()
"""
    with session(code, width=70) as program:
        program.until(lambda screen: "理由" in screen.text)
        lines = program.screen.lines
        assert lines[0].startswith("数据集") and "….zip" not in lines[0] and ".zip" in lines[0]
        assert "━" in lines[0] and lines[0].endswith("0/10 rows")
        assert "\x07" not in program.raw and "\x1b[2J" not in program.raw
        program.type("\n")
        assert program.finish() == 0


def test_no_colour_where_none_is_wanted() -> None:
    code = """
with bar("x", 10, "rows") as shown:
    shown.advance(5); shown.note("wait"); time.sleep(0.3)
"""
    with session(code, NO_COLOR="1") as program:
        assert program.finish() == 0
        assert not re.findall(r"\x1b\[(?:3[1-7]|38|9\d)[;\dm]", program.raw)
        assert any("━" in line for lines in program.seen for line in lines)


def test_a_terminal_without_unicode() -> None:
    code = """
with bar("a-name-that-is-longer-than-a-third-of-the-line.gz", 10, "rows") as shown:
    shown.advance(5); time.sleep(0.3)
"""
    with session(code, PYTHONIOENCODING="ascii:replace") as program:
        assert program.finish() == 0
        assert program.raw.isascii() and "?" not in program.raw
        assert any(
            re.search(r"a-name-\S+\.\.\.\S+\.gz  -+ -+  5/10", n[0]) for n in program.seen if n
        )


def test_a_dumb_terminal_gets_lines() -> None:
    code = """
with bar("x", 10, "rows") as shown:
    shown.advance(5); time.sleep(0.7)
"""
    with session(code, TERM="dumb") as program:
        assert program.finish() == 0
        assert program.raw == "x: 50 %, 5/10 rows\r\nx: done in 1 s, 5/10 rows\r\n"


def test_what_goes_to_a_file_is_no_part_of_the_bars(tmp_path: Path) -> None:
    code = """
with bar("x", 10, "rows") as shown:
    print("the result"); time.sleep(0.3)
"""
    with (tmp_path / "out").open("wb") as out:
        command = [sys.executable, "-c", HEAD + code]
        with Session(command, env={"PYTHONPATH": str(ROOT)}, stdout=out.fileno()) as program:
            assert program.finish() == 0
    assert (tmp_path / "out").read_text() == "the result\n"
    assert "the result" not in program.raw and "0/10 rows" in program.raw


def test_a_log_beside_a_terminal(tmp_path: Path) -> None:
    code = HEAD + "with bar('x', 10) as shown:\n    shown.advance(10)\nprint('the result')"
    command = [sys.executable, "-c", f"import os\nos.dup2(os.open('log', 65, 438), 2)\n{code}"]
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        with Session(command, env={"PYTHONPATH": str(ROOT)}) as program:
            assert program.finish() == 0
    finally:
        os.chdir(here)
    assert program.screen.lines == ["the result"]
    assert (tmp_path / "log").read_text() == "x: done in 0 s, 10/10 rows\n"


def test_a_terminal_that_goes_away_does_not_stop_the_work(tmp_path: Path) -> None:
    code = f"""
import os, signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with bar("x", 10, "rows") as shown:
    time.sleep(0.3)
    open({str(tmp_path / "started")!r}, "w").close()
    while os.isatty(2):
        time.sleep(0.01)
    shown.note("nobody sees it"); shown.advance(10); time.sleep(0.3)
out, errors = sys.stdout, sys.stderr
with bar("y", 10, "rows") as shown:
    shown.advance(10)
for thread in threading.enumerate():
    if thread.name == "domainkit-progress":
        thread.join(20)
        assert not thread.is_alive()
assert (sys.stdout, sys.stderr) == (out, errors) == (sys.__stdout__, sys.__stderr__)
open({str(tmp_path / "done")!r}, "w").close()
os._exit(0)
"""
    program = session(code)
    program.until(lambda screen: (tmp_path / "started").exists())
    os.close(program._terminal)
    try:
        assert program.process.wait(20) == 0
    except subprocess.TimeoutExpired:
        program.process.kill()
        raise
    assert (tmp_path / "done").exists()
