"""``Text`` and ``Tokens``: strings, and sequences of whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.errors import DecodeError
from domainkit.features.base import Feature
from domainkit.ragged import Ragged

__all__ = ["Text", "Tokens"]


@dataclass(frozen=True)
class Text(Feature):
    """A string.

    Example:
        >>> Text().decode(Text().encode("zwölf"))
        'zwölf'
    """

    storage: ClassVar[str] = "binary"

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise TypeError(f"Text takes a str, got {type(value).__name__}")
        return value.encode("utf-8")

    def decode(self, raw: Any) -> str:
        try:
            return str(raw, "utf-8")
        except UnicodeDecodeError as error:
            raise DecodeError(f"the stored text is not UTF-8: {error}") from error

    def collate(self, values: Sequence[Any]) -> list[str]:
        return list(values)

    def collate_stored(self, stored: Sequence[Any]) -> list[str]:
        return [self.decode(raw) for raw in stored]


@dataclass(frozen=True)
class Tokens(Feature):
    """A sequence of whole numbers of any length.

    Example:
        >>> Tokens().decode(Tokens().encode([3, 1, 2]))
        tensor([3, 1, 2])
    """

    storage: ClassVar[str] = "list"
    dtype_stored: ClassVar[str] = "int32"

    def encode(self, value: Any) -> np.ndarray:
        array = np.asarray(value)
        if not array.size:
            return np.empty(0, np.int32)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise TypeError(f"Tokens takes [L] whole numbers, got {array.dtype} {array.shape}")
        if array.min() < -(2**31) or array.max() >= 2**31:
            raise ValueError(f"Tokens takes int32, got {array.min()} to {array.max()}")
        return array.astype(np.int32)

    def decode(self, raw: Any) -> torch.Tensor:
        return torch.from_numpy(raw.astype(np.int64))

    def collate_stored(self, stored: tuple[np.ndarray, np.ndarray]) -> torch.Tensor | Ragged:
        values, lengths = torch.from_numpy(stored[0].astype(np.int64)), stored[1]
        if len(lengths) and (lengths == lengths[0]).all():
            return values.view(len(lengths), int(lengths[0]))
        return Ragged.from_shapes(values, lengths)
