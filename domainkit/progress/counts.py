"""What is done of a piece of work, counted in silence; the views show the same counts."""

from __future__ import annotations

import threading
import time

__all__ = ["Counts"]


class Counts:
    """A bar that nobody sees.

    Attributes:
        name, total, unit: as given to ``bar``; ``total`` may change.
        done: units done, whoever did them.
        fresh: units done since the bar was opened; work that is thrown away and done again counts
            twice.
        text: the last note.
        start: when the bar was opened, on the monotonic clock.
    """

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done = self.fresh = 0
        self.text = ""
        self.start = time.monotonic()
        self._counting = threading.Lock()

    def advance(self, n: int, fresh: bool = True) -> None:
        with self._counting:
            self.done += n
            if fresh and n > 0:
                self.fresh += n

    def note(self, text: str) -> None:
        self.text = text

    def set_total(self, total: int | None) -> None:
        self.total = total

    def open(self) -> None:
        """The block begins."""

    def close(self, whole: bool) -> None:
        """The block has ended, ``whole`` or by an exception; a second call does nothing."""
