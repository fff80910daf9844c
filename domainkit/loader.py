"""``Loader``: a dataset in, device batches out; exact, restartable, the same for any thread count.

The order of an epoch is a function of (seed, epoch), a sample's random draws are a function of
(seed, epoch, sample id), and the state is a global cursor. So neither the number of threads, nor
the batch size, nor the number of ranks changes which sample comes when or how it is augmented.

One global batch is ``batch_size * world_size`` consecutive positions of the epoch's order; rank r
gets the r-th contiguous part of it. Decoders release the GIL, so threads are enough: a pool decodes
samples, assembles the batch and (on the CPU) transforms it, a few batches ahead.
"""

from __future__ import annotations

import operator
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from domainkit.batch import Batch
from domainkit.dataset import Dataset
from domainkit.draws import Draws
from domainkit.errors import StateError, TransformError
from domainkit.order import Permutation, rank_share
from domainkit.pipeline_check import check_pipeline
from domainkit.transform import Compose

__all__ = ["Loader"]

STATE_VERSION = 1
LAST = ("short", "drop", "pad")


class Loader:
    """Batches of a dataset, epoch after epoch.

    Each ``for batch in loader`` runs one epoch and the next one runs the next; an epoch that is
    left early (``break``), or only looked into by ``next(iter(loader))``, is over.
    ``state_dict`` says where it stands, ``load_state_dict`` goes on
    there, at any world size, batch size and thread count.

    A row that the dataset shows twice gets the same draws twice in an epoch.

    Args:
        dataset: a ``Dataset``.
        batch_size: samples per batch and rank.
        shuffle: a new order every epoch, or the dataset's own.
        seed: decides order and augmentation, together with the epoch.
        transform: a recipe's name, or a callable ``transform(batch, draws)`` that gives a batch;
            None for none. A callable with several random steps hands ``draws.at(0)``,
            ``draws.at(1)`` ... to them, as ``Compose`` does: equal draws give equal numbers.
        device: where batches end up; on CUDA they are pinned, copied on a side stream and
            transformed there.
        last: what the end of an epoch that does not fill a global batch becomes: "short" (a smaller
            batch; the ranks' sizes differ by one at most, and a rank without a sample gets no
            batch: for DDP, which needs equal steps, choose another), "drop", or "pad" (filled up
            from the start of the order; counted in ``padded``).
        num_threads: threads that read and decode; None takes the CPUs this process may use, at most
            8. 0 does everything in the calling thread.
        prefetch: batches prepared ahead.
        rank, world_size: this process's place; None asks torch.distributed, then the environment
            of torchrun, then takes 0 of 1.

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
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        transform: str | Callable[..., Any] | None = None,
        device: str | torch.device | None = None,
        last: str = "short",
        num_threads: int | None = None,
        prefetch: int = 4,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        batch_size, seed = operator.index(batch_size), operator.index(seed)  # numpy's ints too
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if last not in LAST:
            raise ValueError(f"last must be one of {', '.join(map(repr, LAST))}, got {last!r}")
        if prefetch < 1:
            raise ValueError(f"prefetch must be at least 1, got {prefetch}")
        if num_threads is not None and num_threads < 0:
            raise ValueError(f"num_threads must be at least 0, got {num_threads}")
        if isinstance(transform, str):
            from domainkit.recipe import load_recipe

            transform = load_recipe(transform)
        if not isinstance(dataset, Dataset):
            raise TypeError(
                f"Loader takes a domainkit Dataset, got {type(dataset).__name__}: load_dataset, "
                "from_folder, from_arrow and from_hf make one"
            )
        if isinstance(transform, Compose):
            check_pipeline(transform.steps, dataset.features)
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.transform = transform
        self.device = torch.device(device) if device is not None else None
        self.last = last
        self.num_threads = _cpus() if num_threads is None else num_threads
        self.prefetch = prefetch
        self.rank, self.world_size = _place(rank, world_size)
        self.padded = 0  # samples repeated by last="pad" in the epochs so far
        self._epoch = 0  # the epoch that runs, ran last, or runs first
        self._cursor = 0  # samples of it that all ranks together have been given
        self._pending = True  # the next iterator begins at (epoch, cursor), not in a new epoch
        self._named = False  # ... even where nothing of that epoch is left: set_epoch asked for it
        self._current: object = None  # the iterator that moves the cursor: the newest
        self._stream: torch.cuda.Stream | None = None

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
        if not (self._pending and self._epoch == epoch):
            self._epoch, self._cursor, self._pending = operator.index(epoch), 0, True
        self._named = True

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands, the same on every rank: a small JSON-safe dict.

        The cursor counts the samples that have been delivered, not those prefetched.
        """
        return {
            "version": STATE_VERSION,
            "fingerprint": self.dataset.fingerprint,
            "shuffle": self.shuffle,
            "seed": self.seed,
            "epoch": self._epoch,
            "cursor": self._cursor,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another loader stood; what is left is dealt to the ranks there are now.

        Raises:
            StateError: the state is of another dataset or order; says what differs.
        """
        try:
            mine = {
                "version": STATE_VERSION,
                "fingerprint": self.dataset.fingerprint,
                "shuffle": self.shuffle,
            }
            wrong = [
                f"{key} is {state[key]!r}, this loader's is {value!r}"
                for key, value in mine.items()
                if state[key] != value
            ]
            seed, epoch, cursor = (operator.index(state[k]) for k in ("seed", "epoch", "cursor"))
        except KeyError as error:
            raise StateError(f"not a loader state: {error} is missing") from error
        except TypeError as error:
            raise StateError(f"not a loader state: {error}") from error
        if wrong:
            raise StateError("the state belongs to another loader: " + "; ".join(wrong))
        if not 0 <= cursor <= len(self.dataset):
            raise StateError(f"cursor {cursor} is outside 0..{len(self.dataset)}")
        if not 0 <= epoch < 1 << 32:
            raise StateError(f"epoch {epoch} is outside 0..2**32 - 1")
        self.seed, self._epoch, self._cursor, self._pending = seed, epoch, cursor, True
        self._named = False

    def __len__(self) -> int:
        """Batches of a whole epoch on this rank."""
        full, rest = divmod(len(self.dataset), self.batch_size * self.world_size)
        # a rank gets a part of a short last batch unless there are fewer samples than ranks
        extra = self.last == "pad" or (self.last == "short" and self.rank < rest)
        return full + bool(rest and extra)

    # -- running -------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Batch]:
        # a generator: nothing changes before the first batch is asked for
        left = len(self.dataset) - self._cursor
        needed = self.batch_size * self.world_size if self.last == "drop" else 1
        # a state saved after the last batch of an epoch means: that epoch is done
        done = self._cursor and left < needed and not self._named
        if not self._pending or done:
            self._epoch, self._cursor = self._epoch + 1, 0
        self._pending = self._named = False
        self._current = me = object()
        epoch, steps = self._epoch, self._steps(self._cursor)
        order = Permutation(len(self.dataset), self.seed, epoch) if self.shuffle else None
        if self.num_threads == 0:
            pending = ((step, _Done(self._make(step, epoch, order))) for step in steps)
            yield from self._deliver(pending, me)
            return
        # batches of two or more threads are made side by side; their order is that of the steps
        pool, pid = _single_threaded_pool(self.num_threads), os.getpid()
        try:
            yield from self._deliver(self._ahead(pool, steps, epoch, order), me)
        finally:  # also on break, an exception and garbage collection
            # a child of a fork has no such threads; at exit Python has joined them already
            if os.getpid() == pid and not sys.is_finalizing():
                pool.shutdown(wait=True, cancel_futures=True)

    def _ahead(
        self,
        pool: ThreadPoolExecutor,
        steps: Iterator[_Step],
        epoch: int,
        order: Permutation | None,
    ) -> Iterator[tuple[_Step, Future[Any]]]:
        waiting: deque[tuple[_Step, Future[Any]]] = deque()
        while True:
            while len(waiting) < self.prefetch and (step := next(steps, None)) is not None:
                waiting.append((step, pool.submit(self._make, step, epoch, order)))
            if not waiting:
                return
            yield waiting.popleft()

    def _deliver(self, pending: Iterator[tuple[_Step, Any]], me: object) -> Iterator[Batch]:
        pid = os.getpid()
        for step, future in pending:
            if os.getpid() != pid:
                raise StateError(
                    "this iterator belongs to the parent process: make one of your own"
                )
            batch, event = future.result()
            if event is not None:
                stream = torch.cuda.current_stream(self.device)
                stream.wait_event(event)
                batch.record_stream(stream)
            if self._current is me:  # an iterator that was overtaken by a newer one is mute
                self._cursor = step.stop
                self.padded += step.padding
            yield batch
        if self._current is me:
            self._cursor = len(self.dataset)

    def _make(self, step: _Step, epoch: int, order: Permutation | None) -> tuple[Batch, Any]:
        positions = np.arange(step.first, step.last) % max(len(self.dataset), 1)
        batch = self.dataset.batch(order[positions] if order is not None else positions)
        if self.device is None or self.device.type != "cuda":
            return self._transformed(self._placed(batch), epoch), None
        with torch.cuda.device(self.device), torch.cuda.stream(self._side_stream()):
            batch = self._transformed(self._placed(batch.pin_memory()), epoch)
            return batch, torch.cuda.current_stream().record_event()

    def _placed(self, batch: Batch) -> Batch:
        return batch if self.device is None else batch.to(self.device, non_blocking=True)

    def _transformed(self, batch: Batch, epoch: int) -> Batch:
        if self.transform is None:
            return batch
        made = self.transform(batch, Draws(seed=self.seed, epoch=epoch, ids=batch.ids))
        if not isinstance(made, Mapping):
            raise TransformError(
                f"a loader's transform maps a batch to a batch, got {type(made).__name__}"
            )
        done = Batch(made, ids=batch.ids, transformed=True)
        return self._placed(done)  # what a transform made of strings is still on the host

    def _side_stream(self) -> torch.cuda.Stream:
        if self._stream is None:
            self._stream = torch.cuda.Stream(self.device)
        return self._stream

    def _steps(self, cursor: int) -> Iterator[_Step]:
        n, world = len(self.dataset), self.batch_size * self.world_size
        for start in range(cursor, n, world):
            stop, padding = min(start + world, n), 0
            if stop - start < world:
                if self.last == "drop":
                    break
                if self.last == "pad":
                    padding = world - (stop - start)
            first, last = rank_share(start, stop + padding, self.rank, self.world_size)
            if first < last:
                yield _Step(first, last, stop, padding)


@dataclass(frozen=True)
class _Step:
    """One rank's batch: positions [first, last), the cursor after it, samples padded globally."""

    first: int
    last: int
    stop: int
    padding: int


class _Done:
    """A result that is there already, with the face of a future."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def result(self) -> Any:
        return self._value


def _single_threaded_pool(size: int) -> ThreadPoolExecutor:
    """Threads in which a torch op stays on its thread.

    Each Python thread that calls torch gets a set of OpenMP threads of its own, and together they
    would crowd the cores. The setting is the thread's, except that it is also what threads born
    later start with; so this one sets its own number again at the end.
    """
    own = torch.get_num_threads()
    pool = ThreadPoolExecutor(size, thread_name_prefix="domainkit-loader")
    born = threading.Barrier(size + 1)

    def settle() -> None:
        torch.get_num_threads()  # the thread's first question sets it to the common number
        torch.set_num_threads(1)
        born.wait()

    try:
        for _ in range(size):
            pool.submit(settle)
        born.wait()
    except BaseException:  # no thread to be had, or Ctrl-C: let go of those that wait
        born.abort()
        raise
    finally:
        torch.set_num_threads(own)
    return pool


def _cpus() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return min(8, len(affinity(0)) if affinity else os.cpu_count() or 1)


def _place(rank: int | None, world_size: int | None) -> tuple[int, int]:
    if (rank is None) != (world_size is None):
        raise ValueError("give both rank and world_size, or neither")
    if rank is None or world_size is None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        rank = int(os.environ.get("RANK", "0"))
        world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if not 0 <= rank < world_size:
        raise ValueError(f"rank must be in [0, {world_size}), got {rank}")
    return rank, world_size
