"""More connections for one file: threads that bring runs of its pieces beside the calling thread.

They never wait and never try again: on trouble they leave their work to the calling thread, which
meets the same trouble or does the work. A source that refuses them is not asked again and again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from domainkit.cache.claims import Claims, Run
from domainkit.cache.partial import ClosedError, Partial
from domainkit.cache.policy import Policy
from domainkit.cache.sources.base import BadRange, Changed, GiveUp, Retry

__all__ = ["REFUSALS", "Helpers"]

REFUSALS = 3  # in a row, after which more connections, or parts, are no more asked for
_NAP = 0.25  # seconds; who waits while others work looks up this often


class Helpers:
    """The threads of one transfer.

    Args:
        bring: brings a run of pieces.

    Attributes:
        stop: they are to end, and so is whoever writes.
        trouble: what one of them met and everybody must know.
    """

    def __init__(
        self, partial: Partial, claims: Claims, policy: Policy, bring: Callable[[Run], None]
    ) -> None:
        self._partial, self._claims, self._policy, self._bring = partial, claims, policy, bring
        self._threads: list[threading.Thread] = []
        self._refused = 0  # runs in a row of which no byte came
        self._rest_until = float("-inf")  # until then no more are started
        self.stop = False
        self.trouble: BaseException | None = None

    @property
    def busy(self) -> bool:
        """Whether any of them is at work."""
        return any(thread.is_alive() for thread in self._threads)

    def recruit(self) -> None:
        """Starts as many as there are connections that nobody else has use for."""
        self.raise_trouble()
        if self._refused >= REFUSALS or self._policy.monotonic() < self._rest_until:
            return
        with self._claims.changed:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            if self._partial.pieces < 2:
                return
            missing = len(self._claims.free())
            for _ in range(min(self._policy.jobs - 1 - len(self._threads), missing)):
                if not self._policy.connections.spare():
                    return
                thread = threading.Thread(target=self._work, daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the system gives no more threads
                    self._policy.connections.release()
                    return
                self._threads.append(thread)

    def wait(self) -> None:
        """Waits until one of them has left, or left work."""
        with self._claims.changed:
            if self.busy:
                self._claims.changed.wait(_NAP)
        self.raise_trouble()

    def join(self) -> None:
        """Ends them."""
        self.stop = True
        for thread in self._threads:
            thread.join()

    def settle(self) -> None:
        """Ends them; afterwards the calling thread is alone with the file."""
        self.join()
        self._threads.clear()
        self._claims.clear()
        self.stop, self.trouble = False, None

    def raise_trouble(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def _work(self) -> None:
        """Brings runs of pieces until none is left, or until there is trouble."""
        run, missing = None, 0
        try:
            while not (self.stop or self.trouble or self._policy.connections.wanted):
                run = self._claims.claim()
                if run is None:
                    return
                missing = self._missing(run)
                self._bring(run)
                self._refused = 0
        except ClosedError:
            pass
        except (BadRange, Changed) as error:
            self.trouble = error
        except (Retry, GiveUp) as error:
            if run is not None and self._missing(run) == missing:
                self._refused += 1
                after = error.after if isinstance(error, Retry) else None
                wait = self._policy.wait(self._refused, after)
                self._rest_until = self._policy.monotonic() + wait
        except BaseException as error:
            self.trouble = error
        finally:
            self._policy.connections.release()
            self._claims.tell()

    def _missing(self, run: Run) -> int:
        """Bytes of a run that are not there, of a file of known size."""
        spans = (self._partial.span(index) for index in range(run.first, run.last + 1))
        return sum((stop or 0) - start for start, stop in spans)
