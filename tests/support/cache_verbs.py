"""What the tests of ``domainkit cache`` share: asking it, and setting back its clocks."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from support.command import invoke

from domainkit import cache

__all__ = ["DAY", "aged", "own", "told", "use"]

DAY = 86400


def told(*args: object) -> Any:
    return json.loads(invoke(*args, "--json").stdout)


def aged(days: float) -> None:
    """Everything in the cache was used so long ago."""
    when = time.time() - days * DAY
    for path in cache.home().rglob("*"):
        if path.is_file():
            os.utime(path, (when, when))


def use(name: str, days: float) -> None:
    for entry in cache.entries():
        if entry.path.name == name:
            os.utime(entry.record, (time.time() - days * DAY,) * 2)


def own(folder: Path) -> None:
    from domainkit.features import Int
    from domainkit.interop.own import Rows, own_dataset

    own_dataset({"n": 1}, lambda: Rows({"n": Int()}, [{"n": 7}]), name="numbers")
