"""Batches of tokens as lists, ``Ragged`` and dense, and the plain-Python forms of what is done."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import strategies as st

from domainkit.ragged import Ragged

__all__ = ["as_ragged", "lists_of_tokens", "padded"]

# up to six sequences of up to nine tokens, some empty
lists_of_tokens = st.lists(st.lists(st.integers(3, 99), max_size=9), min_size=1, max_size=6)


def as_ragged(rows: Sequence[Sequence[int]], dtype: torch.dtype = torch.int64) -> Ragged:
    return Ragged.from_list([torch.tensor(row, dtype=dtype) for row in rows])


def padded(
    rows: Sequence[Sequence[int]], value: int, length: int, side: str = "right"
) -> list[list[int]]:
    """Every row filled up to ``length``, by lists."""
    fill = [[value] * (length - len(row)) for row in rows]
    if side == "right":
        return [[*row, *more] for row, more in zip(rows, fill, strict=True)]
    return [[*more, *row] for row, more in zip(rows, fill, strict=True)]
