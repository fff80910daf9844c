"""Ctrl-C on a terminal: the bars are gone, the message stands, the next run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from typing import Any

import pytest

pytest.importorskip("termios")
from support.command import COMMAND, invoke
from support.faults import hold_after
from support.terminal import Session

IMAGES = "/example.org/small/train-images.gz"
ARGS = [*COMMAND, "download", "vision/small", "--split", "train"]
MESSAGE = "stopped; run the same command again to go on"


@pytest.mark.parametrize(("width", "echo"), [(80, True), (80, False), (40, True)])
def test_ctrl_c_leaves_no_bar(small: Any, width: int, echo: bool) -> None:
    small.server.faults[IMAGES] = [hold_after(500)]
    with Session(ARGS, width, 24, small.env, echo=echo) as program:
        program.until(lambda screen: "500/" in screen.text or "0.5/" in screen.text)
        # until the speed is told: then the lines are as long as they get
        program.until(lambda screen: screen.text.endswith("B/s"))
        program.type("\x03")
        assert program.finish() == 130
        lines = [line for line in program.screen.text.split("\n") if line]
        if "train-labels" in lines[0]:  # that file was whole
            del lines[: len(lines) - (1 if width > len(MESSAGE) else 2)]
        assert "".join(lines) == MESSAGE
        assert program.screen.column == 0
        assert "\x1b[?25l" not in program.raw
    again = invoke("download", "vision/small", "--split", "train")
    assert again.exit_code == 0
    ranges = [r.range for r in small.server.requests if r.path == IMAGES]
    assert ranges == [None, "bytes=500-"]


def test_ctrl_c_ends_the_lines_for_machines(small: Any) -> None:
    reached = threading.Event()
    small.server.faults[IMAGES] = [hold_after(500, reached)]
    process = subprocess.Popen(
        [*ARGS, "--json"],
        env={**os.environ, **small.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reached.wait(timeout=60)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    *lines, last = errors.splitlines()
    assert last == MESSAGE
    events = {}
    for line in map(json.loads, lines):
        events.setdefault(line["name"], []).append(line["event"])
    assert events["train-images.gz"][0] == "start"
    assert events["train-images.gz"][-1] == "stopped"
    assert all(each[-1] in ("done", "stopped") for each in events.values())
