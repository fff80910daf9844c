"""A clock that stands still until a test moves it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest


class Clock:
    """``clock.now`` in seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def run(self, view: Any, seconds: float, each: Callable[[], Any] | None = None) -> None:
        """Eighths of a second go by: ``each`` happens in every one, then the view is drawn."""
        for _ in range(round(8 * seconds)):
            self.now += 0.125  # no rounding
            if each is not None:
                each()
            view.tick()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: found.now)
    return found
