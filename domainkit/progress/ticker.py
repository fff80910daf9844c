"""The one thread that draws: it looks at all open bars ten times a second, and at once if woken.

Work only counts and never waits for a terminal or a pipe; and a bar whose work stands still is
drawn all the same, so that a stall can be seen. The thread lives while bars are shown.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from typing import Protocol

__all__ = ["Ticker", "ticker"]

_SECONDS = 0.1  # between two looks
_REST_SECONDS = 0.05  # after each, however often it is woken


class Ticking(Protocol):
    def tick(self) -> None:
        """Draw what has changed."""

    def close(self, whole: bool) -> None:
        """Draw for the last time."""


class Ticker:
    """Who is drawn, and the thread that does it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shown: tuple[Ticking, ...] = ()
        self._thread: threading.Thread | None = None
        self._woken = threading.Event()

    def add(self, shown: Ticking) -> None:
        with self._lock:
            self._shown = (*self._shown, shown)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="domainkit-progress", daemon=True
                )
                try:
                    self._thread.start()
                except RuntimeError:  # too many threads, or the interpreter is about to end:
                    self._thread = None  # then a bar is drawn first and last alone
                atexit.unregister(_close_all)  # for a bar in a generator that nobody finished
                atexit.register(_close_all)

    def remove(self, shown: Ticking) -> None:
        with self._lock:
            self._shown = tuple(other for other in self._shown if other is not shown)
            if not self._shown:
                self._woken.set()  # nothing left to draw: the thread ends

    def wake(self) -> None:
        """Draw now."""
        self._woken.set()

    def close_all(self) -> None:
        for shown in reversed(self._shown):
            shown.close(whole=False)

    def _run(self) -> None:
        while True:
            self._woken.wait(_SECONDS)
            self._woken.clear()
            with self._lock:
                shown = self._shown
                if not shown:
                    self._thread = None
                    return
            for one in shown:
                one.tick()
            time.sleep(_REST_SECONDS)


_tickers: dict[int, Ticker] = {}


def ticker() -> Ticker:
    """That of this process: a forked child has neither its parent's thread nor its bars."""
    return _tickers.setdefault(os.getpid(), Ticker())


def _close_all() -> None:
    ticker().close_all()
