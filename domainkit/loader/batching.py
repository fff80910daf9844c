"""``Bucketed`` and ``Budget``: batches of samples that are alike in size.

Samples of many lengths in one batch are padded to the longest, or wait for it. So positions of the
order are taken a window at a time, sorted by length within it, and cut into buckets of neighbours;
the buckets come in an order drawn for the window, and batches are cut from what that gives.

The sequence depends on the window and the bucket only. Batch size, budget and world size decide
where it is cut, so they may change in the middle of an epoch and no sample is lost or repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Bucketed", "Budget", "Windowing"]

UNITS = ("tokens", "seconds", "pixels", "total")


@dataclass(frozen=True)
class Windowing:
    """How far samples are moved to lie beside others of their length.

    Attributes:
        column: whose lengths; see ``Dataset.lengths``.
        window: samples that are sorted together: the reach of the sorting, and with ``shuffle`` the
            least distance over which samples are still mixed.
        bucket: samples of neighbouring length that stay together.
    """

    column: str
    window: int
    bucket: int

    def __post_init__(self) -> None:
        if self.bucket < 1 or self.window < self.bucket:
            raise ValueError(
                f"expected 1 <= bucket <= window, got bucket={self.bucket}, window={self.window}"
            )


@dataclass(frozen=True)
class Bucketed:
    """Batches of a fixed number of samples of similar length.

    Args:
        size: samples per batch and rank.
        column: whose lengths count: the items of Tokens, the bytes of Text, the seconds of Audio,
            the pixels of an Image, or a number column's own values ("duration").
        window: samples that are sorted together.
        bucket: samples of neighbouring length that stay together; about the samples of a few
            batches. Larger ones waste less on padding, smaller ones mix lengths better.

    Example:
        >>> Bucketed(32, "tokens")
        Bucketed(size=32, column='tokens', window=8192, bucket=512)
    """

    size: int
    column: str
    window: int = 8192
    bucket: int = 512

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")
        self.windowing.__post_init__()

    @property
    def windowing(self) -> Windowing:
        return Windowing(self.column, self.window, self.bucket)


@dataclass(frozen=True)
class Budget:
    """Batches of as many samples as fit a budget of tokens, seconds or pixels.

    A batch costs what it does once it is padded: its longest sample times its number of samples;
    ``padded=False`` adds up the lengths instead, for models that take ``Ragged`` batches. A sample
    above the whole budget comes alone. A batch ends where its window does.

    Args:
        tokens, seconds, pixels, total: the budget per batch and rank; give one of them. The column
            it is about is "tokens", "audio" or "image" unless ``column`` says otherwise; ``total``
            is of a number column's values and needs ``column``.
        column: as in ``Bucketed``.
        max_samples: at most so many samples in a batch; None for no limit.
        padded: whether padding counts.
        window, bucket: as in ``Bucketed``.

    Example:
        >>> Budget(seconds=120.0).column
        'audio'
        >>> Budget(tokens=10).cuts([3, 4, 6, 2, 9])
        [2, 3, 4]
    """

    tokens: float | None = None
    seconds: float | None = None
    pixels: float | None = None
    total: float | None = None
    column: str = ""
    max_samples: int | None = None
    padded: bool = True
    window: int = 8192
    bucket: int = 512

    def __post_init__(self) -> None:
        given = {unit: getattr(self, unit) for unit in UNITS if getattr(self, unit) is not None}
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(UNITS)}, got {', '.join(given) or 'none'}")
        ((unit, limit),) = given.items()
        if not limit > 0:
            raise ValueError(f"{unit} must be above 0, got {limit}")
        if self.max_samples is not None and self.max_samples < 1:
            raise ValueError(f"max_samples must be at least 1, got {self.max_samples}")
        column = self.column or {"tokens": "tokens", "seconds": "audio", "pixels": "image"}.get(
            unit
        )
        if not column:
            raise ValueError("total=... needs column=..., the numbers that it is about")
        object.__setattr__(self, "column", column)
        self.windowing.__post_init__()

    @property
    def limit(self) -> float:
        """The budget itself."""
        return float(next(v for u in UNITS if (v := getattr(self, u)) is not None))

    @property
    def windowing(self) -> Windowing:
        return Windowing(self.column, self.window, self.bucket)

    def cuts(self, lengths: Any) -> list[int]:
        """Where batches end among samples of these lengths: each ends before the index given.

        The last batch ends with the samples, so its end is not among them.
        """
        limit, most = self.limit, self.max_samples or len(lengths)
        ends, first, longest, cost = [], 0, 0.0, 0.0
        for index, length in enumerate(np.asarray(lengths, dtype=np.float64).tolist()):
            count = index - first
            longest = max(longest, length)
            cost = longest * (count + 1) if self.padded else cost + length
            if count and (cost > limit or count >= most):
                ends.append(index)
                first, longest, cost = index, length, length
        return ends
