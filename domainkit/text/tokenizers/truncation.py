"""How many tokens of each text stay, so that a row with its special tokens is not too long.

The strategies are those of the ``tokenizers`` library, by arithmetic on the lengths of the batch.
"""

from __future__ import annotations

import numpy as np

from domainkit.errors import TransformError

__all__ = ["STRATEGIES", "check_strategy", "kept_lengths"]

STRATEGIES = ("longest_first", "only_first", "only_second", "error")


def check_strategy(strategy: str) -> None:
    """TransformError for an unknown strategy."""
    if strategy not in STRATEGIES:
        raise TransformError(f"truncation is one of {', '.join(STRATEGIES)}, got {strategy!r}")


def kept_lengths(lengths: np.ndarray, room: int, strategy: str) -> np.ndarray:
    """The tokens that stay of every text.

    Args:
        lengths: int64 [rows, k], tokens of each text; k is 1 or 2 (a pair).
        room: tokens that fit into a row, without the special ones; at least 0.
        strategy: "longest_first" takes from the longer text until both are equal, "only_first" and
            "only_second" from one; "error" raises where anything would have to go.

    Raises:
        TransformError: an unknown strategy, or one that cannot make a row short enough.

    Example:
        >>> kept_lengths(np.array([[9, 3], [9, 9]]), 8, "longest_first").tolist()
        [[5, 3], [4, 4]]
    """
    check_strategy(strategy)
    excess = lengths.sum(axis=1) - room
    if (excess <= 0).all():
        return lengths
    if strategy == "error":
        row = int(np.argmax(excess > 0))
        raise TransformError(
            f"text {row} has {int(lengths[row].sum())} tokens and {room} fit (besides the special "
            'ones): raise max_length or choose a truncation, such as "longest_first"'
        )
    if lengths.shape[1] == 1:
        if strategy == "only_second":
            raise TransformError('truncation "only_second" needs pairs=')
        return np.minimum(lengths, room)
    if strategy == "longest_first":
        return np.where((excess > 0)[:, None], _longest_first(lengths, room), lengths)
    column = 0 if strategy == "only_first" else 1
    kept = lengths.copy()
    kept[:, column] -= np.maximum(excess, 0)
    short = kept[:, column] <= 0
    if (short & (excess > 0)).any():
        row = int(np.argmax(short & (excess > 0)))
        raise TransformError(
            f"pair {row} has {lengths[row].tolist()} tokens and {room} fit: {strategy!r} cannot "
            'make it short enough; "longest_first" takes from both'
        )
    return kept


def _longest_first(lengths: np.ndarray, room: int) -> np.ndarray:
    """The shorter one stays whole where it fits beside as much of the other, else both halve."""
    low = lengths.min(axis=1)
    high = np.maximum(low, room - low)
    halves = low + high > room
    low, high = np.where(halves, room // 2, low), np.where(halves, room - room // 2, high)
    first_is_longer = (lengths[:, 0] > lengths[:, 1])[:, None]
    return np.where(first_is_longer, np.stack([high, low], axis=1), np.stack([low, high], axis=1))
