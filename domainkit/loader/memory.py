"""``Recycler``: large buffers that are used again once nobody holds them.

Memory that is new to a process comes page by page, each one cleared by the system when it is first
touched: for decoded pictures that costs as much as copying them. A batch's buffer is free again
when the last tensor that shows it is gone, which its reference count tells.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

__all__ = ["Recycler", "pinned"]

SMALL = 1 << 20  # bytes; what is smaller comes from memory that the process has
MOST = 16  # buffers kept


class Recycler:
    """Gives flat buffers; any thread may ask.

    Example:
        >>> memory = Recycler()
        >>> memory(4, torch.float32).shape
        torch.Size([4])
        >>> address = memory(1 << 20, torch.uint8).data_ptr()
        >>> memory(1 << 20, torch.uint8).data_ptr() == address
        True
    """

    def __init__(self) -> None:
        self._kept: list[np.ndarray] = [np.empty(0, np.uint8)]
        found = self._kept.pop(0)
        self._free = sys.getrefcount(found)  # of a buffer that nobody uses, as asked below

    def __call__(self, count: int, dtype: torch.dtype) -> torch.Tensor:
        """An uninitialised tensor [count]."""
        size = count * dtype.itemsize
        if size < SMALL:
            return torch.empty(count, dtype=dtype)
        # Taking it out of the list makes it ours: no other thread finds it there.
        for place in range(len(self._kept)):
            try:
                found = self._kept.pop(place)
            except IndexError:  # another thread took some
                break
            if sys.getrefcount(found) == self._free and size <= found.nbytes <= 2 * size:
                return self._lend(found, size, dtype)
            self._kept.insert(place, found)
        return self._lend(np.empty(size + size // 8, dtype=np.uint8), size, dtype)

    def _lend(self, buffer: np.ndarray, size: int, dtype: torch.dtype) -> torch.Tensor:
        lent = torch.from_numpy(buffer[:size]).view(dtype)
        self._kept.append(buffer)
        while len(self._kept) > MOST:
            self._kept.pop(0)  # whoever uses it keeps it alive
        return lent

    def __reduce__(self) -> tuple[type[Recycler], tuple[()]]:
        return Recycler, ()


def pinned(count: int, dtype: torch.dtype) -> torch.Tensor:
    """An uninitialised tensor [count] in page-locked memory, which torch recycles itself."""
    return torch.empty(count, dtype=dtype, pin_memory=True)
