"""The rows of a table that point most nearly the way a vector does."""

from __future__ import annotations

import numpy as np

from domainkit.text.vectors.table import Table

__all__ = ["nearest_rows"]

_BLOCK = 1 << 16  # rows at a time, so that a mapped file does not fill memory


def nearest_rows(
    table: Table, vector: np.ndarray, k: int, leave_out: int = -1
) -> list[tuple[int, float]]:
    """The k rows of the largest cosine with ``vector``, float32 [dim], and these cosines.

    Equals come in the order of the rows. Zero vectors point nowhere: their cosine is 0.

    Args:
        leave_out: a row that is none of them.
    """
    cosines = np.zeros(len(table.rows), np.float32)
    length = np.float32(np.sqrt(vector @ vector))
    for start in range(0, len(cosines), _BLOCK):
        part = slice(start, start + _BLOCK)
        product = table.rows[part] @ vector
        np.divide(product, table.norms[part] * length, out=cosines[part], where=product != 0)
    if leave_out >= 0:
        cosines[leave_out] = -np.inf
    k = min(k, len(cosines) - (leave_out >= 0))
    if k < 1:
        return []
    best = np.argsort(-cosines, kind="stable")[:k] if k * 8 > len(cosines) else _top(cosines, k)
    return [(int(i), float(cosines[i])) for i in best]


def _top(cosines: np.ndarray, k: int) -> np.ndarray:
    """As a stable sort, without sorting all."""
    least = np.partition(cosines, -k)[-k]
    among = np.flatnonzero(cosines >= least)
    return among[np.argsort(-cosines[among], kind="stable")[:k]]
