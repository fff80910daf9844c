"""Printing: plain lines that read well at 80 columns, in a log and through a pipe.

Nothing is ever cut short: a long name makes a long line. Colour only on a terminal, and never
where NO_COLOR is set (https://no-color.org).
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import typer

__all__ = ["complain", "document", "fields", "line", "paint", "plural", "size", "table", "wrapped"]


def line(text: str = "") -> None:
    """One line on stdout."""
    typer.echo(text, color=_colour())


def complain(text: str) -> None:
    """An error on stderr, in red on a terminal."""
    typer.secho(text, fg="red", err=True, color=_colour())


def paint(text: str, colour: str) -> str:
    """``text`` in a colour (or "bold"); ``line`` takes it out again where none can be shown."""
    return typer.style(text, bold=True) if colour == "bold" else typer.style(text, fg=colour)


def document(value: Any) -> None:
    """One JSON document on stdout."""
    import json

    typer.echo(json.dumps(value, indent=2))


def wrapped(lead: str, text: str, painted: str = "") -> None:
    """A text beside ``lead``, wrapped so that it stays beside it; ``painted`` is shown for it."""
    filled = textwrap.fill(
        text,
        width=_width(),
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )
    line((painted or lead) + filled[len(lead) :])


def fields(rows: Iterable[tuple[str, str]], indent: int = 0) -> None:
    """Names and values below each other; what has no value is left out."""
    rows = [row for row in rows if row[1]]
    wide = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        wrapped(" " * indent + name.ljust(wide) + "  ", value)


def table(rows: Iterable[Sequence[str]], indent: int = 2, right: Sequence[int] = ()) -> None:
    """Rows in aligned columns; those numbered in ``right`` are aligned to the right."""
    rows = [list(row) for row in rows]
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(w) if i in right else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(row, wide, strict=True))
        ]
        line((" " * indent + "  ".join(cells)).rstrip())


def size(count: int) -> str:
    """Bytes as a person reads them, in powers of ten.

    Example:
        >>> size(26_421_880), size(519)
        ('26.4 MB', '519 B')
    """
    for scale, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 row``, ``60,000 rows``.

    Example:
        >>> plural(1, "row"), plural(60_000, "row"), plural(2, "class", "classes")
        ('1 row', '60,000 rows', '2 classes')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _width() -> int:
    if not sys.stdout.isatty():
        return 80
    return min(100, shutil.get_terminal_size((80, 24)).columns)


def _colour() -> bool | None:
    return False if os.environ.get("NO_COLOR") else None
