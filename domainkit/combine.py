"""``concat`` and ``mix``: several datasets as one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from domainkit.dataset import Dataset
from domainkit.joined import Joined
from domainkit.mixing import Turns, tempered_shares, until_first, whole_shares

__all__ = ["concat", "mix"]


def concat(datasets: Sequence[Dataset]) -> Dataset:
    """All rows of several datasets with the same columns, one dataset after the other.

    Example:
        >>> from domainkit import load_dataset
        >>> parts = [load_dataset("text/sentiment-sentences", s) for s in ("train", "test")]
        >>> len(concat(parts))
        3000
    """
    if not datasets:
        raise TypeError("concat needs at least one dataset")
    return Dataset(Joined(datasets))


def mix(
    datasets: Sequence[Dataset],
    weights: Sequence[float] | None = None,
    *,
    temperature: float | None = None,
) -> Dataset:
    """Interleave datasets in fixed proportions, each in its own order, no row twice.

    Of the first n rows, dataset k has given ``n * weights[k] / sum(weights)``, rounded up or down.
    It ends where the first dataset runs out, so nothing is repeated. (``samplers.Mixture`` shuffles
    each dataset besides, and can go on until the last one has run out.)

    Args:
        datasets: datasets with the same columns.
        weights: one positive number each.
        temperature: T > 0 instead of weights: a dataset of n rows has the weight ``n ** (1 / T)``,
            in proportions rounded to 1/65,536. 1 is by size, infinity all alike.

    Example:
        >>> from domainkit import load_dataset
        >>> ds = load_dataset("text/sentiment-sentences", "train")
        >>> mixed = mix([ds[:900], ds[900:]], weights=[3, 1])
        >>> len(mixed), [int(i) for i in mixed.ids([0, 1, 2, 3])]
        (1200, [0, 1, 2, 900])
    """
    if (weights is None) == (temperature is None):
        raise TypeError("mix takes weights or a temperature: give one of the two")
    given = [1.0] * len(datasets) if weights is None else list(weights)
    if len(given) != len(datasets) or not given or not all(0 < w < math.inf for w in given):
        raise TypeError(f"mix needs one positive weight per dataset, got {given}")
    joined, sizes = Joined(datasets), [len(d) for d in datasets]
    shares = whole_shares(given) if temperature is None else tempered_shares(sizes, temperature)
    n = until_first(shares, sizes)
    whose, turn = Turns(shares, n)[np.arange(n)]
    return Dataset(joined, joined.starts[whose] + turn)
