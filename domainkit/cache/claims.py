"""Who brings which pieces of a file: each is one connection's at a time.

Runs of pieces are long at first and short towards the end ("guided self-scheduling",
Polychronopoulos and Kuck 1987), so that all connections end at about the same time.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from domainkit.cache.partial import Partial

__all__ = ["Claims", "Run"]

_LONGEST_RUN = 64 << 20  # bytes asked for at once


@dataclass(frozen=True)
class Run:
    """Pieces ``first`` to ``last``, that one included, to be brought by one connection."""

    first: int
    last: int


class Claims:
    """The pieces of a partial file that somebody is at; ``changed`` tells of those given back."""

    def __init__(self, partial: Partial, jobs: int, piece: int) -> None:
        self.changed = threading.Condition()
        self._partial, self._jobs, self._piece = partial, jobs, piece
        self._claimed: set[int] = set()

    def free(self) -> list[int]:
        """The pieces that are not full and nobody's."""
        with self.changed:
            partial = self._partial
            return [
                i for i in range(partial.pieces) if i not in self._claimed and not partial.full(i)
            ]

    def claim(self, only: int | None = None, after: int | None = None) -> Run | None:
        """The next free pieces, ``only`` so many; or those right ``after`` one.

        For those the bytes come already, from the beginning of the piece: it must be free and
        empty.
        """
        with self.changed:
            free = [i for i in self.free() if after is None or i > after]
            if not free:
                return None
            if after is not None and (free[0] != after + 1 or self._partial.begun(free[0])):
                return None
            longest = len(free) if self._jobs == 1 else max(1, len(free) // (2 * self._jobs))
            longest = only or min(longest, max(1, _LONGEST_RUN // self._piece))
            last = free[0]
            for index in free[1:longest]:
                # one that has bytes already begins a run of its own
                if index != last + 1 or self._partial.begun(index):
                    break
                last = index
            self._claimed.update(range(free[0], last + 1))
            return Run(free[0], last)

    def release(self, run: Run) -> None:
        with self.changed:
            self._claimed.difference_update(range(run.first, run.last + 1))
            self.tell()

    def tell(self) -> None:
        """Wakes who waits for a change."""
        with self.changed:
            self.changed.notify_all()

    def clear(self) -> None:
        with self.changed:
            self._claimed.clear()
