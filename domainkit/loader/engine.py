"""``Run``: one epoch's batches, made by a pool's threads and given out in order.

A batch is one job: some thread opens it (rows, sizes), all that are free share its decoding, and
the one that decodes the last sample finishes it. Jobs of earlier batches go first, and a thread
turns to them between two samples of a later one, so the first batch is there soonest.

Two limits hold the run back: batches under way, and bytes of batches that nobody has taken yet. A
job that has learnt its size waits there until the bytes fit; the next batch to be given out never
waits, so one that is larger than the limit comes alone.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Protocol

from domainkit.errors import StateError
from domainkit.loader.maker import Made, Maker, Open
from domainkit.loader.pool import Pool
from domainkit.loader.steps import Step

__all__ = ["Run", "Worker"]

GONE = (
    "this iterator's threads are gone: it belongs to the parent of this process, or its loader was "
    "closed; make a new one"
)


class Worker(Protocol):
    """Makes whole batches elsewhere (a process); a thread of the pool waits for each."""

    def whole(self, maker: Maker, step: Step) -> Made: ...


class Run:
    """An iterable of (step, batch) in the order of ``steps``, which is set before it is iterated.

    ``close`` drops what is not being worked on and waits for what is: a user's transform never runs
    after a loop that was left.
    """

    def __init__(
        self,
        pool: Pool,
        maker: Maker,
        *,
        batches: int,
        nbytes: int,
        worker: Worker | None = None,
    ) -> None:
        self.pool, self.maker, self.worker = pool, maker, worker
        self.steps: Iterator[Step] = iter(())
        self._batches = batches
        self._jobs: deque[_Job] = deque()
        self._room = _Room(nbytes)
        self._busy = 0
        self._idle = threading.Condition()
        self.closed = False
        pool.users.add(self)

    def __iter__(self) -> Iterator[tuple[Step, Made]]:
        try:
            self._top_up()
            while self._jobs:
                job = self._jobs[0]
                if not self.pool.alive:
                    raise StateError(GONE)
                made = job.done.result()
                self._jobs.popleft()
                self._room.leave(job)
                self._top_up()  # before the loop's body runs, so that nobody is idle meanwhile
                yield job.step, made
                del job, made  # or they would live as long as the loop's next body
        finally:
            self.close()

    def close(self) -> None:
        """Stop; also called at the end, on an error, on ``break`` and by the garbage collector."""
        self.closed = True
        for job in self._jobs:
            job.done.cancel()
        self._jobs.clear()
        self._room.clear()
        if self.pool.alive and not self.pool.owns_this_thread():
            with self._idle:
                self._idle.wait_for(lambda: not self._busy)

    def abandon(self) -> None:
        """The pool ends: whoever waits for a batch is told so."""
        for job in list(self._jobs):
            job.fail(StateError(GONE))

    def submit(self, job: _Job, task: Callable[[], None]) -> None:
        """Let a thread do a task of a job."""
        self.pool.submit(job.step.number, lambda: self._guarded(job, task))

    def ahead(self, task: Callable[[], object]) -> None:
        """Let a thread do something that will be asked for soon."""

        def quietly() -> None:
            if not self.closed:
                with suppress(Exception):  # whoever asks for it will meet the error
                    task()

        self.pool.submit(0, quietly)

    def admit(self, job: _Job, nbytes: int) -> bool:
        """Whether a job may use so many bytes now; if not, it is gone on with later."""
        return self._room.enter(job, nbytes)

    def _top_up(self) -> None:
        while len(self._jobs) < self._batches and (step := next(self.steps, None)) is not None:
            job = _Job(self, step)
            self._jobs.append(job)
            self.submit(job, job.begin)

    def _guarded(self, job: _Job, task: Callable[[], None]) -> None:
        with self._idle:
            if self.closed:
                return
            self._busy += 1
        try:
            task()
        except BaseException as error:  # it is raised where the batch would have come
            job.fail(error)
        finally:
            with self._idle:
                self._busy -= 1
                if not self._busy:
                    self._idle.notify_all()


class _Job:
    """One batch."""

    def __init__(self, run: Run, step: Step) -> None:
        self.run, self.step = run, step
        self.done: Future[Made] = Future()
        self._opened: Open | None = None
        self._next = itertools.count()  # a count is handed out once, whichever threads ask
        self._decoded = itertools.count(1)

    def begin(self) -> None:
        maker = self.run.maker
        if self.run.worker is not None:
            if self.run.admit(self, 0):
                self.go_on()
            return
        self._opened = maker.open(self.step)
        if self.run.admit(self, self._opened.assembly.nbytes):
            self.go_on()

    def go_on(self) -> None:
        """What follows when there are bytes for it."""
        maker, opened = self.run.maker, self._opened
        if opened is None:
            assert self.run.worker is not None
            self._finish(self.run.worker.whole(maker, self.step))
            return
        maker.allocate(opened)
        count = opened.assembly.to_decode
        if count == 0:
            self._finish(maker.close(opened))
            return
        for _ in range(min(self.run.pool.size, count) - 1):
            self.run.submit(self, self._decode)
        self._decode()

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            with suppress(InvalidStateError):
                self.done.set_exception(error)

    def _decode(self) -> None:
        maker, opened = self.run.maker, self._opened
        if opened is None:
            return  # all done before this thread came to it
        count, pool = opened.assembly.to_decode, self.run.pool
        while not (self.run.closed or self.done.done()):
            if pool.has_before(self.step.number):  # such as an earlier batch that was opened since
                self.run.submit(self, self._decode)
                return
            if (index := next(self._next)) >= count:
                return
            maker.decode(opened, index)
            if next(self._decoded) == count:
                self._opened = None
                self._finish(maker.close(opened))
                return

    def _finish(self, made: Made) -> None:
        self.run._room.resize(self, made.nbytes)
        with suppress(InvalidStateError):
            self.done.set_result(made)


class _Room:
    """The bytes of batches that nobody has taken.

    A batch that comes before earlier ones leaves room for them, as much each as it needs itself:
    the next one to be given out does not wait, and would pass the limit otherwise.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.RLock()  # the garbage collector may close the run within it
        self._held: dict[int, int] = {}  # number of the batch -> its bytes
        self._parked: dict[int, tuple[_Job, int]] = {}
        self._head = 0  # the next batch to be given out
        self._usual = 0  # bytes of a finished batch, for those whose size is not known before

    def enter(self, job: _Job, nbytes: int) -> bool:
        with self._lock:
            self._parked[job.step.number] = (job, nbytes or self._usual)
            fit = self._that_fit()
        self._go_on(other for other in fit if other is not job)
        return job in fit

    def resize(self, job: _Job, nbytes: int) -> None:
        with self._lock:
            self._held[job.step.number] = self._usual = nbytes

    def clear(self) -> None:
        """Forget who is parked."""
        with self._lock:
            self._parked.clear()

    def leave(self, job: _Job) -> None:
        """A batch was taken: those that fit now go on."""
        with self._lock:
            self._head = job.step.number + 1
            self._held.pop(job.step.number, None)
            fit = self._that_fit()
        self._go_on(fit)

    def _that_fit(self) -> list[_Job]:
        """Let in whom there are bytes for, the earliest first."""
        fit = []
        for number, (job, nbytes) in sorted(self._parked.items()):
            earlier = number - self._head - sum(held < number for held in self._held)
            needed = sum(self._held.values()) + nbytes * (1 + earlier)
            if number > self._head and needed > self._limit:
                break
            self._parked.pop(number, None)  # the collector may have cleared it just now
            self._held[number] = nbytes
            fit.append(job)
        return fit

    @staticmethod
    def _go_on(jobs: Iterable[_Job]) -> None:
        for job in jobs:
            job.run.submit(job, job.go_on)
