"""``vary_speed``'s reading between points on a CPU, in one pass; compiled by Numba at use."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from domainkit.jit import jit

__all__ = ["read"]


def read(fine: np.ndarray, steps: np.ndarray, table: np.ndarray, out: np.ndarray) -> None:
    """Fill ``out`` [B, C, M] from ``fine`` [B, C, N] at steps[b] * 0, 1, 2 and so on.

    ``table`` [phases + 1, 12] has the weights of the points around a place.
    """
    _compiled()(fine, steps, table.astype(out.dtype), out)


@functools.cache
def _compiled() -> Callable[..., Any]:
    # sums of 12 products may be made in any order: that is what makes them quick
    return jit(fastmath={"contract", "reassoc", "nsz"})(interpolated)


def interpolated(fine: np.ndarray, steps: np.ndarray, table: np.ndarray, out: np.ndarray) -> None:
    """``read``, as it is compiled."""
    lead = 2 * (12 // 4) - (12 // 2 - 1)
    phases = table.shape[0] - 1
    limit = fine.shape[2] - 12
    for b in range(fine.shape[0]):
        for c in range(fine.shape[1]):
            row = fine[b, c]
            for m in range(out.shape[2]):
                place = steps[b] * m
                first = int(place)
                start = first + lead
                if start > limit:
                    break
                phase = (place - first) * phases
                line = int(phase)
                weight = row.dtype.type(phase - line)
                total = row.dtype.type(0)
                for k in range(12):
                    left = table[line, k]
                    total += row[start + k] * (left + weight * (table[line + 1, k] - left))
                out[b, c, m] = total
