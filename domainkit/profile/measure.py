"""Measures a loop three ways: the loader alone, the step on batches that are there, and both.

A machine does not keep one speed: its clock, its caches and its neighbours change. So the loader
and the step are measured twice each, around the loop (alone, step, loop, step, alone): a steady
drift hits all three alike.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import torch

from domainkit.batch import Batch
from domainkit.loader import Loader
from domainkit.loader.recorder import Recorder
from domainkit.loader.stats import Stats
from domainkit.profile.machine import cpus, idle_seconds
from domainkit.profile.result import Profile
from domainkit.profile.steps import Step
from domainkit.progress import Progress, bar

__all__ = ["measure"]

CACHED = 4  # batches that are replayed: one alone may be of unusual size
LEAST = 2  # batches that a measurement takes, however slow they are
TICKS = 120  # of the progress bar
PROBES = 2_000  # spans recorded to learn what recording costs


@dataclass(frozen=True)
class _Run:
    samples: int
    seconds: float
    cpu_seconds: float
    idle_seconds: float

    def __add__(self, other: _Run) -> _Run:
        return _Run(
            self.samples + other.samples,
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
            self.idle_seconds + other.idle_seconds,
        )

    @property
    def rate(self) -> float:
        return self.samples / self.seconds


def measure(
    loader: Loader, step: Step | None = None, *, seconds: float = 3.0, title: str | None = None
) -> Profile:
    """How fast the loop ``for batch in loader: step(batch)`` is, and how fast it could be.

    What the step does on CUDA is waited for after each batch, so that its time is its own. The
    loader's statistics are cleared; afterwards it goes on from the ``state_dict()`` of before.

    Args:
        loader: any loader with at least one batch.
        step: what is done with a batch: ``train_step(model, ...)``, ``eval_step`` or a function
            of one's own; None measures the loader alone.
        seconds: for each of the three measurements, at least; a few batches are always taken.
        title: what the result calls it; None for the dataset's name.

    Raises:
        ValueError: the loader has no batch, or ``seconds`` is not positive.

    Example:
        >>> import domainkit as dk
        >>> ds = dk.load_dataset("vision/fashion-mnist-mini", "train")
        >>> loader = dk.Loader(ds, 64, shuffle=True)
        >>> found = measure(loader, lambda batch: batch["image"].float().mean(), seconds=0.1)
        >>> found.input_rate > 0, found.model_rate > 0, sorted(found.stats.stages)[0]
        (True, True, 'copy')
    """
    if not seconds > 0:
        raise ValueError(f"seconds must be positive, got {seconds}")
    state = loader.state_dict()
    batches = _endless(loader)
    try:
        with bar("measure", TICKS, unit="parts") as progress:
            return _measured(_Clock(loader, batches, step, progress), seconds, title)
    finally:
        batches.close()
        loader.load_state_dict(state)


def _measured(clock: _Clock, seconds: float, title: str | None) -> Profile:
    loader = clock.loader
    cached = clock.warm_up()
    if clock.step is None:
        loop = alone = clock.loop(seconds, TICKS)
        stats, spans, model_rate = loader.stats(), loader.recorder.spans(), None
    else:
        alone = clock.alone(seconds / 2, TICKS // 6)
        replay = clock.replay(cached, seconds / 2, TICKS // 6)
        loop = clock.loop(seconds, TICKS // 3)
        stats, spans = loader.stats(), loader.recorder.spans()
        model_rate = (replay + clock.replay(cached, seconds / 2, TICKS // 6)).rate
        alone = alone + clock.alone(seconds / 2, TICKS // 6)
    recorded = sum(stage.spans for stage in stats.stages.values())
    return Profile(
        title=loader.dataset.name or "dataset" if title is None else title,
        rate=loop.rate,
        input_rate=alone.rate,
        model_rate=model_rate,
        stats=stats,
        input_cores=alone.cpu_seconds / alone.seconds,
        idle_cores=alone.idle_seconds / alone.seconds,
        device=str(loader.device or "cpu"),
        batch_size=_size(loader, stats),
        num_threads=loader.num_threads,
        num_processes=getattr(loader, "num_processes", 0),
        prefetch=loader.prefetch,
        cpus=cpus(),
        torch_threads=torch.get_num_threads(),
        accelerator=torch.cuda.is_available() or torch.backends.mps.is_available(),
        recorder_share=recorded * _seconds_per_span() / loop.seconds,
        spans=tuple(spans),
    )


class _Clock:
    """Runs the loader, the step or both for a while, and looks at the clock."""

    def __init__(
        self, loader: Loader, batches: Iterator[Batch], step: Step | None, progress: Progress
    ) -> None:
        self.loader = loader
        self.batches = batches
        self.step = step
        self.progress = progress

    def warm_up(self) -> list[Batch]:
        """Batches to replay; after it, whatever is compiled or grown at first use is there."""
        cached = list(islice(self.batches, CACHED))
        for batch in cached[:LEAST]:
            self._do(batch)
        return cached

    def alone(self, seconds: float, ticks: int) -> _Run:
        self._drain()
        return self._run(self.batches, seconds, ticks, step=False)

    def replay(self, cached: list[Batch], seconds: float, ticks: int) -> _Run:
        return self._run(cycle(cached), seconds, ticks, step=True)

    def loop(self, seconds: float, ticks: int) -> _Run:
        self._drain()
        if self.step is not None:
            start = time.perf_counter()
            for batch in islice(self.batches, self.loader.prefetch):
                self._do(batch)  # the queue settles: full, or empty
                if time.perf_counter() - start >= seconds:
                    break
        self.loader.recorder.clear()
        # one more than the queue held: each stage has been at work
        return self._run(
            self.batches, seconds, ticks, step=True, least=self.loader.prefetch + LEAST
        )

    def _drain(self) -> None:
        """Throw away what was made while the loader was not being measured."""
        for _ in islice(self.batches, self.loader.prefetch + 1):
            pass

    def _run(
        self,
        batches: Iterator[Batch],
        seconds: float,
        ticks: int,
        *,
        step: bool,
        least: int = LEAST,
    ) -> _Run:
        shown = samples = 0
        idle, cpu, start = idle_seconds(), time.process_time(), time.perf_counter()
        for count, batch in enumerate(batches, 1):
            if step:
                self._do(batch)
            else:
                self._wait_for_device()
            samples += len(batch.ids)
            passed = time.perf_counter() - start
            due = min(ticks, int(ticks * passed / seconds))
            if due > shown:
                self.progress.advance(due - shown)
                shown = due
            if passed >= seconds and count >= least:
                break
        self.progress.advance(ticks - shown)
        took, cpu = time.perf_counter() - start, time.process_time() - cpu
        return _Run(samples, took, cpu, _idle(idle, idle_seconds(), took, cpu))

    def _do(self, batch: Batch) -> None:
        if self.step is not None:
            self.step(batch)
        self._wait_for_device()

    def _wait_for_device(self) -> None:
        """For this stream's work alone: what the loader prepares meanwhile is not the step's."""
        device = self.loader.device
        if device is not None and device.type == "cuda":
            torch.cuda.current_stream(device).synchronize()
        elif device is not None and device.type == "mps":
            torch.mps.synchronize()


def _endless(loader: Loader) -> Any:
    while True:
        empty = True
        for batch in loader:
            empty = False
            yield batch
        if empty:
            raise ValueError(
                f"the loader has no batch: {len(loader.dataset)} samples, batch_size "
                f"{loader.batch_size}, last={loader.last!r}"
            )


def _seconds_per_span() -> float:
    recorder, now = Recorder(), time.perf_counter_ns
    start = time.perf_counter()
    for k in range(PROBES):
        recorder.add("decode", now(), now(), 1, k)
    return (time.perf_counter() - start) / PROBES


def _idle(before: float | None, after: float | None, seconds: float, cpu: float) -> float:
    if before is None or after is None:  # then as if nobody else was there
        return max(0.0, cpus() * seconds - cpu)
    return max(0.0, after - before)


def _size(loader: Loader, stats: Stats) -> int:
    size: Any = loader.batch_size
    return size if isinstance(size, int) else round(stats.samples / max(stats.batches, 1))
