"""What a sampler and an order are, and what all of ours share."""

from __future__ import annotations

import hashlib
import json
import math
import numbers
import operator
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["Kept", "Order", "RowOrder", "Sampler", "at_least", "digest"]


class Order(Protocol):
    """One epoch's order as a function: ``order[positions]`` gives the rows that come there.

    It has no place of its own and may be asked by several threads at once, for any positions in
    any sequence: what comes at a position depends on nothing but the position.

    Example:
        >>> from domainkit.order import Permutation
        >>> order: Order = Permutation(10, seed=0, epoch=0)
        >>> len(order), order[np.array([3, 4])].shape
        (10, (2,))
    """

    def __len__(self) -> int:
        """Positions in the epoch."""

    def __getitem__(self, positions: Any, /) -> np.ndarray:
        """int64 rows [k] for int positions [k], each in [0, len)."""


class Sampler(ABC):
    """Which rows an epoch shows, and when.

    Subclass it for an order of your own, as a frozen dataclass (``eq=False``: samplers compare by
    ``spec``): the fields are what a saved loader state holds against a new sampler.

    Example:
        >>> from dataclasses import dataclass
        >>> from domainkit.samplers import Sequential
        >>> @dataclass(frozen=True, eq=False)
        ... class Every(Sampler):
        ...     step: int
        ...     def length(self, dataset):
        ...         return len(range(0, len(dataset), self.step))
        ...     def order(self, dataset, seed, epoch):
        ...         return Sequential().order(dataset, seed, epoch)[:: self.step]
        >>> Every(3).order(range(10), seed=0, epoch=0), Every(3).spec()
        (array([0, 3, 6, 9]), {'kind': 'Every', 'step': 3})
    """

    @property
    def repeats(self) -> bool:
        """Whether a row may come twice in an epoch: each time then gets random draws of its own,
        by its position, and not by the row."""
        return False

    @abstractmethod
    def length(self, dataset: Dataset) -> int:
        """Positions in an epoch."""

    @abstractmethod
    def order(self, dataset: Dataset, seed: int, epoch: int) -> Order:
        """The order of one epoch.

        Args:
            dataset: whose rows.
            seed: any int; its low 64 bits count.
            epoch: in [0, 2**32).
        """

    def spec(self) -> dict[str, Any]:
        """The settings as a small JSON-safe dict: equal for samplers that give the same orders."""
        found: dict[str, Any] = {"kind": type(self).__name__}
        if is_dataclass(self):
            found |= {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.init}
        return found

    def __eq__(self, other: object) -> bool:
        same = type(self) is type(other)
        return same and isinstance(other, Sampler) and self.spec() == other.spec()

    def __hash__(self) -> int:
        return hash(json.dumps(self.spec(), sort_keys=True))


class RowOrder(ABC):
    """An order that is given by ``_rows``: checked int64 positions [k] to int64 rows [k]."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, positions: Any) -> np.ndarray:
        """int64 rows for int positions in [0, len), of any shape."""
        if isinstance(positions, slice):
            positions = np.arange(*positions.indices(self._length), dtype=np.int64)
        x = np.array(positions, dtype=np.int64)
        if x.size and not (x.min() >= 0 and x.max() < self._length):
            raise IndexError(f"positions {x.min()}..{x.max()} of an order of {self._length}")
        return self._rows(x.reshape(-1)).reshape(x.shape)

    @abstractmethod
    def _rows(self, positions: np.ndarray) -> np.ndarray: ...


class Kept:
    """What was made of the dataset seen last, so that it is made once and not once an epoch.

    It is no part of a sampler's value: a copy or a pickle of it starts empty.

    Example:
        >>> kept, made = Kept(), []
        >>> dataset = type("Rows", (), {})()
        >>> [kept.of(dataset, lambda d: made.append(1) or len(made)) for _ in range(3)]
        [1, 1, 1]
    """

    def __init__(self) -> None:
        self._last: tuple[weakref.ref[Any], Any] | None = None

    def of(self, dataset: Any, make: Callable[[Any], Any]) -> Any:
        """``make(dataset)``, or what that gave the last time."""
        last = self._last  # read once: another thread may put its own there
        if last is not None and last[0]() is dataset:
            return last[1]
        made = make(dataset)
        self._last = weakref.ref(dataset), made
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Kept, ()


def at_least(least: int, name: str, value: Any) -> int:
    """``value`` as an int of at least ``least``.

    Example:
        >>> at_least(1, "times", np.int64(3))
        3
    """
    try:
        number = operator.index(value)  # numpy's ints too, no floats
    except TypeError as error:
        raise TypeError(f"{name} must be a whole number, got {value!r}") from error
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return number


def digest(array: np.ndarray) -> str:
    """32 hex digits that say which numbers these are, the same on every machine.

    Example:
        >>> digest(np.array([1.0, 2.0])) == digest(np.array([1, 2]))
        True
    """
    return hashlib.sha256(array.astype("<f8").tobytes()).hexdigest()[:32]


def _plain(value: Any) -> Any:
    if isinstance(value, Sampler):
        return value.spec()
    if isinstance(value, np.ndarray):
        return digest(value)
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):  # JSON has no infinity
        return float(value) if math.isfinite(value) else str(float(value))
    return repr(value)
