"""How idle the CPUs are, against what the system says."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from domainkit.profile import machine

linux = pytest.mark.skipif(not Path("/proc/stat").is_file(), reason="only Linux tells")

STAT = """cpu  4 0 0 1100 330 0 0 0 0 0
cpu0 1 0 0 100 10 0 0 0 0 0
cpu1 1 0 0 200 20 0 0 0 0 0
cpu2 1 0 0 300 100 7 7 7 7 7
cpu10 1 0 0 500 200 0 0 0 0 0
intr 1 2 3
"""


def idle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, mine: set[int]
) -> float | None:
    (tmp_path / "stat").write_text(text)
    monkeypatch.setattr(machine, "STAT", tmp_path / "stat")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: mine, raising=False)
    return machine.idle_seconds()


@linux
def test_only_our_own_cpus_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    assert idle(monkeypatch, tmp_path, STAT, {0, 2}) == (100 + 10 + 300 + 100) / ticks
    assert machine.cpus() == 2
    assert idle(monkeypatch, tmp_path, STAT, {1}) == 220 / ticks


@pytest.mark.parametrize("text", ["", "cpu0 1 2\n", "cpu0 a b c d e f\n"])
def test_what_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    assert idle(monkeypatch, tmp_path, text, {0, 7}) is None


def test_no_such_file_and_no_affinity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "STAT", tmp_path / "none")
    assert machine.idle_seconds() is None
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert machine.idle_seconds() is None and machine.cpus() == os.cpu_count()


@linux
def test_time_here_is_never_more_than_there_was() -> None:
    before, start = machine.idle_seconds(), time.monotonic()
    sum(range(300_000))
    after, end = machine.idle_seconds(), time.monotonic()
    assert before is not None and after is not None
    ticks = 2 * machine.cpus() / os.sysconf("SC_CLK_TCK")  # each CPU's count moves in ticks
    assert 0 <= after - before <= machine.cpus() * (end - start) + ticks
