"""A real elastic job: torchrun's agents as processes on 127.0.0.1, killed at chosen steps.

``Job`` starts agents ("nodes") that run ``support.elastic_worker``. Every batch of every worker
waits for a go from here. Nothing else decides when something happens: a worker that is to be killed
is one that waits, and no batch is released before as many ranks as wanted have come together. The
rendezvous lives in this process, so that any node may die.

``Lineage`` is what counts in the end: the steps that lead to the final weights. Those after a
checkpoint are gone once somebody starts from that checkpoint.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from torch import distributed

__all__ = ["Job", "Lineage", "Step", "children", "count"]

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "examples" / "train_elastic.py"
LIMIT = 300.0  # seconds that one thing may take on a busy machine
RENDEZVOUS = "is_host=0,last_call_timeout=1,keep_alive_interval=1,keep_alive_max_attempt=3"


@dataclass
class Step:
    """One rank's part of one optimizer step; ``loss`` is None until the optimizer has stepped."""

    number: int
    rank: int
    world_size: int
    epoch: int
    ids: list[int]
    padded: int
    loss: float | None = None


@dataclass
class Worker:
    """One process: where it started from, and what it did."""

    pid: int
    agent: int
    rank: int
    world_size: int
    generation: str
    step: int  # of the checkpoint that it started from
    steps: list[Step] = field(default_factory=list)
    waits: bool = False
    ended: bool = False


@dataclass(frozen=True)
class Lineage:
    """The steps that survived, and how many were done in vain."""

    steps: list[Step]
    discarded: int
    generations: int

    def losses(self) -> dict[tuple[int, int], float]:
        """(step, rank) -> loss."""
        return {(s.number, s.rank): s.loss for s in self.steps if s.loss is not None}

    def mean_losses(self) -> dict[int, float]:
        """Step -> mean loss over its samples."""
        sums: dict[int, list[float]] = {}
        for s in self.steps:
            assert s.loss is not None
            total = sums.setdefault(s.number, [0.0, 0.0])
            total[0] += s.loss * len(s.ids)
            total[1] += len(s.ids)
        return {number: total / n for number, (total, n) in sums.items()}


def count(lineage: Lineage, rows: int, epochs: int) -> tuple[int, int]:
    """Samples lost and samples repeated, over all epochs.

    Repeated ones that the loader itself counted as padding are not held against it.
    """
    lost = repeated = 0
    for epoch in range(epochs):
        seen = Counter(i for s in lineage.steps if s.epoch == epoch for i in s.ids)
        assert set(seen) <= set(range(rows))
        lost += rows - len(seen)
        repeated += sum(seen.values()) - len(seen)
    padded = 0
    for _, steps in itertools.groupby(lineage.steps, key=lambda s: s.number):
        padded += max(s.padded for s in steps)
    return lost, repeated - padded


