"""Labels of mixed samples: shares of classes instead of class numbers."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from domainkit.errors import TransformError

__all__ = ["mix_labels", "soft_labels"]


class Mixing(Protocol):
    """A transform that mixes labels."""

    @property
    def num_classes(self) -> int | None: ...

    @property
    def label(self) -> str: ...


def soft_labels(op: Mixing, labels: Any, batch: int) -> torch.Tensor:
    """Labels as floating [B, num_classes].

    Args:
        op: whose ``num_classes`` (None: labels are shares already) and ``label`` (the key) count.
        labels: class numbers [B], or shares [B, num_classes].
        batch: how many samples there are.

    Raises:
        TransformError: another shape, dtype or range.
    """
    name = type(op).__name__
    if not isinstance(labels, torch.Tensor) or labels.ndim not in (1, 2):
        got = tuple(labels.shape) if isinstance(labels, torch.Tensor) else type(labels).__name__
        raise TransformError(
            f"{name}: {op.label!r} must be class numbers [B] or shares [B, num_classes], got {got}"
        )
    if len(labels) != batch:
        raise TransformError(f"{name}: {batch} samples and {len(labels)} labels")
    classes = op.num_classes
    if labels.ndim == 2:
        if classes not in (None, labels.shape[1]):
            raise TransformError(
                f"{name}: {op.label!r} has {labels.shape[1]} columns, num_classes is {classes}"
            )
        return labels if labels.is_floating_point() else labels.float()
    if classes is None:
        raise TransformError(f"{name}: labels [B] need num_classes=...")
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise TransformError(f"{name}: labels [B] must be integers, got {labels.dtype}")
    if (
        batch
        and not (labels.is_cuda or torch.compiler.is_compiling())
        and not 0 <= int(labels.min()) <= int(labels.max()) < classes
    ):
        raise TransformError(
            f"{name}: labels must be in 0..{classes - 1}, got {int(labels.min())}.."
            f"{int(labels.max())}"
        )
    hot = torch.zeros(batch, classes, device=labels.device)
    return hot.scatter_(1, labels[:, None].long(), 1.0)


def mix_labels(labels: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """share[i] * labels[i] + (1 - share[i]) * labels[i - 1] for floating labels [B, C]."""
    own = share.to(labels.device)[:, None]
    mixed = labels.roll(1, 0) * (1 - own) + labels * own
    return mixed.to(labels.dtype)
