"""Progress in a log: a line for every 10 %, for what is waited for, and for the end."""

from __future__ import annotations

import re

from domainkit.progress import words
from domainkit.progress.view import View, write_line

__all__ = ["LogView"]

_STEP = 10  # per cent
_STEP_SECONDS = 0.5  # short work gets fewer lines: not two of them within this time
_UNKNOWN_SECONDS = 30.0  # a line this often where no total is known
_NOTE_SECONDS = 5.0  # not two lines for notes within this time
_SAME_NOTE_SECONDS = 30.0  # nor two for notes that differ in their numbers only


class LogView(View):
    """``train.gz: 40 %, 10.6/26.4 MB, 3.1 MB/s, 5 s left`` on stderr, never in colour."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        super().__init__(name, total, unit)
        self._steps = 0
        self._line_at = self.start
        self._note_at = self.start - _NOTE_SECONDS
        self._told: dict[str, float] = {}

    def draw(self) -> None:
        steps = words.percent(self.done, self.total) // _STEP
        quiet = self.now - self._line_at
        step = steps > self._steps and quiet >= _STEP_SECONDS and steps * _STEP < 100
        unknown = not self.total and quiet >= _UNKNOWN_SECONDS
        if self._note_is_due() or step or unknown:
            self._steps = max(steps, self._steps)
            self._line_at = self.now
            share = f"{words.percent(self.done, self.total)} %" if self.total else ""
            parts = (share, self.amount(), self.speed(), self.left(), self.remark)
            write_line(f"{self.label}: {', '.join(filter(None, parts))}")

    def end(self, whole: bool) -> None:
        write_line(f"{self.label}: {self.outcome(whole)}")

    def _note_is_due(self) -> bool:
        kind = re.sub(r"\d+", "0", self.text)
        same = self.now - self._told.get(kind, -_SAME_NOTE_SECONDS + self.start)
        due = self.now - self._note_at >= _NOTE_SECONDS and same >= _SAME_NOTE_SECONDS
        if not kind or not due:
            return False
        self._note_at = self._told[kind] = self.now
        return True
