"""``Pool``: a loader's threads, which take the most urgent task first.

They are born once, not once an epoch, and end with the loader. A thread holds the pool's queue and
not the pool, so nothing but its users keeps a pool alive.
"""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["NAME", "Pool", "usable_cpus"]

NAME = "domainkit-loader"
Task = Callable[[], Any]


class _Queue:
    def __init__(self) -> None:
        self.tasks: list[tuple[int, int, Task]] = []
        self.changed = threading.Condition()
        self.ended = False


class Pool:
    """``size`` threads; a task must not raise.

    In each thread a torch operation stays on that thread: every Python thread that calls torch gets
    a set of OpenMP threads of its own, and together they would crowd the cores.

    Example:
        >>> pool, done = Pool(2), threading.Event()
        >>> pool.submit(0, done.set)
        >>> done.wait(10)
        True
        >>> pool.close()
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._pid = os.getpid()
        self._queue = _Queue()
        self._turn = itertools.count()
        self._threads: list[threading.Thread] = []
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()  # each has ``abandon()``
        self._end = weakref.finalize(self, _end, self._queue, self._threads, self._pid)
        # torch's number of threads is the thread's own, except that it is also what threads born
        # later start with; so this one sets its own number again at the end
        own = torch.get_num_threads()
        born = threading.Barrier(size + 1)
        try:
            for number in range(size):
                thread = threading.Thread(
                    target=_work, args=(self._queue, born), name=f"{NAME}_{number}", daemon=True
                )
                thread.start()
                self._threads.append(thread)
            born.wait()
        except BaseException:  # no thread to be had, or Ctrl-C: let go of those that wait
            born.abort()
            self.close()
            raise
        finally:
            torch.set_num_threads(own)

    @property
    def alive(self) -> bool:
        """Whether its threads are there: they are not after ``close``, nor in a forked child."""
        return self._end.alive and os.getpid() == self._pid

    def submit(self, urgency: int, task: Task) -> None:
        """Queue a task; the lowest urgency comes first, and of equals the one that came first."""
        queue = self._queue
        with queue.changed:
            heapq.heappush(queue.tasks, (urgency, next(self._turn), task))
            queue.changed.notify()

    def has_before(self, urgency: int) -> bool:
        """Whether a task waits that is more urgent."""
        try:
            return self._queue.tasks[0][0] < urgency
        except IndexError:
            return False

    def owns_this_thread(self) -> bool:
        """Whether the caller is one of its threads."""
        return threading.current_thread() in self._threads

    def close(self) -> None:
        """End the threads, each after the task that it is at; tasks in the queue are dropped."""
        self._abandon()  # whoever waits is told at once
        try:
            self._end()
        finally:
            self._abandon()  # and whoever asked for a batch in between

    def _abandon(self) -> None:
        for user in list(self.users):
            user.abandon()


def usable_cpus() -> int:
    """The CPUs that this process may use, at most 8.

    Example:
        >>> 1 <= usable_cpus() <= 8
        True
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return min(8, len(affinity(0)) if affinity else os.cpu_count() or 1)


def _end(queue: _Queue, threads: list[threading.Thread], pid: int) -> None:
    if os.getpid() != pid:
        return  # a child of a fork has no such threads
    with queue.changed:
        queue.ended = True
        queue.tasks.clear()
        queue.changed.notify_all()
    for thread in threads:
        if thread is not threading.current_thread():  # garbage may be collected on any thread
            thread.join()


def _work(queue: _Queue, born: threading.Barrier) -> None:
    torch.get_num_threads()  # the thread's first question sets it to the common number
    torch.set_num_threads(1)
    try:
        born.wait()
    except threading.BrokenBarrierError:
        return
    while True:
        with queue.changed:
            while not queue.tasks and not queue.ended:
                queue.changed.wait()
            if queue.ended:
                return
            task = heapq.heappop(queue.tasks)[2]
        task()
        del task  # or it would live until the next one comes
