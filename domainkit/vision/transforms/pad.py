"""``Pad``: a border around every picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.vision.transforms._geometry import Geometric, Placement, window_placement
from domainkit.vision.transforms._images import as_padding, check_images, each_item

__all__ = ["Pad"]


@dataclass(frozen=True)
class Pad(Geometric):
    """Put a border of one value around every picture.

    Takes any dtype, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i].

    Args:
        padding: pixels on all sides, or (left and right, top and bottom), or (left, top, right,
            bottom).
        fill: the value of the border.

    Exactness: equal to ``torchvision.transforms.v2.functional.pad`` on every input.

    Raises:
        TransformError: wrong arguments or shape.

    Example:
        >>> Pad(1, fill=7)(torch.zeros(1, 1, 1, 1)).tolist()
        [[[[7.0, 7.0, 7.0], [7.0, 0.0, 7.0], [7.0, 7.0, 7.0]]]]
    """

    padding: int | tuple[int, ...]
    fill: float = 0

    def __post_init__(self) -> None:
        as_padding(self, self.padding)
        if not isinstance(self.padding, int):
            object.__setattr__(self, "padding", tuple(self.padding))

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        left, top, right, bottom = as_padding(self, self.padding)
        after = sizes + torch.tensor([top + bottom, left + right])
        corner = torch.tensor([-top, -left]).expand_as(sizes)
        return window_placement(sizes, after, torch.cat([corner, after], 1))

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x)
        left, top, right, bottom = as_padding(self, self.padding)
        sides = [left, right, top, bottom]
        if isinstance(x, Ragged):
            return each_item(x, lambda _, picture: pad(picture, sides, value=self.fill))
        return pad(x, sides, value=self.fill)
