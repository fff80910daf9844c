"""``Tensor`` and ``Boxes``: numbers that are stored as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.features.base import Feature, raw_bytes
from domainkit.ragged import Ragged

__all__ = ["Boxes", "Tensor"]


@dataclass(frozen=True)
class Boxes(Feature):
    """Boxes around objects, four numbers each, in pixels; ``format`` is "xyxy" or "xywh".

    Example:
        >>> Boxes().decode(Boxes().encode([[0, 0, 8, 6]]))
        tensor([[0., 0., 8., 6.]])
    """

    format: str = "xyxy"
    storage: ClassVar[str] = "list"
    dtype_stored: ClassVar[str] = "float32"

    def encode(self, value: Any) -> np.ndarray:
        boxes = np.asarray(value, dtype=np.float32)
        if boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 4):
            raise ValueError(f"Boxes takes [n, 4] numbers, got shape {boxes.shape}")
        return boxes.reshape(-1)

    def decode(self, raw: Any) -> torch.Tensor:
        return torch.from_numpy(raw.reshape(-1, 4).copy())

    def collate(self, values: Sequence[Any]) -> Ragged:
        return Ragged.from_list(values, inner=1)

    def collate_stored(self, stored: tuple[np.ndarray, np.ndarray]) -> Ragged:
        values, lengths = stored
        return Ragged.from_shapes(torch.from_numpy(values.reshape(-1, 4).copy()), lengths // 4)


@dataclass(frozen=True)
class Tensor(Feature):
    """An array of one dtype and shape, stored raw.

    Example:
        >>> Tensor(dtype="float32", shape=(2, 3)).width
        24
    """

    dtype: str = "float32"
    shape: tuple[int, ...] = ()
    storage: ClassVar[str] = "fixed"

    @property
    def width(self) -> int:
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    def encode(self, value: Any) -> bytes:
        return raw_bytes(value, np.dtype(self.dtype), self.shape, "Tensor")

    def decode(self, raw: Any) -> torch.Tensor:
        return torch.from_numpy(np.frombuffer(raw, self.dtype).reshape(self.shape).copy())

    def collate_stored(self, stored: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(stored.view(self.dtype).reshape(len(stored), *self.shape))
