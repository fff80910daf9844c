"""One file from one address: over one connection, or in parts over several side by side.

The first answer decides. Where it names its version for certain, tells its size and takes ranges,
a large file is cut into pieces, and whoever has a connection takes the next of them (``claims``).
Every part is asked for by the version it must belong to, and any sign of another one starts the
file again. More connections are opened only where one does not bring what ``Policy.enough`` says.

The calling thread never gives up before its helpers have (``helpers``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial as partial_function

from domainkit.cache.claims import Claims, Run
from domainkit.cache.helpers import REFUSALS, Helpers
from domainkit.cache.partial import ClosedError, Partial
from domainkit.cache.policy import Policy
from domainkit.cache.sources.base import Answer, BadRange, Changed, GiveUp, Retry, Source
from domainkit.cache.throttle import Watch
from domainkit.progress import Progress

__all__ = ["OutOfTimeError", "Transfer", "UnwantedError"]

_NAP = 0.25  # seconds; who waits while others work looks up this often


class OutOfTimeError(Exception):
    """The deadline of the fetch has passed."""


class UnwantedError(Exception):
    """Nobody wants the file any more."""


class Transfer:
    """Brings a partial file to its full length from one source.

    Args:
        size: bytes that the whole file must have, where known.
        promised: the caller can tell a wrong file from the right one.
        allowed: tries in a row without a new byte.
        until: when to end, on the policy's monotonic clock; None for never.
        unwanted: says whether the file is not wanted any more.
        parallel: several connections may be used.

    Attributes:
        framed: a cut transfer would have been noticed.
        page: the sender called it a web page.
        joined: the bytes came by several answers, not all of which proved that they fit together.
    """

    def __init__(
        self,
        source: Source,
        partial: Partial,
        policy: Policy,
        shown: Progress,
        *,
        size: int | None,
        promised: bool,
        allowed: int,
        until: float | None,
        unwanted: Callable[[], bool] | None = None,
        parallel: bool = True,
    ) -> None:
        self._source, self._partial, self._policy, self._shown = source, partial, policy, shown
        self._size, self._promised, self._allowed, self._until = size, promised, allowed, until
        self._parallel, self._ranges = parallel, True  # until the source mistreats them
        self._unwanted = unwanted
        self.framed, self.page, self.joined = True, False, False
        self._lead = threading.get_ident()
        self._slow = policy.enough == float("inf")  # one connection does not fill the line
        self._failures = 0  # in a row, without a new byte
        self._failed = False
        self._parts_refused = 0  # answers in a row that may refuse the part, not the file
        self._claims = Claims(partial, policy.jobs, policy.piece)
        bring = partial_function(self._bring, alone=False)
        self._helpers = Helpers(partial, self._claims, policy, bring)

    def run(self) -> None:
        """Returns when all bytes are there.

        Raises:
            GiveUp: this address will not give them; what came is kept.
            OutOfTimeError: no address can, in time.
            OSError: they cannot be written.
        """
        tries = 0
        try:
            while not self._attempt_with_patience():
                tries += self._failed
                if tries >= self._policy.attempts_in_all:
                    raise GiveUp(f"no end after {tries} attempts")
        except GiveUp:
            self._helpers.settle()  # the next address is to be alone with the file
            raise
        finally:
            self._helpers.stop = True

    def _attempt_with_patience(self) -> bool:
        """One attempt, and the wait after a failed one; whether everything is there now."""
        before, self._failed = self._partial.held, False
        try:
            try:
                whole = self._attempt()
                self._failures = 0
                return whole
            except (BadRange, Changed):
                raise
            except (Retry, GiveUp) as error:
                self._failed = True
                if self._partial.complete and not self._promised:
                    # trouble at the very end: the bytes are not to be trusted
                    self._helpers.settle()
                    self._partial.reset()
                grown = self._partial.resumable and self._partial.held > before
                self._failures = 1 if grown else self._failures + 1
                self._be_patient(error, self._failures)
        except (BadRange, Changed) as error:
            self._failed = True
            self._trust_less(error)
        return False

    def _attempt(self) -> bool:
        """Brings the next run of pieces; whether everything is there now."""
        if not self._can_go_on():
            with self._policy.connections.one(self._in_time):
                self._start()
        elif (run := self._claims.claim()) is not None:
            with self._policy.connections.one(self._in_time):
                self._bring(run, alone=not self._helpers.busy)
        else:
            self._await_helpers()
        if self._partial.complete:
            self._helpers.join()
            if isinstance(self._helpers.trouble, (BadRange, Changed)):
                raise self._helpers.trouble  # somebody's bytes are in doubt
            self._helpers.settle()
            return True
        if self._slow:
            self._recruit()
        return False

    def _can_go_on(self) -> bool:
        partial = self._partial
        same = partial.url == self._source.url
        # the promise tells in the end whether two addresses gave the same file
        movable = self._promised and partial.total is not None
        fits = self._size in (None, partial.total)
        begun = partial.resumable or partial.pieces > 1  # helpers may be at it before a byte came
        return self._ranges and begun and fits and (same or movable)

    def _start(self) -> None:
        """Takes the file from its beginning."""
        policy, large = self._policy, self._size is not None and self._size >= self._policy.large
        cut = self._parallel and large and policy.jobs > 1
        with self._source.open(0, min(policy.piece, self._size or 0) if cut else None) as answer:
            self._begin(answer)

    def _begin(self, answer: Answer) -> None:
        """Judges a first answer, lays the pieces out, and takes what it brings."""
        size, total, policy = self._size, answer.total, self._policy
        if size is not None and total not in (None, size):
            page = " and sends a web page (login, licence or quota?)" if answer.page else ""
            raise GiveUp(f"announces {total:,} bytes where {size:,} are expected{page}")
        self._check_frame(answer, size)
        self.framed, self.page, self.joined = answer.framed, answer.page, False
        total = size if total is None else total
        several = (
            self._parallel
            and policy.jobs > 1
            and answer.ranges
            and answer.validator is not None
            and total is not None
            and total >= policy.large
        )
        bounded = answer.stop is not None and answer.stop != total
        if bounded and not several:
            raise BadRange("sends a part without saying of what version")
        digest = None if self._promised else answer.digest
        piece = policy.piece if several else None
        self._partial.begin(self._source.url, answer.validator, total, piece, digest)
        self._claims.clear()
        run = self._claims.claim(only=1 if bounded else None) or Run(0, 0)
        try:
            if several and self._slow:
                self._recruit()
            self._receive(answer, run)
        finally:
            self._claims.release(run)

    def _check_frame(self, answer: Answer, size: int | None) -> None:
        """Refuses what would look whole where it is cut, and cannot be told from the right file."""
        if not answer.framed and size is None and not self._promised and answer.digest is None:
            raise GiveUp(
                "does not say how long the file is, so that a cut one would look whole. Give a "
                "digest or size"
            )

    def _bring(self, run: Run, alone: bool) -> None:
        """Asks for a run of pieces and takes them."""
        partial, held = self._partial, True
        try:
            start, stop = partial.span(run.first)[0], partial.span(run.last)[1]
            moving = partial.url != self._source.url
            version = None if moving else partial.validator
            last = stop if partial.pieces > 1 else None
            with self._source.open(start, last, version) as answer:
                same = moving or answer.validator == partial.validator
                if answer.validator is None and self._promised:
                    same = self.joined = True  # it does not say; the digest will
                fits = answer.total in (None, partial.total) or partial.total is None
                whole = answer.start == 0 != start
                if whole and same and fits and not moving:
                    if partial.pieces > 1:
                        raise BadRange("answers a part with the whole file")
                    self._check_frame(answer, partial.total)
                    self.framed = self.framed and answer.framed
                    answer.skip(start)  # ranges are ignored; this goes on with what is there
                elif whole and alone:
                    self._claims.release(run)
                    held = False
                    self._begin(answer)  # the file has changed, or is another's
                    return
                elif answer.start != start or not same or not fits:
                    raise Changed("has changed")
                if partial.total is None and answer.total is not None:
                    partial.know(answer.total)
                if partial.total is None and answer.stop is not None:
                    raise BadRange("sends a part without saying how much there is in all")
                if moving:
                    partial.moved(self._source.url, answer.validator)
                self._receive(answer, run)
        finally:
            if held:
                self._claims.release(run)

    def _receive(self, answer: Answer, run: Run) -> None:
        """Writes what comes to where it belongs; notices too much and too little."""
        partial, index, last, at = self._partial, run.first, run.last, answer.start
        leads = threading.get_ident() == self._lead
        watch = Watch(self._policy.enough, self._policy.monotonic) if leads else None
        added: list[Run] = []  # what a whole answer brings beyond its run, while nobody is at it
        try:
            for chunk in answer.chunks:
                data = chunk
                if self._helpers.stop:
                    raise ClosedError
                if self._policy.throttle is not None:
                    self._policy.throttle.take(len(data), unless=self._over)
                while data:
                    start, stop = partial.span(index)
                    if start != stop:
                        room = len(data) if stop is None else stop - start
                        partial.write(index, data[:room], at)
                        at += len(data[:room])
                        data = data[room:]
                    elif index < last:
                        index += 1
                    elif index < partial.pieces - 1 and answer.stop is None:
                        following = self._claims.claim(after=index)
                        if following is None:
                            return  # the rest is others' work
                        added.append(following)
                        last = following.last
                    else:
                        raise self._too_much()
                self._helpers.raise_trouble()
                self._in_time()
                if watch is not None and watch.slow(len(chunk)):
                    self._slow = True
                    self._recruit()
        finally:
            for extra in added:
                self._claims.release(extra)
        if partial.total is None:
            partial.know(partial.held)
        elif not all(partial.full(i) for i in range(run.first, last + 1)):
            raise Retry(f"connection ended after {partial.held:,} of {partial.total:,} bytes")

    def _too_much(self) -> Exception:
        """What to raise where more comes than the file, or the part that was asked for, has."""
        if self._partial.pieces > 1:
            return Changed("sends too much")
        why = f"sends more than the {self._partial.total:,} bytes expected"
        self._partial.reset()
        return GiveUp(why)

    def _trust_less(self, error: Exception) -> None:
        """Goes on over one connection; the next time from nothing, without ranges."""
        self._helpers.settle()
        if not self._ranges:
            self._partial.reset()
            raise GiveUp(f"{error} (again and again)") from error
        if isinstance(error, BadRange) and self._parallel and self._partial.resumable:
            self._parallel = False  # what is there was of this version; the answer was odd
            return
        self._ranges = self._parallel and not isinstance(error, BadRange)
        self._parallel = False
        self._partial.reset()

    def _recruit(self) -> None:
        if self._parallel:
            self._helpers.recruit()

    def _await_helpers(self) -> None:
        self._helpers.wait()
        self._in_time()

    def _be_patient(self, error: Retry | GiveUp, failures: int) -> None:
        """Waits before the next try; raises GiveUp where there is to be none."""
        retry = isinstance(error, Retry)
        self._parts_refused = self._parts_refused + 1 if error.part else 0
        final = not retry or failures >= self._allowed
        while final and self._helpers.busy:
            self._await_helpers()
        if final and self._partial.complete:
            return
        if final and self._ranges and self._parts_refused >= (REFUSALS if retry else 1):
            # perhaps parts alone are refused: what is there stays until the whole comes
            self._helpers.settle()
            self._parallel = self._ranges = False
            self._failures = self._allowed - 1
            return
        if isinstance(error, GiveUp):
            raise error
        if final:
            raise GiveUp(f"{error} ({failures} attempts)") from error
        if error.at_once:
            return
        wait = self._policy.wait(failures, error.after)
        self._in_time(wait)
        self._shown.note(f"{error} ({failures} of {self._allowed}); trying again in {wait:.1f} s")
        self._pause(wait)
        self._shown.note("")

    def _pause(self, wait: float) -> None:
        while wait > 0:
            nap = min(wait, _NAP) if self._helpers.busy or self._unwanted else wait
            self._policy.sleep(nap)
            wait -= nap
            self._in_time()
            if self._partial.complete:
                return

    def _over(self) -> bool:
        late = self._until is not None and self._policy.monotonic() > self._until
        return self._helpers.stop or late or (self._unwanted is not None and self._unwanted())

    def _in_time(self, wait: float = 0.0) -> None:
        if self._until is not None and self._policy.monotonic() + wait > self._until:
            raise OutOfTimeError
        if self._unwanted is not None and self._unwanted():
            raise UnwantedError
