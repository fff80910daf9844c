"""The CPUs that this process may use, and how long they had nothing to do."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cpus", "idle_seconds"]

STAT = Path("/proc/stat")  # Linux: a line per CPU: user nice system idle iowait ...
IDLE = slice(4, 6)  # a CPU whose programs wait for the disk is idle too


def cpus() -> int:
    """How many CPUs this process may use.

    Example:
        >>> cpus() >= 1
        True
    """
    return len(_mine()) or os.cpu_count() or 1


def idle_seconds() -> float | None:
    """Seconds that these CPUs were idle since the machine started, added up; None if unknown.

    Only Linux tells. The difference of two answers is exact to a hundredth of a second.

    Example:
        >>> idle_seconds() is None or idle_seconds() > 0
        True
    """
    names = {f"cpu{k}" for k in _mine()}
    try:
        rows = [line.split() for line in STAT.read_text(encoding="ascii").splitlines()]
        ticks = [sum(map(int, row[IDLE])) for row in rows if row and row[0] in names]
        return sum(ticks) / os.sysconf("SC_CLK_TCK") if len(ticks) == len(names) > 0 else None
    except (OSError, ValueError):
        return None


def _mine() -> set[int]:
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return affinity(0) if affinity else set()
