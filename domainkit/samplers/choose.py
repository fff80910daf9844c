"""From a loader's arguments ``shuffle`` and ``sampler`` to a sampler."""

from __future__ import annotations

from typing import Any

import numpy as np

from domainkit.samplers.base import Sampler
from domainkit.samplers.blocks import Blocks
from domainkit.samplers.sequential import Sequential
from domainkit.samplers.shuffled import Shuffled

__all__ = ["as_sampler"]


def as_sampler(shuffle: Any = False, sampler: Any = None) -> Sampler:
    """The sampler that ``shuffle`` means, or ``sampler`` itself.

    Args:
        shuffle: False (``Sequential``), True (``Shuffled``) or "blocks" (``Blocks``).
        sampler: a ``Sampler``; ``shuffle`` is then left False.

    Raises:
        ValueError: ``shuffle`` is something else, or both are given.
        TypeError: ``sampler`` is no sampler of domainkit's.

    Example:
        >>> as_sampler(True), as_sampler("blocks"), as_sampler(sampler=Blocks(window=4))
        (Shuffled(), Blocks(rows=512, window=16), Blocks(rows=512, window=4))
    """
    if isinstance(shuffle, Sampler):
        raise TypeError(f"shuffle takes True, False or 'blocks': give sampler={shuffle!r}")
    if sampler is None:
        if isinstance(shuffle, str) and shuffle == "blocks":
            return Blocks()
        if isinstance(shuffle, (bool, int, np.bool_)) and shuffle in (0, 1):
            return Shuffled() if shuffle else Sequential()
        raise ValueError(f"shuffle must be True, False or 'blocks', got {shuffle!r}")
    if not isinstance(sampler, Sampler):
        hint = (
            "call it"
            if isinstance(sampler, type)
            else "domainkit.samplers has those that there are"
        )
        raise TypeError(
            f"sampler must be a domainkit Sampler, got {sampler!r:.80}: {hint}; a torch sampler "
            "cannot say which row comes at which position"
        )
    if shuffle not in (False, None):
        raise ValueError(
            f"give shuffle={shuffle!r} or sampler={sampler!r}, not both: a sampler is an order "
            "already"
        )
    return sampler
