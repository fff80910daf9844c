"""``Rows``: the boxes or points of a batch in one flat tensor, whatever form they came in."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["Rows", "is_tv", "plain", "wrap_like"]


def is_tv(value: Any, kind: str) -> bool:
    """Whether a value is torchvision's ``tv_tensors.<kind>``."""
    # nobody has made one unless the module is loaded
    module = sys.modules.get("torchvision.tv_tensors")
    return module is not None and isinstance(value, getattr(module, kind, ()))


def plain(value: Any) -> Any:
    """A tensor without torchvision's wrapping; anything else as it is."""
    return value.as_subclass(torch.Tensor) if is_tv(value, "TVTensor") else value


def wrap_like(value: Any, like: Any, **facts: Any) -> Any:
    """A tensor in the wrapping of ``like``, if that has one."""
    if not is_tv(like, "TVTensor") or not isinstance(value, torch.Tensor):
        return value
    from torchvision import tv_tensors

    return tv_tensors.wrap(value, like=like, **facts)


@dataclass(frozen=True)
class Rows:
    """Objects of all samples, one after the other.

    Attributes:
        values: [N, *inner].
        counts: int64 [B] on the host: how many belong to each sample.
        like: the value they came from: a ``Ragged``, a tensor [B, N, *inner] or [B, *inner], a
            tv_tensor, or a list of tensors, one per sample.
        format: of boxes: what torchvision's wrapping says, in lower case, or None.
        mode: of boxes: torchvision's clamping mode.
    """

    values: torch.Tensor
    counts: np.ndarray
    like: Any
    format: str | None = None
    mode: str | None = "soft"

    @classmethod
    def of(cls, name: str, value: Any, batch: int, inner: int = 1) -> Rows:
        """Read a field of a batch.

        Args:
            inner: how many dimensions an object has at least: 1 for boxes and points, 0 for labels.

        Raises:
            TransformError: not such a field, or of another number of samples.
        """
        rows = cls._read(value, batch, inner)
        if rows is None or len(rows.counts) != batch:
            got = f"{type(value).__name__} {tuple(getattr(value, 'shape', ()))}"
            raise TransformError(
                f"{name!r} must be a Ragged, a tensor or a list with an item for each of {batch} "
                f"samples, got {value if isinstance(value, Ragged) else got}. Rename the field if "
                "it holds something else"
            )
        return rows

    @classmethod
    def _read(cls, value: Any, batch: int, inner: int) -> Rows | None:
        if isinstance(value, Ragged):
            read = _from_ragged(value, inner)
        elif isinstance(value, (list, tuple)):
            read = _from_list(value, inner)
        elif isinstance(value, torch.Tensor) and value.ndim >= 1 + inner:
            read = _from_tensor(value, batch, inner)
        else:
            read = None
        if read is None:
            return None
        first = value[0] if isinstance(value, (list, tuple)) and value else value
        if is_tv(first, "BoundingBoxes"):
            return cls(*read, value, first.format.value.lower(), first.clamping_mode)
        return cls(*read, value)

    @property
    def owner(self) -> torch.Tensor:
        """int64 [N] on the values' device: the sample of each object."""
        owner = np.repeat(np.arange(len(self.counts)), self.counts)
        return torch.from_numpy(owner).to(self.values.device)

    def per_row(self, samples: torch.Tensor) -> torch.Tensor:
        """A row per object of what is known per sample [B, ...], on the values' device."""
        return samples.to(self.values.device).index_select(0, self.owner)

    def back(self, values: torch.Tensor, sizes: torch.Tensor | None = None, **facts: Any) -> Any:
        """New values [N, *inner] in the form they came in.

        Args:
            sizes: int64 [B, 2]: of the pictures, which torchvision's wrapping remembers.
            facts: what else it has to remember.
        """
        like = self.like
        if isinstance(like, Ragged):
            return Ragged.from_shapes(values, self.counts)
        if isinstance(like, (list, tuple)):
            parts = values.split(self.counts.tolist())
            sized = zip(parts, like, self._canvases(sizes), strict=True)
            return type(like)([_wrapped(p, v, c, facts) for p, v, c in sized])
        if like.ndim > values.ndim:
            values = values.unflatten(0, like.shape[:2])
        canvases = set(self._canvases(sizes))
        if is_tv(like, "TVTensor") and len(canvases) > 1:
            raise TransformError(
                f"one {type(like).__name__} for pictures of several sizes: give a list, one per "
                "sample"
            )
        return _wrapped(values, like, canvases.pop() if canvases else None, facts)

    def only(self, keep: torch.Tensor) -> Any:
        """Some of the objects, by bool [N]: a ``Ragged``, or a list if they came as one."""
        left = np.bincount(
            np.repeat(np.arange(len(self.counts)), self.counts)[keep.cpu().numpy()],
            minlength=len(self.counts),
        )
        values = self.values[keep.to(self.values.device)]
        if isinstance(self.like, torch.Tensor) and not (
            is_tv(self.like, "TVTensor") and len(self.counts) == 1
        ):
            return Ragged.from_shapes(values, left)
        return replace(self, counts=left).back(values)

    def _canvases(self, sizes: torch.Tensor | None) -> Sequence[tuple[int, int] | None]:
        if sizes is None:
            return [None] * len(self.counts)
        return [(height, width) for height, width in sizes.tolist()]


def _wrapped(values: torch.Tensor, like: Any, canvas: Any, facts: dict[str, Any]) -> Any:
    if canvas is not None and hasattr(like, "canvas_size"):
        facts = facts | {"canvas_size": canvas}
    return wrap_like(values, like, **facts)


def _from_ragged(value: Ragged, inner: int) -> tuple[torch.Tensor, np.ndarray] | None:
    shapes, values = value.host_shapes, value.values
    if len(value) == 0:
        return values, shapes[:, 0]
    if inner and shapes.shape[1] == 1 + inner and not value.inner:
        # made without inner=1: the numbers of [n_i, 4] lie flat
        if (shapes[:, 1:] != shapes[0, 1:]).any():
            return None
        values, shapes = values.view(-1, *shapes[0, 1:].tolist()), shapes[:, :1]
    if shapes.shape[1] != 1 or values.ndim < 1 + inner:
        return None
    return values, shapes[:, 0]


def _from_list(value: Sequence[Any], inner: int) -> tuple[torch.Tensor, np.ndarray] | None:
    if not all(isinstance(v, torch.Tensor) and v.ndim > inner for v in value):
        return None
    counts = np.array([len(v) for v in value], dtype=np.int64)
    return torch.cat([plain(v) for v in value]) if value else torch.empty(0, 4), counts


def _from_tensor(value: torch.Tensor, batch: int, inner: int) -> tuple[torch.Tensor, np.ndarray]:
    tensor = plain(value)
    if batch == 1 and is_tv(value, "TVTensor") and (tensor.ndim <= 1 + inner or len(tensor) > 1):
        return tensor, np.array([len(tensor)])  # all belong to the one sample
    if tensor.ndim == 1 + inner:  # one object per sample
        return tensor, np.ones(len(tensor), dtype=np.int64)
    return tensor.flatten(0, 1), np.full(len(tensor), tensor.shape[1])
