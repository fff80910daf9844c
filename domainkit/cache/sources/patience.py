"""An end to calls of libraries that know no time limit, or not ours.

What does not come back in time is left alone in a thread of its own, which ends with its call or
with the process. A fetch tries a few times in a row, so that there are never many.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from domainkit.cache.sources.base import Retry

__all__ = ["SLOWEST", "Patience"]

SLOWEST = 32 << 10  # bytes per second of a line that is still waited for
_AT_ONCE = 2 << 20  # bytes that one call may bring
_GOODBYE = 1.0  # seconds
T = TypeVar("T")


class Patience:
    """How long a call may take.

    Args:
        silence: seconds without a byte, as for other sources. A call brings up to 2 MiB before it
            comes back; it is given the time that these take at ``SLOWEST`` on top. None: for ever.
        left: seconds until the whole fetch has to be over.

    Example:
        >>> Patience(1.0).over(lambda: 7)
        7
    """

    def __init__(
        self, silence: float | None = None, left: Callable[[], float] = lambda: float("inf")
    ) -> None:
        self._silence, self._left = silence, left

    def over(self, call: Callable[[], T]) -> T:
        """What ``call`` returns or raises.

        Raises:
            Retry: it did neither in time.
        """
        if self._silence is None:
            return call()
        wait = max(0.0, min(self._silence + _AT_ONCE / SLOWEST, self._left()))
        done: Future[T] = Future()

        def work() -> None:
            try:
                done.set_result(call())
            except BaseException as error:
                done.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        try:
            return done.result(min(wait, threading.TIMEOUT_MAX))
        except TimeoutError:
            if done.done():  # its own
                raise
            raise Retry(f"sends nothing for {wait:.0f} s") from None

    def part(self, goodbye: Callable[[], object]) -> None:
        """Calls ``goodbye``, whose outcome is nobody's concern; a long one is left alone."""

        def work() -> None:
            with suppress(Exception):
                goodbye()

        if self._silence is None:
            work()
            return
        leaving = threading.Thread(target=work, daemon=True)
        leaving.start()
        leaving.join(_GOODBYE)
