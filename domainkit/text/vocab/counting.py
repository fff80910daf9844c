"""Which of the tokens that were counted come into a vocabulary, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Set
from operator import itemgetter

from domainkit.errors import TransformError

__all__ = ["most_frequent"]


def most_frequent(
    counts: Mapping[str, int], min_freq: int, room: int | None, apart: Set[str] = frozenset()
) -> list[str]:
    """The most frequent tokens first, equals by alphabet, as torchtext orders them.

    Args:
        counts: how often each token occurs.
        min_freq: how often a token must occur.
        room: how many at most; None for all.
        apart: tokens that are left out, and take up no room.

    Raises:
        TransformError: min_freq below 1, or room below 0.

    Example:
        >>> most_frequent({"b": 2, "a": 2, "c": 3, "d": 1}, 2, None)
        ['c', 'a', 'b']
    """
    if min_freq < 1:
        raise TransformError(f"Vocab needs min_freq of 1 or more, got {min_freq}")
    if room is not None and room < 0:
        raise TransformError(f"Vocab: max_size is {-room} too small for the special tokens")
    kept = [item for item in counts.items() if item[1] >= min_freq and item[0] not in apart]
    kept.sort(key=itemgetter(0))
    kept.sort(key=itemgetter(1), reverse=True)  # stable: equals stay in order
    return [token for token, _ in kept[:room]]
