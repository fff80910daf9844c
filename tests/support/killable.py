"""Processes that are killed, a hundred a minute: forks of one process that has imported everything.

Starting Python and importing torch takes seconds, forking takes milliseconds. Forking is sound
here, as the process that is forked never has a second thread (it asserts so before every fork):
no lock can be in the hands of a thread that the fork does not take along. It also keeps nothing
open that belongs to a cache, so what a child holds ends with the child.

    with Killable("support.killed_jobs:warm_up") as killable:
        end = killable.run("support.killed_jobs:bring", "/cache", after=0.05)

What it is made with is run once before the first fork, so that it imports all that a job imports.
``after`` seconds, or before its ``step``-th change to anything below ``watched``, the child gets
SIGKILL. It is only waited for afterwards, so its number cannot have become another process's.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

__all__ = ["End", "Killable"]

# what would start threads while it is imported
_ALONE = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
# what Python tells an audit hook before it is done, and which of its arguments are paths
_CHANGES = {
    "open": (0,),
    "os.chmod": (0,),
    "os.link": (1,),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "os.utime": (0,),
    "shutil.move": (0, 1),
}
# these change nothing where the path is there already (True), or is not there (False)
_IDLE = {"os.mkdir": True, "os.remove": False, "os.rmdir": False}


@dataclass(frozen=True)
class End:
    """How a child ended.

    Attributes:
        killed: by SIGKILL; otherwise it came to its end by itself.
        seconds: how long it ran.
        steps: changes that it made below ``watched``.
        last: the change that it did not come to, when it was killed before one.
        said: all it wrote, and its traceback.
        good: it came to its end without an error.
    """

    killed: bool
    seconds: float
    steps: int
    last: str
    said: str
    good: bool


class Killable:
    """The process that is forked, and orders to it; ``env`` goes on top of this one's."""

    def __init__(self, first: str, env: Mapping[str, str] | None = None) -> None:
        paths = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
        self._process = subprocess.Popen(
            [sys.executable, __file__, first],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **_ALONE, "PYTHONPATH": os.pathsep.join(paths), **(env or {})},
        )
        assert self._answer() == {"ready": True}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self._process.communicate()  # the end of its input is the end of it

    def run(
        self,
        job: str,
        *args: Any,
        after: float | None = None,
        step: int | None = None,
        watched: Path | None = None,
    ) -> End:
        """Runs ``"module:function"`` with JSON-safe arguments in a child, and ends it as told."""
        order = {"job": job, "args": args, "after": after, "step": step}
        order["watched"] = None if watched is None else str(watched)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return End(**self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that is forked has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


class _Steps:
    """Counts changes below a folder, in this process, and kills it before one of them."""

    def __init__(self, watched: str, kill_at: int | None, report: int) -> None:
        self._watched, self._kill_at, self._report = watched, kill_at, report
        self.count = 0
        sys.addaudithook(self._see)

    def _see(self, event: str, args: tuple[Any, ...]) -> None:
        places = _CHANGES.get(event)
        if places is None:
            return
        if event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        names = [os.fsdecode(args[i]) for i in places if isinstance(args[i], (str, bytes))]
        if not any(name.startswith(self._watched) for name in names):
            return
        if event in _IDLE and os.path.lexists(names[0]) == _IDLE[event]:
            return
        self.count += 1
        if self.count == self._kill_at:
            shown = " -> ".join(name.removeprefix(self._watched) for name in names)
            os.write(self._report, f"\0step\0{event} {shown}\0".encode())
            os.kill(os.getpid(), signal.SIGKILL)


def _child(order: dict[str, Any], report: int) -> None:
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(report, number)
        # the objects of before remember what kind of file the number was
        setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))
    code, steps = 1, None
    try:
        if order["watched"] is not None:
            steps = _Steps(order["watched"], order["step"], report)
        _function(order["job"])(*order["args"])
        code = 0
    except BaseException:
        os.write(report, traceback.format_exc().encode())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if steps is not None:
            os.write(report, f"\0steps\0{steps.count}\0".encode())
        os._exit(code)


def _one(order: dict[str, Any]) -> dict[str, Any]:
    assert len(os.listdir("/proc/self/task")) == 1, "a thread was started before the fork"
    reading, writing = os.pipe()
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(order, writing)
    os.close(writing)
    said, due = b"", None if order["after"] is None else start + order["after"]
    while True:
        left = None if due is None else max(0.0, due - time.perf_counter())
        ready, _, _ = select.select([reading], [], [], left)
        if not ready:
            os.kill(child, signal.SIGKILL)
            due = None
            continue
        data = os.read(reading, 1 << 16)
        if not data:
            break
        said += data
    os.close(reading)
    _, status = os.waitpid(child, 0)
    parts = said.decode(errors="replace").split("\0")
    marks = dict(zip(parts[1::3], parts[2::3], strict=False))
    return {
        "killed": os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL,
        "seconds": time.perf_counter() - start,
        "steps": int(marks.get("steps", 0)),
        "last": marks.get("step", ""),
        "said": "".join(parts[0::3]),
        "good": status == 0,
    }


def _function(name: str) -> Callable[..., object]:
    module, _, function = name.partition(":")
    found: Callable[..., object] = getattr(importlib.import_module(module), function)
    return found


def _serve(first: str) -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what is said otherwise must not be taken for an answer
    _function(first)()
    gc.collect()
    gc.freeze()  # a collection in the child would write to, and so copy, every page
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_one(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
