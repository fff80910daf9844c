"""A bar that is shown: what all ways to show one have in common."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from domainkit.progress import words
from domainkit.progress.counts import Counts
from domainkit.progress.speed import Speed
from domainkit.progress.ticker import ticker

__all__ = ["View", "write_line"]

_FIRST_SPEED_SECONDS = 1.0  # before, a speed is a guess


class View(Counts):
    """Counts that are drawn; a subclass says how, in ``begin``, ``draw`` and ``end``.

    Attributes:
        now: when it was looked at last.
        per_second: the speed then; None where it is too early to tell.
    """

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        super().__init__(name, total, unit)
        self.now = self.start
        self.per_second: float | None = None
        self._speed = Speed(self.start)
        self._drawing = threading.Lock()
        self._closed = False

    def begin(self) -> None:
        """Shown for the first time."""

    def draw(self) -> None:
        """Shown again; called every tenth of a second or so, and soon after a note."""

    def end(self, whole: bool) -> None:
        """Shown for the last time."""

    def open(self) -> None:
        with self._drawing:
            self._attempt(self.begin)
        ticker().add(self)

    def note(self, text: str) -> None:
        super().note(text)
        ticker().wake()

    def tick(self) -> None:
        with self._drawing:
            if not self._closed:
                self.look()
                self._attempt(self.draw)

    def close(self, whole: bool) -> None:
        ticker().remove(self)
        with self._drawing:
            if not self._closed:
                self.look()
                self._attempt(lambda: self.end(whole))
            self._closed = True

    def _attempt(self, show: Callable[[], None]) -> None:
        try:
            show()
        except Exception:  # whatever is wrong with the display is no reason to stop the work
            self._closed = True

    def look(self) -> None:
        """Takes the time and the speed, for what is drawn next."""
        self.now = time.monotonic()
        self._speed.mark(self.now, self.fresh)
        early = self.now - self.start < _FIRST_SPEED_SECONDS
        self.per_second = None if early else self._speed.per_second(self.now)

    @property
    def label(self) -> str:
        return words.clean(self.name)

    @property
    def remark(self) -> str:
        """The note, fit to be shown."""
        return words.clean(self.text)

    @property
    def counting(self) -> bool:
        """Whether there is anything to count, or the bar stands for a wait alone."""
        return self.done != 0 or self.total is not None

    def amount(self) -> str:
        """``12.0/26.4 MB``, nothing where nothing is counted."""
        return words.amount(self.done, self.total, self.unit) if self.counting else ""

    def speed(self) -> str:
        """``3.1 MB/s``, nothing where it is not known yet."""
        if self.per_second is None or not self.counting:
            return ""
        return words.rate(self.per_second, self.unit)

    def left(self) -> str:
        """``5 s left``, nothing where it cannot be told."""
        if not self.total or not self.per_second or self.done >= self.total:
            return ""
        return f"{words.duration((self.total - self.done) / self.per_second)} left"

    def outcome(self, whole: bool) -> str:
        """``done in 40 s, 20.0/20.0 MB, 500.0 kB/s``, with the speed of all the time."""
        seconds = self.now - self.start
        state = "done in" if whole else "stopped after"
        average = words.rate(self.fresh / seconds, self.unit) if seconds >= 1 and self.fresh else ""
        note = "" if whole else self.remark
        parts = (f"{state} {words.duration(seconds)}", self.amount(), average, note)
        return ", ".join(filter(None, parts))


def write_line(text: str) -> None:
    """One line on stderr, in one piece."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
