"""How bars are laid out in the columns and lines that a terminal has.

From 60 columns on a bar takes one line, else two; what is waited for stands below it, whole. Where
that is too much for the terminal's height the notes get shorter, then each bar gets one line, and
at last some bars are only counted. Names and notes lose their middle, never their end.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from domainkit.progress import words

__all__ = ["Row", "fitted"]

_MARGIN = 2  # columns at the end, for the ^C that a terminal shows: it must not begin a new line
_ONE_LINE = 60 - _MARGIN  # columns that name, bar and facts need beside each other
_BAR = 30  # columns of a bar at most
_LEAST_BAR = 5
_INDENT = 2


@dataclass(frozen=True)
class Row:
    """What is known of one bar: ``amount`` is "12.0/26.4 MB", ``pace`` "3.1 MB/s, 5 s left"."""

    name: str
    done: int
    total: int | None
    amount: str
    pace: str
    note: str

    @property
    def facts(self) -> str:
        return ", ".join(filter(None, (self.amount, self.pace)))

    @property
    def brief(self) -> str:
        """The facts in fewer columns."""
        share = f"{words.percent(self.done, self.total)} %" if self.total else self.amount
        return ", ".join(filter(None, (share, self.pace)))


def fitted(rows: Sequence[Row], facts_wide: int, console: Any, options: Any) -> Iterator[Any]:
    """Renderables of the lines that show ``rows`` in the room that ``options`` give.

    Args:
        facts_wide: columns to keep for the facts, so that bars do not change their length.
    """
    page = _Page(console, options, facts_wide)
    height = max(1, options.size.height - 1)
    lines: list[list[Any]] = []
    for style in (page.whole, page.short_notes, page.one_line):
        lines = [line for row in rows for line in style(row, rows)]
        if len(lines) <= height:
            break
    if len(lines) > height:
        shown = height - 1
        rest = f"and {len(rows) - shown} more"
        lines = [*lines[:shown], [page.text(rest, page.width)]]
    for line in lines:
        yield from line
        yield page.end


class _Page:
    """The room there is, and how one bar is put into it."""

    def __init__(self, console: Any, options: Any, facts_wide: int) -> None:
        from rich.cells import cell_len
        from rich.segment import Segment

        self.width = max(1, options.max_width - _MARGIN)
        self.end = Segment.line()
        self._console, self._options = console, options
        self._facts_wide = facts_wide
        self._wide = cell_len
        dots = "..." if options.ascii_only or options.legacy_windows else "…"
        self._shorten = partial(words.shorten, dots=dots, wide=cell_len)

    def whole(self, row: Row, rows: Sequence[Row]) -> Iterator[list[Any]]:
        yield from self._bar_lines(row, rows)
        for line in textwrap.wrap(row.note, max(1, self.width - _INDENT)):
            yield [self.text(" " * _INDENT + line, self.width, "yellow")]

    def short_notes(self, row: Row, rows: Sequence[Row]) -> Iterator[list[Any]]:
        yield from self._bar_lines(row, rows)
        if row.note:
            room = max(1, self.width - _INDENT)
            yield [self.text(" " * _INDENT + self._shorten(row.note, room), self.width, "yellow")]

    def one_line(self, row: Row, rows: Sequence[Row]) -> Iterator[list[Any]]:
        """What is waited for, or else the facts, beside the name."""
        told = row.note or row.brief
        name = self._shorten(row.name, max(self.width // 3, self.width - self._wide(told) - 2))
        told = self._shorten(told, max(0, self.width - self._wide(name) - 2))
        yield [self.text(name, self.width), self.text(f"  {told}", self.width, "yellow")]

    def _bar_lines(self, row: Row, rows: Sequence[Row]) -> Iterator[list[Any]]:
        if self.width < _ONE_LINE:
            yield from self._two_lines(row)
            return
        names = max(self._wide(other.name) for other in rows)
        name = min(names, self.width // 3)
        room = self.width - name - 2
        facts = row.facts if self._wide(row.facts) <= room else row.brief
        bar = room - min(room, max(self._facts_wide, self._wide(facts))) - 2
        yield [
            self.text(self._shorten(row.name, name), name, pad=True),
            self.text("  ", 2),
            *self._bar(row, bar),
            self.text(facts, room),
        ]

    def _two_lines(self, row: Row) -> Iterator[list[Any]]:
        room = max(self.width // 3, self.width - self._wide(row.amount) - 2)
        name = self._shorten(row.name, room)
        amount = f"  {row.amount}" if row.amount else ""
        yield [self.text(f"{name}{amount}", self.width)]
        bar = self.width - _INDENT - self._wide(row.pace) - 2
        yield [
            self.text(" " * _INDENT, self.width),
            *self._bar(row, bar),
            self.text(row.pace, max(0, self.width - _INDENT)),
        ]

    def _bar(self, row: Row, width: int) -> Iterator[Any]:
        """The bar and two blanks, nothing where there is no room for one."""
        from rich.progress_bar import ProgressBar

        if width >= _LEAST_BAR:
            wide = min(_BAR, width)
            drawn = ProgressBar(total=row.total, completed=row.done, width=wide)
            options = self._options.update_width(wide)
            lines = self._console.render_lines(drawn, options, pad=True)
            yield from lines[0] if lines else [self.text("", wide, pad=True)]  # nothing, no colour
            yield self.text("  ", 2)

    def text(self, text: str, width: int, style: str = "", pad: bool = False) -> Any:
        from rich.text import Text

        shown = Text(text, style=style, end="")
        shown.truncate(max(0, width), overflow="crop", pad=pad)
        return shown
