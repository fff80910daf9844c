"""``Fused``: a pass that does several picture steps at once, and the batches it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.transform import Pass, replace_fields
from domainkit.vision.transforms._targets import targets_in

__all__ = ["Fused", "mirror"]

# the flips, by name because their modules need not be loaded to ask: the axis they turn around
_FLIPS = {"RandomHorizontalFlip": 3, "RandomVerticalFlip": 2}


@dataclass(frozen=True)
class Fused(Pass):
    """A pass with a fused form for plain pictures; other batches go through its steps."""

    def fused(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged | None:
        """All steps at once, or None where this form does not do it."""
        raise NotImplementedError

    def run(self, batch: Any, draws: Draws) -> Any:
        field = self.steps[0].field
        mapping = isinstance(batch, Mapping)
        if mapping and (field not in batch or targets_in(batch, field)):
            return super().run(batch, draws)
        x = batch[field] if mapping else batch
        done = self.fused(x, draws) if _plain(x) and len(x) == len(draws) else None
        if done is None:
            return super().run(batch, draws)
        return replace_fields(batch, {field: done}) if mapping else done


def _plain(x: Any) -> bool:
    """Whether it is a batch of uint8 or floating pictures without gradients, and not empty."""
    if isinstance(x, Ragged):
        right = x.host_shapes.shape[1] == 3 and not x.inner
    else:  # subclasses of Tensor have a mind of their own
        right = type(x) is torch.Tensor and x.ndim == 4
    if not right or len(x) == 0 or x.dtype not in (torch.uint8, torch.float32):
        return False
    values = x.values if isinstance(x, Ragged) else x
    return values.numel() > 0 and not values.requires_grad


def mirror(step: Any) -> int | None:
    """The axis of [B, C, H, W] that a step mirrors with a probability, or None."""
    return _FLIPS.get(type(step).__name__) if hasattr(step, "mask") else None
