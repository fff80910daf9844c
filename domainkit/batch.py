"""``Batch``: the fields of several samples, and which samples they are."""

from __future__ import annotations

from typing import Any

import torch

from domainkit.ragged import Ragged

__all__ = ["Batch"]


class Batch(dict[str, Any]):
    """A dict of fields that prints shapes instead of values.

    A field is a dense tensor [B, ...], a ``Ragged`` or a list of strings.

    Attributes:
        ids: int64 tensor [B] on the host: the ids of the samples in their dataset. Random draws
            belong to these ids.
        transformed: whether a loader's transform made it; ``model.predict`` refuses such a batch,
            since it applies the recipe itself.

    Example:
        >>> Batch({"image": torch.zeros(2, 3, 8, 8), "text": ["a", "b"]}, ids=torch.tensor([5, 9]))
        Batch(B=2)
          image  float32 [2, 3, 8, 8]
          text   2 strings
    """

    def __init__(
        self, fields: Any = (), *, ids: torch.Tensor | None = None, transformed: bool = False
    ) -> None:
        super().__init__(fields)
        self.transformed = transformed
        self.ids = torch.empty(0, dtype=torch.int64) if ids is None else ids

    def copy(self) -> Batch:
        return Batch(self, ids=self.ids, transformed=self.transformed)

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors; strings are not counted."""
        values = (v.values if isinstance(v, Ragged) else v for v in self.values())
        return sum(v.nbytes for v in values if isinstance(v, torch.Tensor))

    def to(self, *args: Any, **kwargs: Any) -> Batch:
        """Every tensor and ``Ragged`` moved as ``torch.Tensor.to`` would; strings stay."""
        moved = {k: v.to(*args, **kwargs) if _is_tensor(v) else v for k, v in self.items()}
        return Batch(moved, ids=self.ids, transformed=self.transformed)

    def pin_memory(self) -> Batch:
        """Every tensor in page-locked memory, copied where it is not (needs CUDA)."""
        pinned = {k: v.pin_memory() if _is_tensor(v) else v for k, v in self.items()}
        return Batch(pinned, ids=self.ids, transformed=self.transformed)

    def record_stream(self, stream: Any) -> None:
        """Tell CUDA's allocator that ``stream`` uses these tensors."""
        for value in self.values():
            if _is_tensor(value):
                value.record_stream(stream)

    def __repr__(self) -> str:
        width = max((len(k) for k in self), default=0)
        lines = [f"Batch(B={len(self.ids)})"]
        lines += [f"  {key.ljust(width)}  {_describe(value)}" for key, value in self.items()]
        return "\n".join(lines)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, (torch.Tensor, Ragged))


def _describe(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    if isinstance(value, list):
        return f"{len(value)} strings"
    return repr(value)
