"""``Maker``: a step of an epoch in, a finished ``Batch`` out; what a thread or a process runs.

It holds what is needed for that and not the loader, so that a thread at work keeps no loader alive
and a process gets no more than it has to know.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter_ns as now
from typing import Any

import numpy as np
import torch

from domainkit.assembly import Assembly, BadSample
from domainkit.batch import Batch
from domainkit.dataset import Dataset
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.loader.memory import Recycler, pinned
from domainkit.loader.sequence import Plain
from domainkit.loader.steps import Step
from domainkit.transform import Compose, PerSample

__all__ = ["Made", "Maker", "Open"]

Record = Callable[..., None]


@dataclass(frozen=True)
class Made:
    """A finished batch (None if no sample of it could be read), and what went wrong.

    ``event`` is CUDA's: the batch is there once it has happened.
    """

    batch: Batch | None
    event: Any
    bad: tuple[BadSample, ...]
    bytes_read: int

    @property
    def nbytes(self) -> int:
        return self.batch.nbytes if self.batch is not None else 0


@dataclass(frozen=True)
class Open:
    """A batch in the making: its assembly, and the ids that its draws belong to.

    ``transforming`` has a time for each sample whose decoding went over into transforming.
    """

    step: Step
    assembly: Assembly
    draw_ids: np.ndarray
    transforming: dict[int, int]


class Maker:
    """Makes the batches of one epoch.

    Args:
        dataset, transform, device, collate: the loader's.
        sequence: which sample comes at which place.
        seed, epoch: of the draws.
        by_position: draws belong to the position in the order, not to the sample: an order that
            repeats rows gives each occurrence draws of its own.
        record: told (stage, start, end, samples, number of the batch), times in nanoseconds. A copy
            of a maker in another process records nothing until it is given one, and leaves what
            is CUDA's to ``received``.
    """

    def __init__(
        self,
        dataset: Dataset,
        sequence: Plain,
        *,
        seed: int,
        epoch: int,
        by_position: bool,
        transform: Callable[..., Any] | None,
        device: torch.device | None,
        collate: Mapping[str, Any] | None,
        memory: Recycler,
        record: Record,
    ) -> None:
        self.dataset, self.sequence = dataset, sequence
        self.seed, self.epoch, self.by_position = seed, epoch, by_position
        self.transform, self.device, self.collate = transform, device, collate
        self.memory, self.record, self.on_host = memory, record, False

    @property
    def _cuda(self) -> bool:
        return self.device is not None and self.device.type == "cuda"

    def open(self, step: Step) -> Open:
        """Read the rows of a step; the sizes of what is to be decoded are known then."""
        start = now()
        rows, draw_ids = self.which(step)
        allocate = pinned if self._cuda and not self.on_host else self.memory
        transforming: dict[int, int] = {}

        def first_pass(column: str, shapes: np.ndarray, places: np.ndarray) -> PerSample | None:
            work = self._first_pass(column, shapes, draw_ids[places])
            return None if work is None else _Timed(work, transforming)

        assembly = self.dataset.assembly(
            rows, collate=self.collate, allocate=allocate, start=first_pass
        )
        assembly.read()
        self.record("read", start, now(), len(rows), step.number)
        return Open(step, assembly, draw_ids, transforming)

    def allocate(self, opened: Open) -> None:
        """Make room for what is to be decoded."""
        start = now()
        opened.assembly.allocate()
        self.record("place", start, now(), opened.assembly.to_decode, opened.step.number)

    def decode(self, opened: Open, index: int) -> None:
        """Decode one sample of it; any thread, any order."""
        start = now()
        opened.assembly.decode(index)
        end = now()
        middle = opened.transforming.pop(index, end)
        self.record("decode", start, middle, 1, opened.step.number)
        if middle < end:  # the sample counts when the rest is done to it, with its batch
            self.record("transform", middle, end, 0, opened.step.number)

    def close(self, opened: Open) -> Made:
        """The batch, transformed and on its device."""
        number, start = opened.step.number, now()
        assembly = opened.assembly
        batch, kept = assembly.finish()
        end = now()
        self.record("place", start, end, len(kept), number)
        bad, read = tuple(assembly.bad), assembly.bytes_read
        if not len(kept) and opened.step.first < opened.step.last:
            return Made(None, None, bad, read)
        ids, made = opened.draw_ids[kept], Made(batch, None, bad, read)
        return self.ready(made, ids, number, started=assembly.started)

    def ready(
        self, made: Made, draw_ids: np.ndarray, number: int, *, started: bool = False
    ) -> Made:
        """A batch on the host, moved to the device and transformed.

        Args:
            started: the transform's first pass was done to each sample as it was decoded.
        """
        batch = made.batch
        if batch is None or (self.on_host and self._cuda):
            return made
        draws = self._draws(draw_ids)
        if not self._cuda:
            done, event = self._finished(batch, draws, number, started=started), None
        else:
            with torch.cuda.device(self.device), torch.cuda.stream(self._stream):
                done = self._finished(batch.pin_memory(), draws, number)
                event = torch.cuda.current_stream().record_event()
        return Made(done, event, made.bad, made.bytes_read)

    def received(self, made: Made, draw_ids: np.ndarray, number: int) -> Made:
        """A batch from another process, which left to this one what is CUDA's."""
        return self.ready(made, draw_ids, number) if self._cuda else made

    def whole(
        self,
        step: Step,
        watch: Callable[[int], None] = lambda place: None,
        without: Container[int] = (),
    ) -> Made:
        """All of it by the calling thread.

        Args:
            watch: told which place of the batch will be decoded next, then -1.
            without: places that are left out.
        """
        opened = self.open(step)
        self.allocate(opened)
        for index in range(opened.assembly.to_decode):
            place = opened.assembly.place(index)
            if place in without:
                opened.assembly.leave_out(index)
                continue
            watch(place)
            self.decode(opened, index)
        watch(-1)
        return self.close(opened)

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "record": _record_nothing, "on_host": True}
        state.pop("_stream", None)
        return state

    def which(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """int64 [B] each: the ids of a step's samples, and what their draws belong to."""
        positions = self.sequence.positions(step.first, step.last)
        index = self.sequence.indices(positions)
        rows = self.dataset.ids(index)
        if self.by_position:
            return rows, positions
        return rows, index if self.dataset.repeats else rows  # a row shown twice is two samples

    def _first_pass(self, column: str, shapes: np.ndarray, ids: np.ndarray) -> PerSample | None:
        """What the transform begins with, if that can be done sample by sample.

        Not for a GPU, which does it sooner than the threads that decode for it, nor beside collate
        functions: what they make is not known yet. A subclass may run its steps in its own way.
        """
        pipeline = self.transform
        elsewhere = self.device is not None and self.device.type != "cpu"
        if type(pipeline) is not Compose or elsewhere or self.collate:
            return None
        passes = pipeline.plan().passes
        if not passes:
            return None
        return passes[0].per_sample(self.dataset.columns, column, shapes, self._draws(ids))

    def _draws(self, ids: np.ndarray) -> Draws:
        return Draws(seed=self.seed, epoch=self.epoch, ids=torch.from_numpy(ids.copy()))

    def _finished(self, batch: Batch, draws: Draws, number: int, *, started: bool = False) -> Batch:
        batch = self._placed(batch, number)
        if self.transform is None:
            return batch
        start, count = now(), len(batch.ids)
        transform = self.transform
        if started and isinstance(transform, Compose):
            transform = transform.after_first
        made = transform(batch, draws)
        if not isinstance(made, Mapping):
            raise TransformError(
                f"a loader's transform maps a batch to a batch, got {type(made).__name__}"
            )
        done = Batch(made, ids=batch.ids, transformed=True)
        self.record("transform", start, now(), count, number)
        return self._placed(done, number)  # what a transform made of strings is still on the host

    def _placed(self, batch: Batch, number: int) -> Batch:
        if self.device is None:
            return batch
        start = now()
        # only page-locked memory may be left to a copy that is still under way
        moved = batch.to(self.device, non_blocking=self._cuda)
        self.record("copy", start, now(), len(batch.ids), number)
        return moved

    @cached_property
    def _stream(self) -> torch.cuda.Stream:
        return torch.cuda.Stream(self.device)


class _Timed:
    """Work on a sample that notes when it began."""

    def __init__(self, work: PerSample, began: dict[int, int]) -> None:
        self.shapes, self._work, self._began = work.shapes, work, began

    def run(self, index: int, sample: torch.Tensor, out: torch.Tensor) -> None:
        self._began[index] = now()
        self._work.run(index, sample, out)


def _record_nothing(*span: Any) -> None:
    pass
