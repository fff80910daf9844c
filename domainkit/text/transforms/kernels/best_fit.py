"""``assign``: best fit, compiled by Numba where it is installed, else plain Python.

The plan is made on the host for batches of any device, so it must work on a machine with torch
only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from domainkit.jit import jit

__all__ = ["assign"]


@cache
def assign() -> Callable[..., int]:
    """The function ``assigned(sizes, order, length, row)``.

    Example:
        >>> row = np.empty(3, np.int64)
        >>> assign()(np.array([3, 5, 1]), np.array([1, 0, 2]), 6, row), row.tolist()
        (2, [1, 0, 0])
    """
    return jit()(assigned) if find_spec("numba") is not None else assigned


def assigned(sizes: Any, order: Any, length: int, row: Any) -> int:
    """Put pieces, in this order, into the fullest row with room; the number of rows.

    Rows with the same room left form a chain, of which the newest is taken. Over the rooms 0 ..
    length stands a tree of how many rooms below a node have a row, so the least room that fits is
    found in log2(length) steps.

    Args:
        sizes: int64 [P], each at most ``length``.
        order: int64 [P], indices of pieces.
        row: int64 [P], gets each piece's row.
    """
    width = 1
    while width < length + 1:
        width *= 2
    below = np.zeros(2 * width, np.int64)
    head = np.full(length + 1, -1, np.int64)
    after = np.empty(len(sizes), np.int64)
    count = 0
    for i in order:
        node = width + sizes[i]
        found = below[node] > 0
        while not found and node > 1:  # climb until there is a tree on the right that has one
            found = node % 2 == 0 and below[node + 1] > 0
            node = node + 1 if found else node // 2
        if found:
            while node < width:
                node = 2 * node if below[2 * node] > 0 else 2 * node + 1
            room = node - width
            chosen = head[room]
            head[room] = after[chosen]
            if head[room] < 0:
                while node >= 1:
                    below[node] -= 1
                    node //= 2
        else:
            room, chosen = length, count
            count += 1
        row[i] = chosen
        left = room - sizes[i]
        if left > 0:
            if head[left] < 0:
                node = width + left
                while node >= 1:
                    below[node] += 1
                    node //= 2
            after[chosen] = head[left]
            head[left] = chosen
    return count
