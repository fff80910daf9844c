"""How fast work goes right now, not on average since it began."""

from __future__ import annotations

from collections import deque

__all__ = ["Speed"]

_WINDOW = 4.0  # seconds looked back
_STEPS = 4  # further back where fewer steps than these fit in, as with batches of many seconds
_STALLED = 3.0  # so many times the usual time between two steps without one is a stall


class Speed:
    """Units per second over the last few seconds, told from counts looked at now and then.

    Example:
        >>> speed = Speed(0.0)
        >>> for second in range(1, 11):
        ...     speed.mark(second, 100 * second)
        >>> speed.per_second(10), speed.per_second(15)
        (100.0, 0.0)
    """

    def __init__(self, now: float) -> None:
        self._marks: deque[tuple[float, int]] = deque([(now, 0)])

    def mark(self, now: float, count: int) -> None:
        """At ``now`` so many units were done in all."""
        if count != self._marks[-1][1]:
            self._marks.append((now, count))
        while len(self._marks) > _STEPS and self._marks[1][0] <= now - _WINDOW:
            self._marks.popleft()

    def per_second(self, now: float) -> float:
        """0 where nothing has come for a while."""
        first, before = self._marks[0]
        last, count = self._marks[-1]
        usual = (last - first) / max(1, len(self._marks) - 1)
        idle = now - last
        if idle > max(_WINDOW, _STALLED * usual):
            return 0.0
        # within the usual time to the next step nothing is late yet
        seconds = last - first + max(0.0, idle - usual)
        return (count - before) / seconds if seconds > 0 else 0.0
