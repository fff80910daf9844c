"""Is this machine ready? ``diagnose`` looks, and says for each fault what mends it.

Libraries are imported in a process of their own (``probe``), so that none can take the doctor down.
The network is not touched.
"""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys

from domainkit.doctor.check import Check
from domainkit.doctor.libraries import (
    NEEDED,
    needed_check,
    numba_check,
    torch_check,
    torchaudio_check,
    torchvision_check,
)
from domainkit.doctor.places import cache_check, disk_check, variable_checks
from domainkit.probe import ask

__all__ = ["Check", "diagnose", "usable", "warm"]

_WARM = "domainkit.vision.transforms.kernels.warm"


def diagnose() -> list[Check]:
    """Look at Python, the libraries, the cache and the environment. Takes a few seconds.

    Example:
        >>> [check.name for check in diagnose() if check.state == "fault"]
        []
    """
    answers = ask(["torch", "torchvision", "torchaudio", "numba", *NEEDED])
    return [
        _python(),
        _platform(),
        torch_check(answers["torch"]),
        torchvision_check(answers["torchvision"], answers["torch"]),
        torchaudio_check(answers["torchaudio"], answers["torch"]),
        numba_check(answers["numba"]),
        *(needed_check(module, package, answers[module]) for module, package in NEEDED.items()),
        cache_check(),
        disk_check(),
        *variable_checks(),
    ]


def warm(timeout: float = 600.0) -> Check:
    """Compile the CPU kernels ahead, in a process of its own; says how long it took."""
    name, command = "kernels", [sys.executable, "-P", "-m", _WARM]
    again = f"run `{sys.executable} -m {_WARM}` to see why"
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
        seconds = float(done.stdout or b"nan")
    except (subprocess.TimeoutExpired, ValueError):
        return Check(name, "warning", f"not compiled within {timeout:.0f} s", again)
    if done.returncode or math.isnan(seconds):
        return Check(name, "warning", f"not compiled: exit code {done.returncode}", again)
    if seconds < 0:
        return Check(name, "warning", "numba is not installed: torch does it", "pip install numba")
    return Check(name, "ok", f"compiled or loaded in {seconds:.1f} s; the next run finds them")


def usable(checks: list[Check]) -> bool:
    """Whether domainkit works here: no check is a fault."""
    return all(check.state != "fault" for check in checks)


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()}, {sys.executable}")


def _platform() -> Check:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Check("platform", "ok", f"{platform.system()} {platform.machine()}, {cpus} CPUs")
