"""``RandomCrop``: a window of one size from a random place of every picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.functional import pad

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._geometry import Geometric, Placement, window_placement
from domainkit.vision.transforms._images import (
    as_padding,
    as_size,
    check_images,
    each_item,
    item_sizes,
)

__all__ = ["RandomCrop"]


@dataclass(frozen=True)
class RandomCrop(Geometric):
    """Cut a window out of a random place of every picture, after a border has been added.

    Takes any dtype, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i], and gives a dense tensor
    [B, C, *size]. Every place is as likely as every other, and each sample has its own.

    Args:
        size: (height, width) in pixels, or an int: a square.
        padding: border in pixels, added before: on all sides, or (left and right, top and bottom),
            or (left, top, right, bottom).
        fill: the value of the border.

    Exactness: equal to torchvision's ``pad`` and ``crop`` at the place that ``places`` gives.

    Raises:
        TransformError: wrong arguments or shape, or a picture with its border smaller than the
            window.

    Example:
        >>> RandomCrop(28, padding=2)(torch.zeros(8, 1, 28, 28)).shape
        torch.Size([8, 1, 28, 28])
    """

    size: int | tuple[int, int]
    padding: int | tuple[int, ...] = 0
    fill: float = 0

    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        pair = as_size(self, self.size)
        as_padding(self, self.padding)
        if not isinstance(self.size, int):
            object.__setattr__(self, "size", pair)  # a list from a recipe becomes a tuple
        if not isinstance(self.padding, int):
            object.__setattr__(self, "padding", tuple(self.padding))

    def places(self, sizes: torch.Tensor, draws: Draws) -> torch.Tensor:
        """int64 [B, 2] on the host: top and left of each window in its padded picture.

        Args:
            sizes: int64 [B, 2], height and width of each picture without its border.
        """
        left, top, right, bottom = as_padding(self, self.padding)
        room = sizes + torch.tensor([top + bottom, left + right])
        room -= torch.tensor(as_size(self, self.size))
        if len(room) and int(room.min()) < 0:
            height, width = sizes[int(room.min(dim=1).values.argmin())].tolist()
            raise TransformError(
                f"RandomCrop: a picture of {height} x {width} with padding {self.padding} is "
                f"smaller than the window {as_size(self, self.size)}. Resize or pad it before."
            )
        # a float64 product of 24 random bits is exact: the floor never reaches room + 1
        return (draws.uniform(2, device="cpu").double() * (room + 1)).floor().to(torch.int64)

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        left, top, _, _ = as_padding(self, self.padding)
        after = torch.tensor(as_size(self, self.size)).expand_as(sizes)
        corner = self.places(sizes, draws) - torch.tensor([top, left])
        return window_placement(sizes, after, torch.cat([corner, after], 1))

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x)
        height, width = as_size(self, self.size)
        left, top, right, bottom = as_padding(self, self.padding)
        sides = [left, right, top, bottom]
        places = self.places(item_sizes(x), draws)
        if isinstance(x, Ragged):
            corners = places.tolist()

            def crop(i: int, picture: torch.Tensor) -> torch.Tensor:
                y, x = corners[i]
                return pad(picture, sides, value=self.fill)[:, :, y : y + height, x : x + width]

            return each_item(x, crop)
        if any(sides):
            x = pad(x, sides, value=self.fill)
        if not x.is_cuda and len(x):  # 4 times as fast on a CPU as the indexing below
            pairs = zip(x, places.tolist(), strict=True)
            return torch.stack([p[:, i : i + height, j : j + width] for p, (i, j) in pairs])
        # every window of every picture as a view, of which one per picture is copied
        windows = x.unfold(2, height, 1).unfold(3, width, 1)
        places = places.to(x.device)
        rows = torch.arange(len(x), device=x.device)
        return windows[rows, :, places[:, 0], places[:, 1]]