class Job:
    """An elastic training; use it as a context manager, so that nothing is left.

    Args:
        folder: for the checkpoint and the agents' logs.
        arguments: the script's, besides the checkpoint.
        workers: processes per node.
        loader: "domainkit" or a class of ``support.elastic_peers``.
        share_store: torch's default for the store of the rendezvous (see docs/distributed.md).
    """

    def __init__(
        self,
        folder: Path,
        *arguments: object,
        workers: int = 2,
        loader: str = "domainkit",
        share_store: bool = False,
        max_nodes: int = 2,
    ) -> None:
        self.folder, self.workers, self.loader = folder, workers, loader
        self.checkpoint = folder / "checkpoint.pt"
        self.arguments = ["--checkpoint", self.checkpoint, *arguments]
        self.share_store, self.max_nodes = share_store, max_nodes
        self.agents: list[subprocess.Popen[bytes]] = []
        self.log: list[Worker] = []  # in the order of their starts
        self._world = 0  # ranks that must be there before batches are released
        self._hold: tuple[int, int] | None = None  # (rank, step) that is not released
        self._changed = threading.Condition()
        self._connections: dict[int, socket.socket] = {}  # by the worker's pid

    def __enter__(self) -> Job:
        self._store = distributed.TCPStore(
            "127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=LIMIT)
        )
        self._server = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for agent in self.agents:
            self._kill_tree(agent)
        self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._server.close()
        for connection in self._connections.values():
            with suppress(OSError):  # a worker without an agent ends when this is gone
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:  # a worker's ends with the worker
            thread.join(LIMIT)
        del self._store
        assert not any(thread.is_alive() for thread in self._threads)

    # -- what happens to it --------------------------------------------------------------------

    def start_node(self) -> subprocess.Popen[bytes]:
        """One more agent with its workers."""
        command = [
            *(sys.executable, "-m", "torch.distributed.run", f"--nnodes=1:{self.max_nodes}"),
            *(f"--nproc-per-node={self.workers}", "--rdzv-backend=c10d", "--rdzv-id=job"),
            *(f"--rdzv-endpoint=127.0.0.1:{self._store.port}", f"--rdzv-conf={RENDEZVOUS}"),
            *("--local-addr=127.0.0.1", "--max-restarts=10", "--monitor-interval=0.1"),
            str(ROOT / "tests" / "support" / "elastic_worker.py"),
            *(str(self._server.getsockname()[1]), self.loader, str(SCRIPT)),
            *map(str, self.arguments),
        ]
        paths = [str(ROOT), str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "OMP_NUM_THREADS": "1",
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "0" if self.share_store else "1",
        }
        with (self.folder / f"agent{len(self.agents)}.log").open("wb") as log:
            agent = subprocess.Popen(
                command, env=env, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        self.agents.append(agent)
        return agent

    def run_at(self, world_size: int, hold: tuple[int, int] | None = None) -> None:
        """Let batches go where ``world_size`` ranks are together; not (rank, step) if one is held.

        A step is one of the lineage, the first is 1.
        """
        with self._changed:
            self._world, self._hold = world_size, hold
            self._release()

    def wait_held(self) -> Worker:
        """The worker that waits at the step that is held."""
        assert self._hold is not None
        rank, number = self._hold

        def found() -> Worker | None:
            for worker in self._newest():
                at = worker.steps[-1].number if worker.steps else None
                if worker.rank == rank and worker.waits and at == number:
                    return worker
            return None

        return self._wait(found, f"rank {rank} to come to step {number}")

    def kill_worker(self, worker: Worker) -> None:
        os.kill(worker.pid, signal.SIGKILL)

    def kill_node(self, agent: subprocess.Popen[bytes]) -> None:
        """The agent and its workers at once, as when the power fails."""
        self._kill_tree(agent)

    def node_of(self, worker: Worker) -> subprocess.Popen[bytes]:
        return next(agent for agent in self.agents if agent.pid == worker.agent)

    def wait_for_start(self, world_size: int, after: str | None = None) -> str:
        """Until ``world_size`` ranks have come together anew; their generation."""

        def found() -> str | None:
            newest = self._newest()
            if newest and newest[0].generation != after:
                ready = [w for w in newest if w.world_size == world_size]
                return newest[0].generation if len(ready) == world_size else None
            return None

        return self._wait(found, f"{world_size} ranks to start")

    def wait_end(self) -> Lineage:
        """Until the script has come to its end on all ranks and the agents have too."""

        def found() -> bool:
            newest = self._newest()
            return bool(newest) and sum(w.ended for w in newest) == newest[0].world_size

        self._wait(found, "the end")
        for agent in self.agents:
            agent.wait(LIMIT)
        return self.lineage()

    # -- what it was ---------------------------------------------------------------------------

    def lineage(self) -> Lineage:
        generations: dict[str, list[Worker]] = {}
        for worker in self.log:
            generations.setdefault(worker.generation, []).append(worker)
        starts = {name: {w.step for w in workers} for name, workers in generations.items()}
        assert all(len(found) == 1 for found in starts.values()), starts  # all read the same
        kept: list[Step] = []
        discarded = 0
        for name, workers in generations.items():
            (start,) = starts[name]
            discarded += len({s.number for s in kept if s.number > start})
            kept = [s for s in kept if s.number <= start]
            kept += [s for w in workers for s in w.steps if s.loss is not None]
        kept.sort(key=lambda s: (s.number, s.rank))
        return Lineage(kept, discarded, len(generations))

    def report(self) -> str:
        """Everything that helps to understand what went wrong."""
        lines = []
        for w in self.log:
            lines.append(
                f"pid {w.pid} agent {w.agent} rank {w.rank}/{w.world_size} {w.generation[:6]} from "
                f"{w.step} to {w.step + len(w.steps)}{' waits' * w.waits}{' ended' * w.ended}"
            )
        for path in sorted(self.folder.glob("agent*.log")):
            lines += [f"--- {path.name}", path.read_text(errors="replace")[-6000:]]
        return "\n".join(lines)

    # -- inside --------------------------------------------------------------------------------

    def _newest(self) -> list[Worker]:
        return [w for w in self.log if w.generation == self.log[-1].generation] if self.log else []

    def _wait(self, found: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + LIMIT
        with self._changed:
            while not (answer := found()):
                over = self.agents and all(agent.poll() is not None for agent in self.agents)
                if over or (not self._changed.wait(timeout=1) and time.monotonic() > deadline):
                    if answer := found():
                        return answer
                    raise TimeoutError(f"waited for {what}\n{self.report()}")
            return answer

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._listen, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _listen(self, connection: socket.socket) -> None:
        worker: Worker | None = None
        with connection:
            for told in _told(connection):
                event = told.pop("event")
                with self._changed:
                    if event == "start":
                        worker = Worker(**told)
                        self.log.append(worker)
                        self._connections[worker.pid] = connection
                    assert worker is not None
                    if event == "batch":
                        number = worker.step + len(worker.steps) + 1
                        what = told["epoch"], told["ids"], told["padded"]
                        worker.steps.append(Step(number, worker.rank, worker.world_size, *what))
                        worker.waits = True
                    elif event == "trained":
                        worker.steps[-1].loss = told["loss"]
                    elif event == "end":
                        worker.ended = True
                    self._release()
                    self._changed.notify_all()

    def _release(self) -> None:
        newest = self._newest()
        if not newest or newest[0].world_size != self._world:
            return
        for worker in newest:
            if worker.waits and (worker.rank, worker.steps[-1].number) != self._hold:
                worker.waits = False
                with suppress(OSError):  # killed meanwhile
                    self._connections[worker.pid].sendall(b"go\n")

    def _kill_tree(self, agent: subprocess.Popen[bytes]) -> None:
        """Stopped first, so that it starts no more workers while they are looked for."""
        if agent.poll() is None:
            os.kill(agent.pid, signal.SIGSTOP)
            for pid in children(agent.pid):
                os.kill(pid, signal.SIGKILL)
            os.kill(agent.pid, signal.SIGKILL)
            agent.wait(LIMIT)


def children(pid: int) -> list[int]:
    """The processes that this one has started, and not theirs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # gone meanwhile
            # "pid (name) state ppid ...": a name may hold spaces and brackets
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


def _told(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """What a worker tells, until it is gone."""
    with suppress(OSError), connection.makefile(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):  # else it was killed in the middle of a line
                yield json.loads(line)
