"""Amounts, speeds, durations and names as a person reads them."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["amount", "clean", "duration", "percent", "rate", "shorten"]

_SCALES = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def amount(done: int, total: int | None, unit: str) -> str:
    """
    Example:
        >>> amount(12_000_000, 26_421_880, "B"), amount(519, None, "B"), amount(1200, 6000, "rows")
        ('12.0/26.4 MB', '519 B', '1,200/6,000 rows')
    """
    if unit != "B":
        return f"{done:,}/{total:,} {unit}" if total else f"{done:,} {unit}"
    largest = max(done, total or 0)
    scale, word = next((pair for pair in _SCALES if largest >= pair[0]), (1, "B"))
    digits = 0 if scale == 1 else 1
    shown = f"{done / scale:.{digits}f}"
    return f"{shown}/{total / scale:.{digits}f} {word}" if total else f"{shown} {word}"


def rate(per_second: float, unit: str) -> str:
    """
    Example:
        >>> rate(3_140_000, "B"), rate(0, "B"), rate(921.4, "rows"), rate(0.4217, "batches")
        ('3.1 MB/s', '0 B/s', '921 rows/s', '0.42 batches/s')
    """
    if unit != "B" and 0 < per_second < 10:
        return f"{per_second:.2g} {unit}/s"
    return f"{amount(round(per_second), None, unit)}/s"


def percent(done: int, total: int | None) -> int:
    """Whole per cent, from 0 to 100; 0 where no total is known.

    Example:
        >>> percent(599, 600), percent(700, 600), percent(5, None)
        (99, 100, 0)
    """
    return max(0, min(100, 100 * done // total)) if total else 0


def duration(seconds: float) -> str:
    """
    Example:
        >>> duration(5.2), duration(125), duration(7320)
        ('5 s', '2 min 05 s', '2 h 02 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def clean(text: str) -> str:
    """One line without control characters: names and reasons come from servers, too.

    Example:
        >>> clean("a\\n b\\x1b[2J")
        'a b?[2J'
    """
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def shorten(text: str, width: int, dots: str = "...", wide: Callable[[str], int] = len) -> str:
    """``text`` in at most ``width`` columns, without its middle where it is longer.

    Args:
        wide: the columns that a string takes.

    Example:
        >>> shorten("train-images-idx3-ubyte.gz", 16)
        'train-i...yte.gz'
    """
    if wide(text) <= width:
        return text
    room = width - wide(dots)
    if room < 2:
        return _head(text, max(0, width), wide)
    tail = _head(text[::-1], room // 2, wide)[::-1]
    return _head(text, room - wide(tail), wide) + dots + tail


def _head(text: str, width: int, wide: Callable[[str], int]) -> str:
    while wide(text) > width:
        text = text[:-1]
    return text
