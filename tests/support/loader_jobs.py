"""How ``tests/benchmarks/loader.py`` measures one loader: speed, the first batch, memory.

Each peer lives in a process of its own, which stays from round to round: so imports are paid once,
and no peer's threads, spinning or memory disturb another's.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Job", "Peer", "line", "median", "private_bytes", "work"]


@dataclass(frozen=True)
class Job:
    """What a loader is to do.

    Attributes:
        what: "images", "audio" or "text"; form: the kind of work within it.
        folder: where the data lies: ``pictures/``, ``clips/``, ``texts.json`` and the stores.
        count: samples of an epoch; batch: samples of a batch.
        threads: torch's intra-op threads in the process.
        measure: "speed" or "memory".
    """

    what: str
    form: str
    folder: str
    count: int
    batch: int = 64
    threads: int = 1
    measure: str = "speed"


@dataclass(frozen=True)
class Peer:
    """One way to load.

    Attributes:
        name: the row's heading.
        packages: what is imported.
        make: a job -> something that ``iter`` turns into an epoch of batches, again and again.
        amount: a batch -> how much is in it (pictures, seconds, tokens); checks its form.
        torch_loader: it is a torch DataLoader, whose best the others are compared with.
        forms: the forms of the job that it can do; empty for all.
        slow: it runs in the first round only.
    """

    name: str
    packages: tuple[str, ...]
    make: Callable[[Job], Iterable[Any]]
    amount: Callable[[Any], float]
    torch_loader: bool = False
    forms: tuple[str, ...] = ()
    slow: bool = False

    @property
    def missing(self) -> str | None:
        """Why it cannot run here; None where it can."""
        for name in self.packages:
            try:
                importlib.import_module(name)
            except (ImportError, OSError, RuntimeError) as error:
                return f"not installed: {name} ({str(error).splitlines()[0][:80]})"
        return None


# --- measuring ------------------------------------------------------------------------------------


def speed(peer: Peer, job: Job) -> dict[str, Any]:
    """One epoch of a fresh loader, and the first batch of its second epoch."""
    loader = peer.make(job)
    gc.collect()
    others, own = _busy(), _own()
    start = time.perf_counter()
    batches = iter(loader)
    amount = peer.amount(next(batches))
    first = time.perf_counter() - start
    processes = 1 + len(_children())
    for batch in batches:
        amount += peer.amount(batch)
    seconds = time.perf_counter() - start
    del batches  # waits for workers, whose time counts only then
    own, others = _own() - own, _busy() - others
    start = time.perf_counter()
    again = iter(loader)
    next(again)
    second = time.perf_counter() - start
    del again
    return {
        "amount": amount,
        "rate": amount / seconds,
        "first_ms": first * 1e3,
        "second_ms": second * 1e3,
        "cpu_ms": own / amount * 1e3,
        "processes": processes,
        "others": max(0.0, others - own) / seconds,  # CPUs that something else kept busy
    }


def memory(peer: Peer, job: Job) -> dict[str, Any]:
    """The most private memory that an epoch adds to this process, and that its children have."""
    for _ in zip(range(2), peer.make(job), strict=False):
        pass  # what is imported and allocated once is not the loader's
    gc.collect()
    before = private_bytes("self")
    parent = children = processes = 0
    for number, batch in enumerate(peer.make(job)):
        peer.amount(batch)
        if number % 4 == 0:
            found = _children()
            parent = max(parent, private_bytes("self") - before)
            children = max(children, sum(map(private_bytes, found)))
            processes = max(processes, 1 + len(found))
    return {"parent": parent, "children": children, "processes": processes, "before": before}


def private_bytes(process: int | str) -> int:
    """The memory that would be free without this process; 0 where it is over, or not on Linux."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    lines = (line.split() for line in text.splitlines())
    return sum(int(line[1]) * 1024 for line in lines if line[0].startswith("Private_"))


def _children() -> list[int]:
    """The processes below this one, of any depth."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
            )
        except (OSError, IndexError, ValueError):
            continue  # over in the meantime
    found = [os.getpid()]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found[1:]


def _own() -> float:
    """CPU seconds of this process and of its children that are over."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)


def _busy() -> float:
    """CPU seconds of the whole machine so far; 0 where it does not say."""
    try:
        line = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return 0.0
    ticks = [int(n) for n in line]
    idle = ticks[3] + ticks[4]
    return (sum(ticks[:8]) - idle) / os.sysconf("SC_CLK_TCK")


# --- the process ----------------------------------------------------------------------------------


def work(peers: Sequence[Peer], name: str) -> None:
    """Does the jobs that come as lines of JSON, one answer a line, until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints goes elsewhere
    (peer,) = [peer for peer in peers if peer.name == name]
    for line in sys.stdin:
        job = Job(**json.loads(line))
        try:
            import torch

            torch.set_num_threads(job.threads)
            answer = {"speed": speed, "memory": memory}[job.measure](peer, job)
        except Exception as error:  # told in the table, and the others go on
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def line(job: Job) -> str:
    return json.dumps(asdict(job)) + "\n"


def median(values: Iterable[float]) -> float:
    return statistics.median(list(values))
