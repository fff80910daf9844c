"""Which row a span is drawn in: a row per thread, and another where spans of one thread overlap.

A viewer nests spans of one row in each other. Two that overlap without one holding the other, as
two loops in one thread leave them, would be drawn wrongly or dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from domainkit.loader.recorder import Span
from domainkit.loader.stats import CONSUMER

__all__ = ["Lane", "lanes"]


@dataclass(frozen=True)
class Lane:
    """A row: its name, and its spans by start, each with how many others hold it."""

    name: str
    spans: tuple[tuple[Span, int], ...]


def lanes(spans: Iterable[Span]) -> list[Lane]:
    """The rows of spans: threads that wait and step first, then the others by name.

    Example:
        >>> outer, inner = Span("wait", "main", 0, 9, 1, 0), Span("read", "main", 2, 4, 1, 0)
        >>> [(lane.name, [depth for _, depth in lane.spans]) for lane in lanes([inner, outer])]
        [('main', [0, 1])]
    """
    threads: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda s: (s.start_ns, -s.end_ns)):
        threads.setdefault(span.thread, []).append(span)
    consumers = {s.thread for found in threads.values() for s in found if s.stage in CONSUMER}
    rows = []
    for name in sorted(threads, key=lambda name: (name not in consumers, _natural(name))):
        for number, row in enumerate(_nested(threads[name]), 1):
            told = name
            while number > 1 and told in threads:  # a thread may have the name of a second row
                told = f"{name} ({number})" if told == name else f"{told}'"
            rows.append(Lane(told, tuple(row)))
    return rows


def _nested(spans: list[Span]) -> list[list[tuple[Span, int]]]:
    rows: list[list[tuple[Span, int]]] = []
    open_ends: list[list[int]] = []  # per row: the ends of the spans that hold the present moment
    for span in spans:
        for row, ends in zip(rows, open_ends, strict=True):
            while ends and ends[-1] <= span.start_ns:
                ends.pop()
            if not ends or span.end_ns <= ends[-1]:
                row.append((span, len(ends)))
                ends.append(span.end_ns)
                break
        else:
            rows.append([(span, 0)])
            open_ends.append([span.end_ns])
    return rows


def _natural(name: str) -> tuple[str, int]:
    head = name.rstrip("0123456789")
    return head, int(name[len(head) :] or 0)
