"""Progress on a terminal: all open bars below each other, at the end of what was printed.

A bar that comes to its end leaves one line above those that are still open; one that is stopped
leaves nothing. The cursor is never hidden, so that a process that is killed leaves it as it was.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from domainkit.progress.rows import Row, fitted
from domainkit.progress.ticker import ticker
from domainkit.progress.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions
    from rich.live import Live

__all__ = ["Board", "TerminalView", "board"]


class TerminalView(View):
    """One bar of the board."""

    def open(self) -> None:
        board().add(self)

    def close(self, whole: bool) -> None:
        self.look()
        told = whole and self.counting  # the end of a wait is nothing to keep
        board().remove(self, f"{self.label}: {self.outcome(whole)}" if told else "")

    def row(self) -> Row:
        return Row(
            name=self.label,
            done=self.done,
            total=self.total,
            amount=self.amount(),
            pace=", ".join(filter(None, (self.speed(), self.left()))),
            note=self.remark,
        )


class Board:
    """The part of a terminal that is drawn again and again; there is one for a process.

    Everything is drawn with the lock held, by the ticker's thread or by whoever opens or closes a
    bar. A terminal that went away is no reason to stop the work: from then on nothing is drawn.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._views: tuple[TerminalView, ...] = ()
        self._live: Live | None = None
        self._facts_wide = 0

    def add(self, view: TerminalView) -> None:
        with self._lock:
            self._views = (*self._views, view)
            if self._live is None:
                self._facts_wide = 0
                self._live = live = _live(self)
                ticker().add(self)
                self._attempt(live.start)
            if self._live is not None:
                self._attempt(self._live.refresh)

    def remove(self, view: TerminalView, outcome: str) -> None:
        """Takes a bar off, and prints a line in its stead where ``outcome`` is not empty."""
        with self._lock:
            if view not in self._views or self._live is None:
                return  # all bars were closed before
            live = self._live
            if len(self._views) == 1:
                self.close()
                self._attempt(_print, live.console, outcome)
                return
            self._views = tuple(other for other in self._views if other is not view)
            self._attempt(_print, live.console, outcome)
            self._attempt(live.refresh)

    def tick(self) -> None:
        with self._lock:
            if self._live is not None:
                for view in self._views:
                    view.look()
                self._attempt(self._live.refresh)

    def close(self, whole: bool = False) -> None:
        """Wipes all bars off the terminal."""
        with self._lock:
            live, self._live, self._views = self._live, None, ()
            if live is not None:
                ticker().remove(self)
                with suppress(Exception):
                    live.stop()

    def _attempt(self, show: Any, *args: Any) -> None:
        try:
            show(*args)
        except Exception:
            self.close()  # stdout and stderr get back what they were

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        rows = [view.row() for view in self._views]
        self._facts_wide = max([self._facts_wide, *(len(row.facts) for row in rows)])
        yield from fitted(rows, self._facts_wide, console, options)


def _print(console: Console, text: str) -> None:
    if text:
        console.print(text, markup=False, highlight=False, soft_wrap=False)


def _live(shown: Board) -> Live:
    from rich.console import Console
    from rich.live import Live

    class Terminal(Console):
        def show_cursor(self, show: bool = True) -> bool:
            return False

    console = Terminal(
        stderr=True,
        force_terminal=True,
        force_interactive=True,
        force_jupyter=False,
        soft_wrap=True,  # a long line that is printed meanwhile stays one line
    )
    return Live(
        shown,
        console=console,
        auto_refresh=False,
        transient=True,
        vertical_overflow="crop",
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),  # else it leads elsewhere
    )


_boards: dict[int, Board] = {}


def board() -> Board:
    """That of this process: a forked child has none of its parent's bars."""
    return _boards.setdefault(os.getpid(), Board())
