"""The small language of ``split=``: ``"train"``, ``"train[:10%]"``, ``"train[100:200]+test"``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from domainkit.errors import NotFoundError

__all__ = ["SplitPart", "parse_split"]

PART = re.compile(
    r"(?P<name>[\w.-]+)(?:\[(?P<start>-?\d+%?)?(?P<colon>:)(?P<stop>-?\d+%?)?\])?", re.ASCII
)


@dataclass(frozen=True)
class SplitPart:
    """One term: a split's name and a half-open range, each end in rows, per cent or None."""

    name: str
    start: str | None = None
    stop: str | None = None

    def rows(self, total: int) -> range:
        """The rows this part means in a split of ``total`` rows."""
        return range(total)[slice(_row(self.start, total), _row(self.stop, total))]


def parse_split(text: str) -> list[SplitPart]:
    """Parse a split expression.

    Per cents are rounded down to whole rows, so ``[:10%]`` and ``[10%:]`` never overlap.

    Raises:
        NotFoundError: the text is not a split expression.

    Example:
        >>> [part.rows(1000) for part in parse_split("train[:10%]+test[5:]")]
        [range(0, 100), range(5, 1000)]
    """
    parts = []
    for term in text.split("+"):
        match = PART.fullmatch(term.strip())
        if match is None:
            raise NotFoundError(
                f"{term.strip()!r} is not a split: write a name with an optional range, such as "
                "'train', 'train[:10%]' or 'train[100:200]', joined by '+'"
            )
        parts.append(SplitPart(match["name"], match["start"], match["stop"]))
    return parts


def _row(end: str | None, total: int) -> int | None:
    if end is None:
        return None
    if end.endswith("%"):
        percent = int(end[:-1])
        # a negative end counts from the last row, but not past the first
        return percent * total // 100 if percent >= 0 else max(0, total - -percent * total // 100)
    return int(end)
