"""Progress of long work: a bar on a terminal, a bar in a notebook, plain lines in a log.

Silent in a script unless asked: the command line calls ``enable()`` once, a notebook shows bars by
itself, and every function that works long takes ``progress=True`` or ``False`` for its own call.
The switch is the only state of this module and says nothing about what is computed. Any number of
bars may be open at once, in any threads.
"""

from __future__ import annotations

import html
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

__all__ = ["Progress", "bar", "enable", "enabled"]

_REDRAW_SECONDS = 0.1
_TENTH_SECONDS = 2.0  # a log gets no more than one line for a tenth in this time
_NOTE_SECONDS = 5.0  # a log gets no more than one line for a note in this time
_UNKNOWN_TOTAL_SECONDS = 30.0  # a log gets a line this often where no total is known
_switch: bool | None = None  # None: on in notebooks only
_rich_lock = threading.Lock()
_rich_shown: list[Any] = []  # the one live display that a terminal can hold, while bars are open
_rich_bars = 0


class Progress(Protocol):
    """What ``bar`` gives; all methods may be called from any thread."""

    def advance(self, n: int) -> None:
        """``n`` more units are done (negative where work has to start again)."""

    def note(self, text: str) -> None:
        """A few words beside the bar: the retry that is waited for, the current loss."""

    def set_total(self, total: int | None) -> None:
        """The total became known, or changed."""


def enable(on: bool | None = True) -> None:
    """Switches bars on or off for the process; None: back to on in notebooks only.

    Example:
        >>> enable(); enabled()
        True
        >>> enable(None)
    """
    global _switch  # noqa: PLW0603  # the process-wide switch that the module docstring names
    _switch = on


def enabled() -> bool:
    """Whether a bar opened now without an ``enabled=`` of its own would show."""
    return _in_notebook() if _switch is None else _switch


@contextmanager
def bar(
    name: str, total: int | None = None, unit: str = "rows", enabled: bool | None = None
) -> Iterator[Progress]:
    """A progress bar for the length of a ``with`` block.

    Args:
        name: what is being worked on, a few words.
        total: how many units there are, None where unknown.
        unit: "B" for bytes (shown as kB, MB, GB), else the plural of what is counted.
        enabled: show or not; None as ``enable`` has set for the process.

    Example:
        >>> with bar("prepare", total=3, unit="rows", enabled=False) as progress:
        ...     for _ in range(3):
        ...         progress.advance(1)
    """
    view = _open_view(name, total, unit, globals()["enabled"]() if enabled is None else enabled)
    whole = False
    try:
        yield view
        whole = True
    finally:
        view.close(whole)


def _open_view(name: str, total: int | None, unit: str, show: bool) -> _View:
    if not show:
        return _View(name, total, unit)
    if _in_notebook():
        return _NotebookView(name, total, unit)
    if sys.stderr.isatty():
        return _TerminalView(name, total, unit)
    return _LogView(name, total, unit)


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code (IPython on a terminal has none)."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


class _View:
    """Counts in silence; the other views draw from the same counts."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done, self.text = 0, ""
        self.start = self._drawn = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, n: int) -> None:
        with self._lock:
            self.done += n
            now = time.monotonic()
            due = now - self._drawn >= _REDRAW_SECONDS
            if due:
                self._drawn = now
                self.draw()

    def note(self, text: str) -> None:
        with self._lock:
            self.text = text
            self.draw()

    def set_total(self, total: int | None) -> None:
        with self._lock:
            self.total = total

    def draw(self) -> None:
        """Shows the counts as they are; called with the lock held."""

    def close(self, whole: bool) -> None:
        """The block has ended, ``whole`` or by an exception."""

    def describe(self) -> str:
        """``12.0/26.4 MB, 3.1 MB/s, 5 s left``, what is known of it."""
        seconds = time.monotonic() - self.start
        speed = self.done / seconds if seconds > 0 else 0.0
        parts = [_amount(self.done, self.total, self.unit)]
        if speed > 0 and seconds >= 1:
            parts.append(f"{_amount(round(speed), None, self.unit)}/s")
            if self.total and self.done < self.total:
                parts.append(f"{_duration((self.total - self.done) / speed)} left")
        return ", ".join(parts + [self.text] * bool(self.text))


class _LogView(_View):
    """A line on stderr for every tenth, if it took a while, and for the end; notes wait."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        super().__init__(name, total, unit)
        self._tenths = 0
        self._line_at = self.start
        self._said = ""

    def draw(self) -> None:
        tenths = min(10, 10 * self.done // self.total) if self.total else 0
        quiet = time.monotonic() - self._line_at
        noted = self.text not in ("", self._said) and quiet >= _NOTE_SECONDS
        tenth = tenths > self._tenths and quiet >= _TENTH_SECONDS  # short work gets its end only
        if tenth or noted or (not self.total and quiet >= _UNKNOWN_TOTAL_SECONDS):
            self._tenths = max(tenths, self._tenths)
            self._said = self.text
            self._write(f"{tenths}0 %, " if tenths else "")

    def close(self, whole: bool) -> None:
        with self._lock:
            state = "done in" if whole else "stopped after"
            self._write(f"{state} {_duration(time.monotonic() - self.start)}, ")

    def _write(self, lead: str) -> None:
        self._line_at = time.monotonic()
        sys.stderr.write(f"{self.name}: {lead}{self.describe()}\n")
        sys.stderr.flush()


class _TerminalView(_View):
    """One row of the display that all open bars share."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        global _rich_bars  # noqa: PLW0603  # one terminal, one display
        super().__init__(name, total, unit)
        with _rich_lock:
            if not _rich_shown:
                _rich_shown.append(_rich_display())
                _rich_shown[0].start()
            _rich_bars += 1
            self._display = _rich_shown[0]
            self._task = self._display.add_task(name, total=total, view=self)

    def draw(self) -> None:
        self._display.update(self._task, completed=self.done, total=self.total)

    def close(self, whole: bool) -> None:
        global _rich_bars  # noqa: PLW0603
        with self._lock:
            self.draw()
        with _rich_lock:
            self._display.stop_task(self._task)
            _rich_bars -= 1
            if _rich_bars == 0:
                _rich_shown.pop().stop()


def _rich_display() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.table import Column
    from rich.text import Text

    class Counts(ProgressColumn):
        max_refresh = 0.2

        def render(self, task: Task) -> Text:
            return Text(task.fields["view"].describe())

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        Counts(table_column=Column(no_wrap=True)),
        console=Console(stderr=True),
    )


class _NotebookView(_View):
    """An HTML bar in the cell's output; needs no widget library."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        from IPython.display import HTML, display

        super().__init__(name, total, unit)
        self._html = HTML
        self._handle = display(HTML(self._render()), display_id=True)

    def _render(self) -> str:
        state = f'value="{self.done}" max="{self.total}"' if self.total else ""
        text = html.escape(self.describe())
        return f"<div>{html.escape(self.name)} <progress {state}></progress> {text}</div>"

    def draw(self) -> None:
        self._handle.update(self._html(self._render()))

    def close(self, whole: bool) -> None:
        with self._lock:
            self.draw()


def _amount(done: int, total: int | None, unit: str) -> str:
    if unit != "B":
        return f"{done:,}/{total:,} {unit}" if total else f"{done:,} {unit}"
    largest = max(done, total or 0)
    scale, word = next(
        (pair for pair in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")) if largest >= pair[0]),
        (1, "B"),
    )
    digits = 0 if scale == 1 else 1
    shown = f"{done / scale:.{digits}f}"
    return f"{shown}/{total / scale:.{digits}f} {word}" if total else f"{shown} {word}"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
