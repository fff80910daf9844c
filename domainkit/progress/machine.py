"""Progress for programs: one JSON object a line on stderr.

Each line holds

- ``event``: "start", "progress", "done" (came to its end) or "stopped" (ended by an error or by
  Ctrl-C); every bar begins with a "start" and ends with one of the last two
- ``bar``: a number, the same in all lines of one bar and no other of this process
- ``name``, ``unit``: what is worked on and what is counted, "B" for bytes
- ``done``, ``total``: units; ``total`` is null where unknown, and may become known
- ``seconds``: since the bar's start
- ``per_second``: units per second, lately; in the last line since the start. Null when too early
- ``note``: what is waited for, "" where nothing is

A bar writes at most two "progress" lines a second, and none while nothing changes. Other lines on
stderr (errors, warnings) are plain text: they do not begin with a brace.
"""

from __future__ import annotations

import itertools
import json

from domainkit.progress.view import View, write_line

__all__ = ["MachineView"]

_LINE_SECONDS = 0.5
_numbers = itertools.count(1)


class MachineView(View):
    """The lines of one bar."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        super().__init__(name, total, unit)
        self._number = next(_numbers)
        self._line_at = self.start
        self._told: tuple[object, ...] = ()

    def begin(self) -> None:
        self._write("start")

    def draw(self) -> None:
        if self.now - self._line_at >= _LINE_SECONDS and self._facts() != self._told:
            self._line_at = self.now
            self._write("progress")

    def end(self, whole: bool) -> None:
        seconds = self.now - self.start
        if self.per_second is not None:
            self.per_second = self.fresh / seconds
        self._write("done" if whole else "stopped")

    def _facts(self) -> tuple[object, ...]:
        return self.done, self.total, self._pace(), self.text

    def _pace(self) -> float | None:
        return None if self.per_second is None else float(f"{self.per_second:.4g}")

    def _write(self, event: str) -> None:
        self._told = self._facts()
        line = {
            "event": event,
            "bar": self._number,
            "name": self.name,
            "done": self.done,
            "total": self.total,
            "unit": self.unit,
            "seconds": round(self.now - self.start, 3),
            "per_second": self._pace(),
            "note": self.text,
        }
        write_line(json.dumps(line))
