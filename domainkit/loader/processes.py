"""``Processes``: other processes make the batches, for Python-heavy work and crashing decoders.

A thread of the pool hands a step to a process and waits, so order, limits and state are those of
threads. Batches come back through shared memory.

A process that dies while it decodes a sample (a fault in a native decoder) makes that sample a bad
one: the batch is made again without it, in a new process. One that dies otherwise, or is killed,
say for memory, is replaced once for each batch.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import traceback
import weakref
from contextlib import suppress
from typing import Any

import torch

from domainkit.assembly import BadSample
from domainkit.errors import DecodeError, DomainkitError
from domainkit.loader.maker import Made, Maker
from domainkit.loader.steps import Step

__all__ = ["Processes"]

LET_GO_SECONDS = 10.0
UNKNOWN = (
    "a loader's process cannot find what the loader uses ({error}): define transform and collate "
    "functions in a module that can be imported, not in a notebook or a prompt, or use num_threads"
)
KILLED = (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM), signal.SIGINT)


class Processes:
    """``size`` processes that make batches; each of them is used by one thread at a time."""

    def __init__(self, size: int) -> None:
        self._pid = os.getpid()
        self._idle: queue.SimpleQueue[_Child] = queue.SimpleQueue()
        self._children: list[_Child] = []
        self._end = weakref.finalize(self, _end, self._children, self._pid)
        for number in range(size):
            child = _Child(f"domainkit-loader-process_{number}")
            self._children.append(child)
            self._idle.put(child)

    @property
    def alive(self) -> bool:
        """Whether they are there: not after ``close``, nor in a forked child."""
        return self._end.alive and os.getpid() == self._pid

    def whole(self, maker: Maker, step: Step) -> Made:
        """One batch, transformed and on its device.

        Raises:
            DomainkitError: its process ended twice and no sample is to blame, or cannot start.
            Exception: whatever the transform or a collate function raised there.
        """
        child = self._idle.get()
        try:
            return self._make(child, maker, step)
        finally:
            self._idle.put(child)

    def close(self) -> None:
        """End them."""
        self._end()

    def _make(self, child: _Child, maker: Maker, step: Step) -> Made:
        crashed: dict[int, str] = {}
        lives = 2
        while True:
            try:
                made, spans = child.ask(maker, step, frozenset(crashed))
                break
            except EOFError as error:
                place, how, killed = child.post_mortem()
                if place >= 0 and not killed:
                    crashed[place] = how
                    continue
                lives -= 1
                if lives == 0:
                    raise DomainkitError(
                        f"a loader's process ended twice over the same batch ({how}): is there "
                        "enough memory? num_threads in the place of num_processes shows errors in "
                        "this process"
                    ) from error
        for span in spans:
            maker.record(*span, thread=child.name)
        bad = [*made.bad, *(_crash(maker, step, place, how) for place, how in crashed.items())]
        made = Made(made.batch, None, tuple(sorted(bad, key=lambda b: b.place)), made.bytes_read)
        if made.batch is None:
            return made
        lost = {sample.place for sample in bad}
        _, ids = maker.which(step)
        return maker.received(made, ids[[i for i in range(len(ids)) if i not in lost]], step.number)


class _Child:
    """One process, and a new one in its place when it dies."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._context = torch.multiprocessing.get_context("spawn")
        self._at = self._context.RawValue("q", -1)  # the place that is being decoded
        self._maker: Maker | None = None
        self._ready = False
        self._start()

    def ask(self, maker: Maker, step: Step, without: frozenset[int]) -> tuple[Made, list[Any]]:
        """A batch; EOFError if the process died over it."""
        try:
            if not self._ready:
                self._ready = bool(self._pipe.recv())
        except EOFError as error:
            self._process.join()
            raise DomainkitError(
                "a loader's process could not start: a script that uses num_processes must not "
                'run its loop on import; put it under `if __name__ == "__main__":`'
            ) from error
        try:
            if self._maker is not maker:
                self._pipe.send(maker)
                self._maker = maker
            self._pipe.send((step, without))
            result, failure = self._pipe.recv()
        except ConnectionError as gone:
            raise EOFError from gone
        if failure is not None:
            raise failure
        answer: tuple[Made, list[Any]] = result
        return answer

    def post_mortem(self) -> tuple[int, str, bool]:
        """What a dead process was decoding, how it died, and whether somebody killed it."""
        self._process.join()
        code, place = self._process.exitcode or 0, int(self._at.value)
        with suppress(ValueError):
            if code < 0:
                fatal = signal.Signals(-code)
                self._renew()
                return place, fatal.name, fatal in KILLED
        self._renew()
        return place, f"exit code {code}", False

    def end(self) -> None:
        self._pipe.close()  # it ends when nobody is there
        self._process.join(LET_GO_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=_serve, args=(theirs, self._at), name=self.name, daemon=True
        )
        self._process.start()
        theirs.close()

    def _renew(self) -> None:
        self._pipe.close()
        self._at.value, self._maker, self._ready = -1, None, False
        self._start()


def _end(children: list[_Child], pid: int) -> None:
    if os.getpid() == pid:  # a fork's children are not its own
        for child in children:
            child.end()


def _crash(maker: Maker, step: Step, place: int, how: str) -> BadSample:
    dataset, row = maker.dataset, int(maker.which(step)[0][place])
    media = [name for name, feature in dataset.features.items() if feature.media]
    error = DecodeError(f"its decoder took the process down ({how})")
    return BadSample(place, row, ", ".join(media or dataset.columns), error)


def _serve(pipe: Any, at: Any) -> None:
    """What a process does: makers and steps in, batches or errors out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to end
    torch.set_num_threads(1)
    maker: Any = None
    unknown: Exception | None = None
    spans: list[tuple[Any, ...]] = []

    def watch(place: int) -> None:
        at.value = place

    try:
        pipe.send(True)
        while True:
            try:
                task = pipe.recv()
            except (EOFError, ConnectionError):
                raise
            except Exception as error:  # only a maker holds what may be unknown here
                maker, unknown = None, error
                continue
            if isinstance(task, Maker):
                maker = task
                maker.record = lambda *span: spans.append(span)
                continue
            step, without = task
            spans.clear()
            if maker is None:
                told = _portable(DomainkitError(UNKNOWN.format(error=unknown)))
                pipe.send((None, told))
                continue
            try:
                made = maker.whole(step, watch, without)
                pipe.send(((made, list(spans)), None))
            except (BrokenPipeError, EOFError):
                raise
            except Exception as error:
                pipe.send((None, _portable(error)))
    except (EOFError, BrokenPipeError, ConnectionError):
        return  # the loader is gone


def _portable(error: Exception) -> Exception:
    """The error itself if it survives the way, else its words."""
    told = "".join(traceback.format_tb(error.__traceback__))
    error.add_note(f"in a loader's process:\n{told}")  # a pickle leaves the traceback behind
    with suppress(Exception):
        pickle.loads(pickle.dumps(error))
        return error
    return DomainkitError(f"{type(error).__name__} in a loader's process: {error}")
