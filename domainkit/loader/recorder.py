"""``Recorder``: what a loader did when, at a cost that lets it be always on.

A span is a stage's work on some samples of a batch, from one ``time.perf_counter_ns`` to another.
Threads append spans to one deque, which needs no lock; whoever finds it long sums it up, unless
somebody else is at it. So ``add`` never waits, and memory stays bounded: totals count everything,
``spans`` keeps the last 20,000, and the quantiles of a stage are those of a ring of its last 4,096
spans (what happens now matters more than how it began).
"""

from __future__ import annotations

import os
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from domainkit.loader.stats import CONSUMER, STAGES, WORKERS, StageStats, Stats

__all__ = ["STAGES", "Recorder", "Span"]

KEPT_SPANS = 20_000
KEPT_PER_STAGE = 4_096  # for the quantiles
FOLD_AT = 1_024  # spans that are summed up at once: a third of a millisecond

_Raw = tuple[str, str, int, int, int, int]  # a Span before anybody looks: quicker to make


class Span(NamedTuple):
    """A stage's work on ``samples`` samples of a batch; times are ``time.perf_counter_ns``."""

    stage: str
    thread: str
    start_ns: int
    end_ns: int
    samples: int
    batch: int


@dataclass
class _Total:
    ns: int = 0
    samples: int = 0
    spans: int = 0
    latest: deque[_Raw] = field(default_factory=lambda: deque(maxlen=KEPT_PER_STAGE))


class Recorder:
    """Spans in, ``Stats`` out. Any thread may call ``add``; a copy or a pickle starts empty.

    Example:
        >>> recorder = Recorder()
        >>> recorder.add("decode", 0, 4_000_000, samples=8, batch=0)
        >>> recorder.add("wait", 0, 5_000_000, samples=8, batch=0)
        >>> recorder.add("step", 5_000_000, 20_000_000, samples=8, batch=0)
        >>> stats = recorder.stats()
        >>> stats.stages["decode"].ms_per_sample, stats.stall, stats.samples_per_second
        (0.5, 0.25, 400.0)
    """

    def __init__(self) -> None:
        self._new: deque[_Raw] = deque()
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._local = threading.local()
        self._forget()

    def add(
        self,
        stage: str,
        start_ns: int,
        end_ns: int,
        samples: int,
        batch: int,
        *,
        thread: str | None = None,
    ) -> None:
        """Record a span.

        Args:
            stage: one of ``STAGES``.
            start_ns, end_ns: by ``time.perf_counter_ns``.
            samples: how many it worked on; 0 counts as time only (the wait that ends an epoch).
            batch: the number of the batch they belong to.
            thread: who did it; None for the calling thread's name. Work of another process
                comes with a name of its own.

        Raises:
            ValueError: no such stage.
        """
        if stage not in self._totals:
            raise ValueError(f"stage must be one of {', '.join(STAGES)}, got {stage!r}")
        if thread is None:
            try:
                thread = self._local.name
            except AttributeError:  # the thread's first span
                thread = self._local.name = threading.current_thread().name
        new = self._new
        new.append((stage, thread, start_ns, end_ns, samples, batch))
        if len(new) >= FOLD_AT:
            self._sound_lock()
            if self._lock.acquire(blocking=False):
                try:
                    self._fold()
                finally:
                    self._lock.release()

    def clear(self) -> None:
        """Forget everything."""
        self._sound_lock()
        with self._lock:
            self._new.clear()
            self._forget()

    def spans(self) -> list[Span]:
        """The last 20,000 spans, by start."""
        self._sound_lock()
        with self._lock:
            self._fold()
            kept = [Span(*span) for span in self._kept]
        return sorted(kept, key=lambda span: span.start_ns)

    def stats(self, *, skipped: int = 0, bytes_read: int | None = None) -> Stats:
        """All that was recorded so far, in numbers; ``skipped`` and ``bytes_read`` go in as given.

        The samples and batches are those that the loop waited for; where no wait was recorded, the
        samples of the stage that saw most and no batches.
        """
        self._sound_lock()
        with self._lock:
            self._fold()
            totals = self._totals
            worked = sum(totals[name].ns for name in WORKERS)
            looped = sum(totals[name].ns for name in CONSUMER)
            stages = {
                name: _stage(total, looped if name in CONSUMER else worked)
                for name, total in totals.items()
            }
            seconds = (self._last - self._first) / 1e9 if self._last is not None else 0.0
        wait = stages["wait"]
        samples = wait.samples or max(stage.samples for stage in stages.values())
        time = looped / 1e9 or seconds
        return Stats(
            samples=samples,
            batches=self._batches,
            seconds=seconds,
            samples_per_second=samples / time if time else 0.0,
            stall=wait.share,
            stages=stages,
            skipped=skipped,
            bytes_read=bytes_read,
        )

    def __reduce__(self) -> tuple[type[Recorder], tuple[()]]:
        return Recorder, ()

    def _forget(self) -> None:
        self._totals = {name: _Total() for name in STAGES}
        self._kept: deque[_Raw] = deque(maxlen=KEPT_SPANS)
        self._batches = 0
        self._first = 0
        self._last: int | None = None

    def _sound_lock(self) -> None:
        # a fork copies a lock that another thread holds, and nobody there would ever release it
        if self._pid != os.getpid():
            self._lock, self._pid = threading.Lock(), os.getpid()

    def _fold(self) -> None:
        """Sum up the spans that are there now; under the lock."""
        new = self._new
        spans = [new.popleft() for _ in range(len(new))]  # not while any: others go on adding
        self._kept.extend(spans)
        groups: dict[str, list[_Raw]] = {}
        for span in spans:
            groups.setdefault(span[0], []).append(span)
        for stage, group in groups.items():
            _, _, starts, ends, samples, _ = zip(*group, strict=True)
            total = self._totals[stage]
            total.ns += sum(ends) - sum(starts)
            total.samples += sum(samples)
            total.spans += len(group)
            total.latest.extend(group)
            self._batches += sum(map(bool, samples)) if stage == "wait" else 0
            first, last = min(starts), max(ends)
            self._first = first if self._last is None else min(self._first, first)
            self._last = last if self._last is None else max(self._last, last)


def _stage(total: _Total, whole: int) -> StageStats:
    times = [(end - start) / n / 1e6 for _, _, start, end, n, _ in total.latest if n]
    p50, p99 = np.quantile(times, (0.5, 0.99)) if times else (0.0, 0.0)
    return StageStats(
        ms_per_sample=total.ns / total.samples / 1e6 if total.samples else 0.0,
        p50=float(p50),
        p99=float(p99),
        seconds=total.ns / 1e9,
        share=total.ns / whole if whole else 0.0,
        samples=total.samples,
        spans=total.spans,
    )
