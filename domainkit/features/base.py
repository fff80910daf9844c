"""What a typed column is, and what its kinds share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.errors import DecodeError
from domainkit.ragged import Ragged

__all__ = ["Feature", "expect_bytes", "raw_bytes", "stack_or_ragged"]


@dataclass(frozen=True)
class Feature:
    """The base of all features.

    ``storage`` says which of four layouts the store uses: "number", "binary" (one buffer and
    offsets), "fixed" (rows of one width) or "list" (numbers and offsets). ``decode`` gets a number,
    a memoryview or, for lists, a numpy array.

    A batch is made in one of two ways. Where decoding is nothing but another view of the bytes,
    ``collate_stored`` makes the whole field at once. Where it is work (``media``), threads decode
    row by row: into one buffer (``shape_of``, ``decode_into``) if every row's size is known ahead.

    Example:
        >>> from domainkit.features import Label
        >>> issubclass(Label, Feature), Label.storage
        (True, 'number')
    """

    storage: ClassVar[str]
    dtype_stored: ClassVar[str] = ""  # numpy name, for "number" and "list"
    media_dtype: ClassVar[torch.dtype]  # what media decode to
    channels_last: ClassVar[bool] = False  # whether media decode to [H, W, C] in memory

    @property
    def media(self) -> bool:
        """Whether decoding a row is work for a thread."""
        return False

    @property
    def width(self) -> int:
        """Bytes per row, for "fixed" storage."""
        raise NotImplementedError

    def encode(self, value: Any) -> Any:
        """Check a reader's value and turn it into what the store keeps."""
        raise NotImplementedError

    def decode(self, raw: Any) -> Any:
        """The value of one row, from what the store keeps."""
        raise NotImplementedError

    def collate(self, values: Sequence[Any]) -> Any:
        """Put the decoded values of several rows into one batch field."""
        return stack_or_ragged(values)

    def collate_stored(self, stored: Any) -> Any:
        """The batch field of what ``Source.take`` gives of several rows; not for media."""
        raise NotImplementedError

    def shape_of(self, raw: Any) -> tuple[int, ...] | None:
        """The shape that ``decode`` will give, where the header of the data tells it."""
        return None

    def decode_into(self, raw: Any, out: torch.Tensor) -> None:
        """``decode`` into a tensor of the shape that ``shape_of`` told, and of ``media_dtype``."""
        value = self.decode(raw)
        if value.shape != out.shape:
            raise DecodeError(
                f"the header promises {tuple(out.shape)}, the data hold {tuple(value.shape)}"
            )
        out.copy_(value)

    def spec(self) -> dict[str, Any]:
        """The card's spec of this feature: ``feature_from_spec`` undoes it."""
        given = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {"type": type(self).__name__, **{k: v for k, v in given.items() if v is not None}}


def expect_bytes(value: Any, kind: str) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"{kind} takes the bytes of a file, got {type(value).__name__}")
    return bytes(value)


def raw_bytes(value: Any, dtype: np.dtype, shape: tuple[int, ...], kind: str) -> bytes:
    array = value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    if array.dtype != dtype or array.shape != tuple(shape):
        raise TypeError(
            f"{kind} takes {dtype} {tuple(shape)}, got {array.dtype} {tuple(array.shape)}"
        )
    return array.tobytes()


def stack_or_ragged(values: Sequence[torch.Tensor]) -> torch.Tensor | Ragged:
    if all(v.shape == values[0].shape for v in values):
        return torch.stack(list(values))
    return Ragged.from_list(values)
