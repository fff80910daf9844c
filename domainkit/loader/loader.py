"""``Loader``: a dataset in, device batches out; exact, restartable, the same for any thread count.

The order of an epoch is a function of (seed, epoch), a sample's random draws are a function of
(seed, epoch, sample id), and the state is a global cursor. So neither the number of threads, nor
the batch size, nor the number of ranks changes which sample comes when or how it is augmented.

One global batch is ``batch_size * world_size`` consecutive places of the epoch's sequence; rank r
gets the r-th contiguous part of it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from time import perf_counter_ns as now
from typing import Any

import torch

from domainkit.batch import Batch
from domainkit.dataset import Dataset
from domainkit.loader.bad_samples import BadSamples
from domainkit.loader.batching import Bucketed, Budget
from domainkit.loader.engine import Run
from domainkit.loader.maker import Made, Maker
from domainkit.loader.memory import Recycler
from domainkit.loader.pool import Pool, usable_cpus
from domainkit.loader.processes import Processes
from domainkit.loader.ranks import find_rank
from domainkit.loader.recorder import Recorder
from domainkit.loader.sequence import Plain, Windowed, check_length
from domainkit.loader.state import STATE_VERSION, check_state
from domainkit.loader.stats import Stats
from domainkit.loader.steps import Cutting, Step, budget_steps, fixed_steps
from domainkit.pipeline_check import check_pipeline
from domainkit.samplers import Endless, Sampler, Sequential, as_sampler
from domainkit.samplers.base import at_least
from domainkit.transform import Compose

__all__ = ["Loader"]

LAST = ("short", "drop", "pad")


class Loader:
    """Batches of a dataset, epoch after epoch.

    Each ``for batch in loader`` runs one epoch and the next one runs the next; an epoch that is
    left early (``break``), or only looked into by ``next(iter(loader))``, is over.
    ``state_dict`` says where it stands, ``load_state_dict`` goes on there, at any world size, batch
    size and thread count. Its threads are born with the first batch and end with the loader, or at
    ``close``.

    Args:
        dataset: a ``Dataset``.
        batch_size: samples per batch and rank; or ``Bucketed`` (samples of like length together) or
            ``Budget`` (as many as fit so many tokens, seconds or pixels).
        shuffle: a new order every epoch (True), or the dataset's own; "blocks" shuffles so that
            rows which lie together on disk are read together.
        sampler: another order; see ``domainkit.samplers``. Where it shows a row twice, each
            occurrence gets random draws of its own.
        infinite: one epoch after another without an end or a short batch; the state's cursor counts
            all samples since the first, and its epoch stays 0.
        seed: decides order and augmentation, together with the epoch.
        transform: a recipe's name, or a callable ``transform(batch, draws)`` that gives a batch;
            None for none. A callable with several random steps hands ``draws.at(0)``,
            ``draws.at(1)`` ... to them, as ``Compose`` does: equal draws give equal numbers.
        collate: column -> a function from the list of its decoded values to the batch's field;
            without one, fields are dense where all sizes are equal, else ``Ragged``, and lists of
            strings.
        device: where batches end up; on CUDA they are made in pinned memory, copied on a side
            stream and transformed there.
        last: what the end of an epoch that does not fill a global batch becomes: "short" (a smaller
            batch; the ranks' sizes differ by one at most, and a rank without a sample gets no
            batch: for DDP, which needs equal steps, choose another), "drop", or "pad" (filled up
            from the start of the order; counted in ``padded``).
        on_error: "raise", or "skip": a sample that cannot be read or decoded is left out of its
            batch, counted (``skipped``) and logged once.
        max_errors: so many different samples may be skipped.
        num_threads: threads that read and decode; None takes the CPUs this process may use, at most
            8. 0 does everything in the calling thread.
        num_processes: processes that make whole batches in the place of threads, for transforms
            that keep Python busy, and for decoders that may crash: a sample that takes its process
            down is a bad sample. Dataset, transform and collate functions must pickle.
        prefetch: batches prepared ahead.
        prefetch_bytes: bytes of batches prepared ahead; a single batch may be larger.
        rank, world_size: this process's place; None asks torch.distributed, then the environment
            of torchrun, then takes 0 of 1.

    Attributes:
        padded: samples that last="pad" gave again, in the epochs so far.
        recorder: what was done when; ``stats()`` sums it up.

    Example:
        >>> import domainkit as dk
        >>> ds = dk.load_dataset("vision/fashion-mnist-mini", "train")
        >>> loader = Loader(ds, batch_size=256, shuffle=True, seed=0)
        >>> next(iter(loader))
        Batch(B=256)
          image  uint8 [256, 1, 28, 28]
          label  int64 [256]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int | Bucketed | Budget,
        *,
        shuffle: bool | str = False,
        sampler: Sampler | None = None,
        infinite: bool = False,
        seed: int = 0,
        transform: str | Callable[..., Any] | None = None,
        collate: Mapping[str, Callable[[list[Any]], Any]] | None = None,
        device: str | torch.device | None = None,
        last: str = "short",
        on_error: str = "raise",
        max_errors: int = 100,
        num_threads: int | None = None,
        num_processes: int = 0,
        prefetch: int = 4,
        prefetch_bytes: int = 1 << 30,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        if not isinstance(dataset, Dataset):
            raise TypeError(
                f"Loader takes a domainkit Dataset, got {type(dataset).__name__}: load_dataset, "
                "from_folder, from_arrow and from_hf make one"
            )
        self.batch_size: int | Bucketed | Budget = batch_size
        if not isinstance(batch_size, (Bucketed, Budget)):
            self.batch_size = at_least(1, "batch_size", batch_size)
        elif batch_size.column not in dataset.columns:
            dataset.lengths(batch_size.column, [])  # says which columns there are
        if last not in LAST:
            raise ValueError(f"last must be one of {', '.join(map(repr, LAST))}, got {last!r}")
        for name in {*(collate or {})} - {*dataset.columns}:
            dataset.lengths(name, [])
        if isinstance(transform, str):
            from domainkit.recipe import load_recipe

            transform = load_recipe(transform)
        if isinstance(transform, Compose):
            check_pipeline(transform.steps, dataset.features)
        self.dataset = dataset
        self.shuffle = shuffle
        self.sampler = as_sampler(shuffle, sampler)
        self.infinite = infinite or isinstance(self.sampler, Endless)
        if infinite and not isinstance(self.sampler, Endless):
            self.sampler = Endless(self.sampler)
        self.seed = operator.index(seed)  # numpy's ints too
        self.transform, self.collate = transform, dict(collate or {})
        self.device = torch.device(device) if device is not None else None
        self.last = last
        self.num_threads = (
            usable_cpus() if num_threads is None else at_least(0, "num_threads", num_threads)
        )
        self.num_processes = at_least(0, "num_processes", num_processes)
        self.prefetch = at_least(1, "prefetch", prefetch)
        self.prefetch_bytes = at_least(1, "prefetch_bytes", prefetch_bytes)
        self.rank, self.world_size = find_rank(rank, world_size)
        self.padded, self.recorder = 0, Recorder()
        self._bad = BadSamples(dataset, on_error, max_errors)
        self._length = self.sampler.length(dataset)
        self._epoch = self._cursor = 0  # where it stands: see ``State``
        self._pending = True  # the next iterator begins at (epoch, cursor), not in a new epoch
        self._named = False  # ... even where nothing of that epoch is left: set_epoch asked for it
        self._current: object = None  # the iterator that moves the cursor: the newest
        self._bytes_read = 0
        self._memory = Recycler()
        self._pool: Pool | None = None
        self._processes: Processes | None = None

    # -- where it stands -----------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """The epoch that runs, or ran last; the first is 0."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Make the next ``for`` loop run this epoch.

        It begins at the epoch's start, unless a loaded state says where in this epoch to go on: if
        that is its end, the loop gives nothing.
        """
        if not 0 <= epoch < 1 << 32:
            raise ValueError(f"epoch must be in [0, 2**32), got {epoch}")
        if self.infinite and epoch:
            raise ValueError("an infinite loader has no epochs: its order depends on the seed")
        if not (self._pending and self._epoch == epoch):
            self._current = None  # an iterator that still runs is mute from here on
            self._epoch, self._cursor, self._pending = operator.index(epoch), 0, True
        self._named = True

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands, the same on every rank: a small JSON-safe dict.

        The cursor counts the samples that have been delivered, not those prefetched.
        """
        order = self.sampler.spec()
        if isinstance(self.batch_size, (Bucketed, Budget)):
            order = {**order, **vars(self.batch_size.windowing)}
        return {
            "version": STATE_VERSION,
            "fingerprint": self.dataset.fingerprint,
            "rows": len(self.dataset),
            "order": order,
            "seed": self.seed,
            "epoch": self._epoch,
            "cursor": self._cursor,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another loader stood; what is left is dealt to the ranks there are now.

        Batch size, budget, world size and ``last`` may be others; dataset, order and window may
        not.

        Raises:
            StateError: the state is of another dataset or order; says what differs.
        """
        found = check_state(state, self.state_dict(), self._length)
        self.seed, self._epoch, self._cursor = found.seed, found.epoch, found.cursor
        self._pending, self._named, self._current = True, False, None

    @property
    def skipped(self) -> int:
        """How often ``on_error="skip"`` left a sample out."""
        return self._bad.skipped

    def stats(self) -> Stats:
        """Where the time went so far, by stage, and how much the loop waited."""
        return self.recorder.stats(skipped=self.skipped, bytes_read=self._bytes_read or None)

    @property
    def may_repeat(self) -> bool:
        """Whether ``last="pad"`` may give samples of an epoch again."""
        if self.last != "pad" or self.infinite:
            return False
        size = self._fixed_size
        return size is None or self._length % (size * self.world_size) != 0

    def __len__(self) -> int:
        """Batches of a whole epoch on this rank.

        Raises:
            TypeError: an infinite loader, or a ``Budget``, whose batches are not known before.
        """
        size = self._fixed_size
        if self.infinite or size is None:
            what = "an infinite loader" if self.infinite else "a loader with a Budget"
            raise TypeError(f"{what} does not know its number of batches before they are made")
        full, rest = divmod(self._length, size * self.world_size)
        # a rank gets a part of a short last batch unless there are fewer samples than ranks
        extra = self.last == "pad" or (self.last == "short" and self.rank < rest)
        return full + bool(rest and extra)

    # -- running -------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Batch]:
        # a generator: nothing changes before the first batch is asked for
        left = self._length - self._cursor
        # a state saved after the last batch of an epoch means: that epoch is done
        done = self._cursor and left < self._needed() and not self._named
        if (done or not self._pending) and not self.infinite:
            self._epoch, self._cursor = self._epoch + 1, 0
        self._pending = self._named = False
        self._current = me = object()
        began = now()
        maker = self._maker(self._sequence(self._epoch))
        if self.num_threads == 0 and self.num_processes == 0:
            steps = self._steps(maker.sequence, lambda window: None)
            yield from self._deliver(((step, maker.whole(step)) for step in steps), me, began)
            return
        limits = {"batches": self.prefetch, "nbytes": self.prefetch_bytes}
        run = Run(self._threads(), maker, worker=self._workers(), **limits)
        run.steps = self._steps(maker.sequence, run.ahead)
        yield from self._deliver(iter(run), me, began)

    def close(self) -> None:
        """End the threads and processes; the next epoch, if there is one, starts new ones."""
        if self._pool is not None:
            self._pool.close()
        if self._processes is not None:
            self._processes.close()
        self._pool = self._processes = None

    def __repr__(self) -> str:
        ranks = f", rank {self.rank} of {self.world_size}" if self.world_size > 1 else ""
        return f"Loader({self.dataset.name}; {self.batch_size}, {self.sampler!r}{ranks})"

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None, "_processes": None, "_current": None}

    def _deliver(
        self, made: Iterator[tuple[Step, Made]], me: object, asked: int
    ) -> Iterator[Batch]:
        try:
            for step, done in made:
                batch = done.batch
                if done.bad:
                    self._bad.meet(done.bad, none_left=batch is None, ranks=self.world_size)
                if self._current is me:  # an iterator that was overtaken by a newer one is mute
                    self._cursor = step.stop
                    self.padded += step.padding
                    self._bytes_read += done.bytes_read
                if batch is None:
                    continue
                if done.event is not None:
                    stream = torch.cuda.current_stream(self.device)
                    stream.wait_event(done.event)
                    batch.record_stream(stream)
                count, number = len(batch.ids), step.number
                given = now()
                self.recorder.add("wait", asked, given, count, number)
                del done
                yield batch
                del batch  # its memory can be used again
                asked = now()
                self.recorder.add("step", given, asked, count, number)
            if self._current is me:
                self._cursor = self._length
        finally:
            if hasattr(made, "close"):
                made.close()

    def _needed(self) -> int:
        """Samples that must be left for another step."""
        size = self._fixed_size
        return size * self.world_size if size is not None and self.last == "drop" else 1

    @property
    def _fixed_size(self) -> int | None:
        """Samples per batch and rank; None with a ``Budget``."""
        size = self.batch_size
        if isinstance(size, Budget):
            return None
        return size.size if isinstance(size, Bucketed) else size

    def _sequence(self, epoch: int) -> Plain:
        order = self.sampler.order(self.dataset, self.seed, epoch)
        check_length(order, self._length, self.sampler)
        if not isinstance(self.batch_size, (Bucketed, Budget)):
            return Plain(order)
        base = self.sampler.sampler if isinstance(self.sampler, Endless) else self.sampler
        return Windowed(
            order,
            partial(self.dataset.lengths, self.batch_size.column),
            self.batch_size.windowing,
            seed=self.seed,
            epoch=epoch,
            shuffle=not isinstance(base, Sequential),
        )

    def _steps(self, sequence: Plain, ahead: Callable[[Callable[[], Any]], Any]) -> Iterator[Step]:
        cut = Cutting(self.rank, self.world_size, self.last)
        if isinstance(self.batch_size, Budget):
            assert isinstance(sequence, Windowed)
            plan = sequence.plan
            return budget_steps(
                sequence, self.batch_size, self._cursor, cut, lambda w: ahead(partial(plan, w))
            )
        size = self._fixed_size
        assert size is not None
        return fixed_steps(self._length, size, self._cursor, cut)

    def _maker(self, sequence: Plain) -> Maker:
        return Maker(
            self.dataset,
            sequence,
            seed=self.seed,
            epoch=self._epoch,
            by_position=self.infinite or self.sampler.repeats,
            transform=self.transform,
            device=self.device,
            collate=self.collate,
            memory=self._memory,
            record=self.recorder.add,
        )

    def _threads(self) -> Pool:
        if self._pool is None or not self._pool.alive:
            self._pool = Pool(self.num_processes or self.num_threads)
        return self._pool

    def _workers(self) -> Processes | None:
        if not self.num_processes:
            return None
        if self._processes is None or not self._processes.alive:
            self._processes = Processes(self.num_processes)
        return self._processes
