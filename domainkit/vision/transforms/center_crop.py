"""``CenterCrop``: the middle of every picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.vision.transforms._geometry import Geometric, Placement, window_placement
from domainkit.vision.transforms._images import as_size, check_images, each_item

__all__ = ["CenterCrop"]


@dataclass(frozen=True)
class CenterCrop(Geometric):
    """Cut the middle out of every picture; a smaller one gets a border of zeros first.

    Takes any dtype, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i], and gives a dense tensor
    [B, C, *size] (a view of the input where nothing had to be padded).

    Args:
        size: (height, width) in pixels, or an int: a square.

    Exactness: equal to ``torchvision.transforms.v2.functional.center_crop`` on every input.

    Raises:
        TransformError: wrong arguments or shape.

    Example:
        >>> CenterCrop(2)(torch.arange(16).view(1, 1, 4, 4)).tolist()
        [[[[5, 6], [9, 10]]]]
    """

    size: int | tuple[int, int]

    def __post_init__(self) -> None:
        pair = as_size(self, self.size)
        if not isinstance(self.size, int):
            object.__setattr__(self, "size", pair)  # a list from a recipe becomes a tuple

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        after = torch.tensor(as_size(self, self.size)).expand_as(sizes)
        padded = torch.maximum(sizes, after)
        # torch rounds halves to the even side, as ``_crop`` does
        corner = ((padded - after) / 2).round().to(torch.int64) - (padded - sizes) // 2
        return window_placement(sizes, after, torch.cat([corner, after], 1))

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x)
        if isinstance(x, Ragged):
            return each_item(x, lambda _, picture: self._crop(picture))
        return self._crop(x)

    def _crop(self, x: torch.Tensor) -> torch.Tensor:
        height, width = as_size(self, self.size)
        tall, wide = max(height - x.shape[2], 0), max(width - x.shape[3], 0)
        if tall or wide:  # the odd row or column goes to the bottom or the right
            x = pad(x, [wide // 2, wide - wide // 2, tall // 2, tall - tall // 2])
        # Python rounds halves to the even side, and so does torchvision
        top, left = round((x.shape[2] - height) / 2), round((x.shape[3] - width) / 2)
        return x[:, :, top : top + height, left : left + width]
