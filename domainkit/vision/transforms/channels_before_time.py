"""``ChannelsBeforeTime``: clips in the order of axes that networks with 3-d convolutions take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.vision.transforms._base import ImageTransform

__all__ = ["ChannelsBeforeTime"]


@dataclass(frozen=True)
class ChannelsBeforeTime(ImageTransform):
    """Turn video clips [B, T, C, H, W] into [B, C, T, H, W], the last step before a video network.

    Takes any dtype and gives a view.

    Exactness: equal to the last step of torchvision's ``VideoClassification`` preset.

    Raises:
        TransformError: another number of axes.

    Example:
        >>> ChannelsBeforeTime()(torch.zeros(2, 16, 3, 112, 112)).shape
        torch.Size([2, 3, 16, 112, 112])
    """

    kind: ClassVar[str] = "pointwise"

    def __call__(self, batch: Any, draws: Draws | None = None) -> Any:
        if isinstance(batch, torch.Tensor):  # the clips as they are, not frame by frame
            return self.apply(batch, self._draws(batch, draws))
        return super().__call__(batch, draws)

    def apply(self, x: Any, draws: Draws) -> torch.Tensor:
        if not isinstance(x, torch.Tensor) or x.ndim != 5:
            got = f"a tensor {tuple(x.shape)}" if isinstance(x, torch.Tensor) else repr(x)
            raise TransformError(
                f"ChannelsBeforeTime takes clips [B, T, C, H, W], got {got}: a single clip needs "
                "[None] for its batch"
            )
        return x.transpose(1, 2)
