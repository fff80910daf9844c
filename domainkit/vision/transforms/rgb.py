"""``RGB``: three channels for every picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import check_images, each_item

__all__ = ["RGB"]


@dataclass(frozen=True)
class RGB(ImageTransform):
    """Turn grey pictures into RGB; those in RGB stay, alpha is dropped.

    Takes pictures of any dtype with 1 (grey), 2 (grey and alpha), 3 or 4 (RGB and alpha) channels,
    dense [B, C, H, W] or ``Ragged`` [C_i, H_i, W_i], which may mix them. Gives a dense tensor when
    all pictures come out equal in size, else a ``Ragged``.

    Exactness: equal to ``torchvision.transforms.v2.functional.grayscale_to_rgb`` for 1 and 3
    channels; torchvision leaves a fourth channel where it is.

    Raises:
        TransformError: wrong shape.

    Example:
        >>> RGB()(torch.zeros(2, 1, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x, channels=(1, 2, 3, 4))
        if isinstance(x, Ragged):
            if len(x) == 0 or (x.host_shapes[:, 0] == 3).all():
                return x
            return each_item(x, lambda _, picture: _rgb(picture))
        return _rgb(x)


def _rgb(x: torch.Tensor) -> torch.Tensor:
    if x.shape[1] == 3:
        return x
    return x[:, :3] if x.shape[1] == 4 else x[:, :1].repeat(1, 3, 1, 1)
