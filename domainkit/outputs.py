"""``fresh``: room for the batches that a kernel writes, taken again once nobody holds it any more.

The system clears every page of new memory when it is first touched, which takes a third of the time
of a whole colour pass. A training loop drops a batch about when it asks for the next one, so its
room can serve again.
"""

from __future__ import annotations

import os
import sys
from threading import RLock

import numpy as np
import torch

__all__ = ["fresh", "room_like"]

_WORTH = 1 << 20  # bytes; the memory allocator keeps smaller pieces itself
_MOST = 1 << 28  # bytes that are watched, in use or not, per process
_rooms: list[np.ndarray] = []  # oldest first
_lock = RLock()  # a finalizer may run a transform within
if hasattr(os, "register_at_fork"):  # not on Windows
    # else a child could get the lock as held by a thread that it does not have
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


def fresh(count: int, dtype: str | np.dtype) -> np.ndarray:
    """An array [count] with any numbers in it, that nobody else holds.

    Up to 256 MB stay with the process for the next call; a room counts as free when neither an
    array nor a tensor refers to it.

    Example:
        >>> a = fresh(1 << 20, "float32")
        >>> b = fresh(1 << 20, "float32")
        >>> bool(np.shares_memory(a, b))
        False
        >>> del a
        >>> bool(np.shares_memory(fresh(1 << 20, "float32"), b))
        False
    """
    size = count * np.dtype(dtype).itemsize
    if not _WORTH <= size <= _MOST:
        return np.empty(count, dtype)
    with _lock:
        room = _free(size)
        if room is None:
            room = np.empty(size, np.uint8)
            _watch(room)
        return room[:size].view(dtype)


def room_like(x: torch.Tensor) -> torch.Tensor:
    """As ``torch.empty_like`` (without a gradient), in room that may have served before.

    Example:
        >>> room_like(torch.zeros(2, 3, dtype=torch.float64)).shape
        torch.Size([2, 3])
    """
    worth = x.device.type == "cpu" and x.nbytes >= _WORTH
    if torch.compiler.is_compiling() or not worth or not x.is_contiguous():
        return torch.empty_like(x, requires_grad=False)
    return torch.from_numpy(fresh(x.nbytes, "uint8")).view(x.dtype).view(x.shape)


def _free(size: int) -> np.ndarray | None:
    """The first free room that fits and is not half as large again."""
    for i in range(len(_rooms)):
        # the list's own reference and that of the call: no view, and so no tensor, is left
        if size <= _rooms[i].nbytes <= size + size // 2 and sys.getrefcount(_rooms[i]) == _ALONE:
            return _rooms[i]
    return None


def _watch(room: np.ndarray) -> None:
    _rooms.append(room)
    while sum(r.nbytes for r in _rooms) > _MOST:
        del _rooms[0]  # whoever holds it keeps it


def _count_alone() -> int:
    """What ``getrefcount`` says of an item that only a list holds, on this Python."""
    items = [np.empty(0)]
    return sys.getrefcount(items[0])


_ALONE = _count_alone()
