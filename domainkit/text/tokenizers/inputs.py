"""What callers give: checked, and brought into one form."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["check_surrogates", "checked_texts", "id_rows"]


def checked_texts(texts: Any, what: str) -> list[str]:
    """A list of str; TransformError for anything else."""
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        hint = ": put it into a list" if isinstance(texts, str) else ""
        raise TransformError(f"{what} must be a list of str, got {type(texts).__name__}{hint}")
    texts = list(texts)
    if set(map(type, texts)) <= {str}:  # a tenth of the time of the loop
        return texts
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TransformError(f"{what} must be a list of str, item {i} is {type(text).__name__}")
    return texts


def check_surrogates(texts: list[str]) -> None:
    """TransformError for a str that is no Unicode text and cannot be written in UTF-8."""
    for i, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise TransformError(
                f"text {i} is no Unicode text: half a surrogate pair ({text[error.start]!r}) at "
                f'character {error.start}. text.encode("utf-8", "replace").decode() takes it out'
            ) from error


def id_rows(ids: Any, vocab_size: int) -> list[list[int]]:
    """Rows of ids as lists; TransformError for something else, or an id that there is not."""
    rows = _lists(ids)
    low = min((min(row) for row in rows if row), default=0)
    high = max((max(row) for row in rows if row), default=0)
    if low < 0:
        raise TransformError(f"ids begin at 0, got {low}: replace what a loss leaves out (-100)")
    if high >= max(vocab_size, 1):
        raise TransformError(f"ids lie from 0 to {vocab_size - 1}, got {high}")
    return rows


def _lists(ids: Any) -> list[list[int]]:
    if isinstance(ids, Ragged):
        values = ids.values.tolist()
        return [values[a:b] for a, b in pairwise(ids.host_offsets.tolist())]
    if isinstance(ids, (torch.Tensor, np.ndarray)):
        ids = ids.tolist()
    if not isinstance(ids, (list, tuple)):
        raise TransformError(
            f"decode takes a Ragged, a tensor or lists of ids, got {type(ids).__name__}"
        )
    whole: list[Any] = [
        row.tolist() if isinstance(row, (torch.Tensor, np.ndarray)) else row for row in ids
    ]
    if whole and all(isinstance(row, (int, np.integer)) for row in whole):
        return [[int(i) for i in whole]]
    for row in whole:
        if not isinstance(row, (list, tuple)) or not all(
            isinstance(i, (int, np.integer)) for i in row
        ):
            raise TransformError("decode takes rows of whole numbers, or one such row")
    return [[int(i) for i in row] for row in whole]
