"""Progress of long work: bars on a terminal or in a notebook, lines in a log, JSON for machines.

Silent in a script unless asked: call ``enable()`` once, as the command line does. A notebook shows
bars by itself. ``cache.fetch`` and others take ``progress=True`` or ``False`` for their own call.
The switch is the only state of this module and says nothing about what is computed. Any number of
bars may be open at once, in any threads, one inside another.

Everything goes to stderr (a notebook's bars to its cell), so that stdout holds results alone:

- a terminal: bars with speed, time left and name; a line is left of each that came to its end
- a log, a pipe, ``TERM=dumb``: a line for every 10 %, every 30 s where no total is known
- a notebook: one bar for each piece of work, in the cell that does it
- ``enable(json=True)``, which is ``--json`` on the command line: one JSON object a line
  (``domainkit.progress.machine`` says what is in it)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from domainkit.progress.counts import Counts

__all__ = ["Progress", "bar", "close_all", "enable", "enabled"]

_switch: bool | None = None  # None: on in notebooks only
_json = False


class Progress(Protocol):
    """What ``bar`` gives; all methods may be called from any thread, and none waits for output."""

    def advance(self, n: int, fresh: bool = True) -> None:
        """``n`` more units are done (negative where work has to start again).

        Args:
            fresh: False for what was there already, like the bytes of an earlier run: it is done,
                and tells nothing about the speed.
        """

    def note(self, text: str) -> None:
        """What is waited for, shown at once: ``"busy (503); trying again in 4 s"``; "" ends it."""

    def set_total(self, total: int | None) -> None:
        """The total became known, or changed."""


def enable(on: bool | None = True, *, json: bool = False) -> None:
    """Switches bars on or off for the process; None: back to on in notebooks only.

    Args:
        json: where bars are on, write them as one JSON object a line, wherever stderr leads.

    Example:
        >>> enable(); enabled()
        True
        >>> enable(None)
    """
    global _json, _switch  # the process-wide switch that the module docstring names
    _switch, _json = on, json


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
    show = globals()["enabled"]() if enabled is None else enabled
    counts = _kind(show)(name, total, unit)
    whole = False
    try:
        counts.open()
        yield counts
        whole = True
    finally:
        counts.close(whole)


def close_all() -> None:
    """Ends every open bar as stopped: the process is about to leave without unwinding its threads.

    Example:
        >>> close_all()
    """
    if "domainkit.progress.ticker" in sys.modules:  # else no bar was ever shown
        from domainkit.progress.ticker import ticker

        ticker().close_all()


def _kind(show: bool) -> type[Counts]:
    """Who shows a bar: each way is imported when it is used."""
    if not show or sys.stderr is None:  # a windowed Python has no stderr
        from domainkit.progress.counts import Counts

        return Counts
    if _json:
        from domainkit.progress.machine import MachineView

        return MachineView
    if _in_notebook():
        from domainkit.progress.notebook import NotebookView

        return NotebookView
    # where bars are open on a terminal already, rich stands in for sys.stderr
    stream = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
    if stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown"):
        from domainkit.progress.terminal import TerminalView

        return TerminalView
    from domainkit.progress.log import LogView

    return LogView


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code (IPython on a terminal has none)."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None
