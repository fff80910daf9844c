"""``in_parts``: a batch cut into one part per thread, for kernels that let go of Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch

__all__ = ["in_parts"]

_WORTH = 1 << 17  # values; a smaller part costs more to hand over than it takes


def in_parts(work: Callable[[int, int], object], sizes: Sequence[int] | np.ndarray) -> None:
    """Call ``work(first, end)`` for consecutive parts of a batch, at most one per torch thread.

    ``torch.get_num_threads()`` says how many; it is 1 in a loader's threads, which are many
    already. Parts have about equally many values; the caller's thread does the first.

    Args:
        sizes: values of each sample.

    Example:
        >>> seen = []
        >>> in_parts(lambda first, end: seen.append((first, end)), [10, 10, 10])
        >>> seen
        [(0, 3)]
    """
    ends = np.cumsum(sizes)
    count = len(ends)
    if count == 0:
        return
    total = int(ends[-1])
    threads = min(torch.get_num_threads(), count, max(1, total // _WORTH))
    if threads < 2:
        work(0, count)
        return
    inner = np.searchsorted(ends, [total * i // threads for i in range(1, threads)]) + 1
    cuts = [0, *(int(c) for c in inner), count]
    parts = [(a, b) for a, b in pairwise(cuts) if a < b]
    inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    def there(first: int, end: int) -> None:
        # modes are a thread's own
        with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
            work(first, end)

    try:
        # what is set for the caller, as by use_form, holds there too
        others = [
            _threads(os.getpid()).submit(copy_context().run, there, a, b) for a, b in parts[1:]
        ]
    except RuntimeError:  # the interpreter is about to end, or no thread is to be had
        work(0, count)
        return
    try:
        work(*parts[0])
    finally:
        for other in others:
            other.result()


@lru_cache(maxsize=1)
def _threads(pid: int) -> ThreadPoolExecutor:
    """Born as they are needed; a forked child, which has none of them, gets its own."""
    return ThreadPoolExecutor(64, thread_name_prefix="domainkit-kernels")
