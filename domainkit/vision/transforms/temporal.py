"""``UniformTemporalSubsample``: evenly spaced frames of every clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.transform import Transform, replace_fields
from domainkit.vision.transforms._rows import plain, wrap_like

__all__ = ["UniformTemporalSubsample"]


@dataclass(frozen=True)
class UniformTemporalSubsample(Transform):
    """Take some frames of every clip, evenly spaced from the first to the last.

    Takes clips [B, T, C, H, W] of any dtype and gives [B, num_samples, C, H, W]. Frames come more
    than once where there are fewer than asked for.

    Args:
        num_samples: how many frames.

    Exactness: equal to ``torchvision.transforms.v2.functional.uniform_temporal_subsample``.

    Raises:
        TransformError: wrong arguments or shape.

    Example:
        >>> UniformTemporalSubsample(4)(torch.arange(10.0).view(1, 10, 1, 1, 1)).flatten().tolist()
        [0.0, 3.0, 6.0, 9.0]
    """

    num_samples: int

    field: ClassVar[str] = "image"
    kind: ClassVar[str] = "time"

    def __post_init__(self) -> None:
        if type(self.num_samples) is not int or self.num_samples < 1:
            raise TransformError(
                f"UniformTemporalSubsample: num_samples must be >= 1, got {self.num_samples!r}"
            )

    def apply(self, x: torch.Tensor, draws: Draws) -> torch.Tensor:
        if not isinstance(x, torch.Tensor) or x.ndim != 5 or x.shape[1] < 1:
            got = f"a tensor {tuple(x.shape)}" if isinstance(x, torch.Tensor) else repr(x)
            raise TransformError(
                f"UniformTemporalSubsample takes clips [B, T, C, H, W] with T >= 1, got {got:.80}"
            )
        # cut to whole numbers, as torchvision cuts
        frames = torch.linspace(0, x.shape[1] - 1, self.num_samples, device=x.device).long()
        return x.index_select(1, frames)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        x = batch[self.field]
        return replace_fields(batch, {self.field: wrap_like(self.apply(plain(x), draws), x)})
