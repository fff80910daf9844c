"""How much of the line is taken: a number of connections, and the bytes that come over them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

__all__ = ["Connections", "Throttle", "Watch"]

_LOOK = 0.1  # seconds after which it is seen whether more connections would help
_NAP = 0.25  # seconds; who waits looks up this often
_made: WeakSet[Connections | Throttle] = WeakSet()


class Connections:
    """So many connections at a time. The first of each file waits its turn; more are spare ones.

    Example:
        >>> two = Connections(2)
        >>> with two.one():
        ...     two.spare(), two.spare()
        (True, False)
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.forget()
        _made.add(self)

    def forget(self) -> None:
        """All are free: those that were in use are nobody's in a forked child."""
        self._free = self._limit
        self._waiting = 0
        self._changed = threading.Condition()

    @contextmanager
    def one(self, check: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Holds a connection, waiting for it where all are taken; ``check`` may end the wait."""
        with self._changed:
            self._waiting += 1
            try:
                while self._free < 1:
                    self._changed.wait(_NAP)  # in small steps: Ctrl-C gets through everywhere
                    check()
            finally:
                self._waiting -= 1
            self._free -= 1
        try:
            yield
        finally:
            self.release()

    def spare(self) -> bool:
        """Takes a connection that nobody waits for, to be given back by ``release``."""
        with self._changed:
            got = self._free > self._waiting
            self._free -= got
            return got

    def release(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify()

    @property
    def wanted(self) -> bool:
        """Whether a file waits for its first connection."""
        return self._waiting > 0


class Throttle:
    """Lets ``rate`` bytes per second by, counted over all threads.

    Example:
        >>> now, naps = [0.0], []
        >>> throttle = Throttle(1000, naps.append, lambda: now[0] + sum(naps))
        >>> throttle.take(500); throttle.take(500)
        >>> sum(naps)
        1.0
    """

    def __init__(
        self, rate: float | None, sleep: Callable[[float], None], now: Callable[[], float]
    ) -> None:
        self._rate = rate or float("inf")
        self._sleep, self._now = sleep, now
        self._free_at = 0.0
        self.forget()
        _made.add(self)

    def forget(self) -> None:
        """Nobody is at it."""
        self._lock = threading.Lock()

    def take(self, count: int, unless: Callable[[], bool] = lambda: False) -> None:
        """Returns when ``count`` bytes more are due, or as soon as ``unless`` says so."""
        with self._lock:
            self._free_at = max(self._free_at, self._now()) + count / self._rate
            due = self._free_at
        while (left := due - self._now()) > 0 and not unless():
            self._sleep(min(left, _NAP))


class Watch:
    """Tells again and again whether bytes come more slowly than ``enough`` per second.

    Example:
        >>> now = [0.0]
        >>> watch = Watch(1000, lambda: now[0])
        >>> now[0] = 1.0; watch.slow(900), watch.slow(5000)
        (True, False)
    """

    def __init__(self, enough: float, now: Callable[[], float]) -> None:
        self._now, self._enough = now, enough
        self._since, self._came = self._now(), 0

    def slow(self, count: int) -> bool:
        """Whether too little came since the last look; ``count`` more bytes have come."""
        self._came += count
        seconds = self._now() - self._since
        if seconds < _LOOK:
            return False
        slow = self._came < self._enough * seconds
        self._since, self._came = self._now(), 0
        return slow


def _forget_all() -> None:
    for one in list(_made):
        one.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
