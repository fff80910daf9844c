"""``Label``, ``Int`` and ``Float``: one number per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.errors import NotFoundError, nearest
from domainkit.features.base import Feature

__all__ = ["Float", "Int", "Label"]


@dataclass(frozen=True)
class Label(Feature):
    """A class: an index into ``names``.

    Example:
        >>> Label(names=("cat", "dog")).encode("dog")
        1
    """

    names: tuple[str, ...] = ()
    storage: ClassVar[str] = "number"
    dtype_stored: ClassVar[str] = "int32"

    def encode(self, value: Any) -> int:
        if isinstance(value, str):
            if value not in self.names:
                raise NotFoundError(f"there is no class {value!r}. {nearest(value, self.names)}")
            return self.names.index(value)
        number = whole(value, 32)
        if self.names and not 0 <= number < len(self.names):
            raise ValueError(f"class {value} is outside 0..{len(self.names) - 1}")
        return number

    def decode(self, raw: Any) -> int:
        return int(raw)

    def collate(self, values: Sequence[Any]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.int64)

    def collate_stored(self, stored: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(stored.astype(np.int64))


@dataclass(frozen=True)
class Int(Feature):
    """A whole number.

    Example:
        >>> Int().encode("12")
        12
    """

    storage: ClassVar[str] = "number"
    dtype_stored: ClassVar[str] = "int64"

    def encode(self, value: Any) -> int:
        return whole(value, 64)

    def decode(self, raw: Any) -> int:
        return int(raw)

    def collate(self, values: Sequence[Any]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.int64)

    def collate_stored(self, stored: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(stored.astype(np.int64))


@dataclass(frozen=True)
class Float(Feature):
    """A real number.

    Example:
        >>> Float().collate([0.5, 2.0])
        tensor([0.5000, 2.0000])
    """

    storage: ClassVar[str] = "number"
    dtype_stored: ClassVar[str] = "float64"

    def encode(self, value: Any) -> float:
        return float(value)

    def decode(self, raw: Any) -> float:
        return float(raw)

    def collate(self, values: Sequence[Any]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32)

    def collate_stored(self, stored: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(stored.astype(np.float32))


def whole(value: Any, bits: int) -> int:
    """An int that loses nothing: "12" and 3.0 are whole, 1.5 and what does not fit are not."""
    if isinstance(value, (float, np.floating)) and not value.is_integer():
        raise ValueError(f"expected a whole number, got {value}")
    number = int(value)
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise ValueError(f"{number} does not fit into {bits} bits")
    return number
