"""``RandomCrop``: a window of one size from a random place of every picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._arguments import Fill, as_fill
from domainkit.vision.transforms._geometry import Geometric, Placement, window_placement
from domainkit.vision.transforms._images import (
    as_padding,
    as_size,
    check_images,
    each_item,
    item_sizes,
)
from domainkit.vision.transforms.pad import check_padding_mode, pad_pictures

__all__ = ["RandomCrop"]


@dataclass(frozen=True)
class RandomCrop(Geometric):
    """Cut a window out of a random place of every picture, after a border has been added.

    Takes any dtype, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i], and gives a dense tensor
    [B, C, *size]. Every place is as likely as every other, and each sample has its own.

    Args:
        size: (height, width) in pixels, or an int: a square.
        padding: border in pixels, added before: on all sides, or (left and right, top and bottom),
            or (left, top, right, bottom). None is 0.
        pad_if_needed: where a picture with its border is still lower or narrower than the window,
            what is missing is added on both sides.
        fill: the value of a constant border, or one per channel; None is 0.
        padding_mode: "constant", "edge", "reflect" or "symmetric", as in ``Pad``.

    Exactness: equal to torchvision's ``pad`` and ``crop`` at the place that ``places`` gives.

    Raises:
        TransformError: wrong arguments or shape, or a picture with its border smaller than the
            window.

    Example:
        >>> RandomCrop(28, padding=2)(torch.zeros(8, 1, 28, 28)).shape
        torch.Size([8, 1, 28, 28])
    """

    size: int | tuple[int, int]
    padding: int | tuple[int, ...] | None = 0
    pad_if_needed: bool = False
    fill: Fill = 0
    padding_mode: str = "constant"

    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        pair = as_size(self, self.size)
        as_padding(self, self.padding or 0)
        if not isinstance(self.size, int):
            object.__setattr__(self, "size", pair)  # a list from a recipe becomes a tuple
        if isinstance(self.padding, list):
            object.__setattr__(self, "padding", tuple(self.padding))
        object.__setattr__(self, "fill", as_fill(self, self.fill))
        check_padding_mode(self, self.padding_mode, self.fill)

    def borders(self, sizes: torch.Tensor) -> torch.Tensor:
        """int64 [B, 4]: left, top, right and bottom border, for sizes int64 [B, 2]."""
        left, top, right, bottom = as_padding(self, self.padding or 0)
        sides = torch.tensor([left, top, right, bottom]).expand(len(sizes), 4)
        if not self.pad_if_needed:
            return sides
        padded = sizes + torch.tensor([top + bottom, left + right])
        missing = (torch.tensor(as_size(self, self.size)) - padded).clamp(min=0).flip(1)
        return sides + torch.cat([missing, missing], 1)

    def places(self, sizes: torch.Tensor, draws: Draws) -> torch.Tensor:
        """int64 [B, 2] on the host: top and left of each window in its padded picture.

        Args:
            sizes: int64 [B, 2], height and width of each picture without its border.
        """
        borders = self.borders(sizes)
        room = sizes + (borders[:, :2] + borders[:, 2:]).flip(1)
        room -= torch.tensor(as_size(self, self.size))
        if len(room) and int(room.min()) < 0:
            height, width = sizes[int(room.min(dim=1).values.argmin())].tolist()
            raise TransformError(
                f"RandomCrop: a picture of {height} x {width} with padding {self.padding or 0} is "
                f"smaller than the window {as_size(self, self.size)}. Resize or pad it before."
            )
        # a float64 product of 24 random bits is exact: the floor never reaches room + 1
        return (draws.uniform(2, device="cpu").double() * (room + 1)).floor().to(torch.int64)

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        after = torch.tensor(as_size(self, self.size)).expand_as(sizes)
        corner = self.places(sizes, draws) - self.borders(sizes)[:, :2].flip(1)
        return window_placement(sizes, after, torch.cat([corner, after], 1))

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x)
        height, width = as_size(self, self.size)
        if isinstance(x, torch.Tensor) and torch.compiler.is_compiling():
            return self._in_one_graph(x, draws)
        sizes = item_sizes(x)
        places, borders = self.places(sizes, draws), self.borders(sizes)
        if isinstance(x, Ragged):
            corners, sides = places.tolist(), borders.tolist()

            def crop(i: int, picture: torch.Tensor) -> torch.Tensor:
                y, x = corners[i]
                return self._pad(picture, sides[i])[:, :, y : y + height, x : x + width]

            return each_item(x, crop)
        if len(x) == 0:
            return x.new_empty(0, x.shape[1], height, width)
        x = self._pad(x, borders[0].tolist())
        if not x.is_cuda:  # 4 times as fast on a CPU as the indexing below
            pairs = zip(x, places.tolist(), strict=True)
            return torch.stack([p[:, i : i + height, j : j + width] for p, (i, j) in pairs])
        # every window of every picture as a view, of which one per picture is copied
        windows = x.unfold(2, height, 1).unfold(3, width, 1)
        places = places.to(x.device)
        rows = torch.arange(len(x), device=x.device)
        return windows[rows, :, places[:, 0], places[:, 1]]

    def _in_one_graph(self, x: torch.Tensor, draws: Draws) -> torch.Tensor:
        # ``apply`` of a dense batch, of whose windows the host knows nothing
        height, width = as_size(self, self.size)
        left, top, right, bottom = as_padding(self, self.padding or 0)
        if self.pad_if_needed:
            tall = max(height - x.shape[2] - top - bottom, 0)
            wide = max(width - x.shape[3] - left - right, 0)
            left, top, right, bottom = left + wide, top + tall, right + wide, bottom + tall
        x = self._pad(x, [left, top, right, bottom])
        rooms = (x.shape[2] - height, x.shape[3] - width)
        if min(rooms) < 0:
            raise TransformError(f"RandomCrop: the padded picture is smaller than {height, width}")
        unit = draws.uniform(2).double()
        corners = [
            (unit[:, side] * (room + 1)).floor().to(x.device, torch.int64)
            for side, room in enumerate(rooms)
        ]
        rows = corners[0][:, None] + torch.arange(height, device=x.device)
        columns = corners[1][:, None] + torch.arange(width, device=x.device)
        samples = torch.arange(len(x), device=x.device)[:, None, None, None]
        channels = torch.arange(x.shape[1], device=x.device)[:, None, None]
        return x[samples, channels, rows[:, None, :, None], columns[:, None, None, :]]

    def _pad(self, x: torch.Tensor, sides: list[int]) -> torch.Tensor:
        return pad_pictures(self, x, sides, self.fill, self.padding_mode)
