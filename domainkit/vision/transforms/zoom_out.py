"""``RandomZoomOut``: pictures put at a random place of a larger, empty one.

The method is the expansion of Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.vision.transforms._arguments import Fill, as_fill, as_probability
from domainkit.vision.transforms._geometry import Geometric, Placement, window_placement
from domainkit.vision.transforms._images import as_range, check_images, item_sizes, join
from domainkit.vision.transforms.kernels.warp import warp
from domainkit.vision.transforms.pad import pad_pictures

__all__ = ["RandomZoomOut"]


@dataclass(frozen=True)
class RandomZoomOut(Geometric):
    """Put every picture, with probability ``p``, at a random place of a canvas of random size.

    Takes any dtype, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i]. Gives a ``Ragged``, as every
    picture has a size of its own; a dense tensor when all come out equal.

    Args:
        fill: what the canvas holds: a number, one per channel, or None for 0.
        side_range: (low, high) of the canvas' sides as multiples of the picture's, low >= 1.
        p: probability in [0, 1].

    Exactness: equal to ``torchvision.transforms.v2.functional.pad`` with the borders that
    ``borders`` gives.

    Raises:
        TransformError: wrong arguments or shape.

    Example:
        >>> RandomZoomOut(p=1.0, side_range=(2, 2))(torch.zeros(2, 3, 8, 8)).shape
        torch.Size([2, 3, 16, 16])
    """

    fill: Fill = 0
    side_range: tuple[float, float] = (1.0, 4.0)
    p: float = 0.5

    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "fill", as_fill(self, self.fill))
        below = 1.0 - 1e-12  # 1 itself is allowed
        pair = as_range(self, "side_range", self.side_range, above=below)
        object.__setattr__(self, "side_range", pair)
        as_probability(self, self.p)

    def mask(self, draws: Draws) -> torch.Tensor:
        """bool [B] on the host: which pictures get a canvas."""
        return draws.uniform(1, device="cpu")[:, 0] < self.p

    def borders(self, sizes: torch.Tensor, draws: Draws) -> torch.Tensor:
        """int64 [B, 4] on the host: left, top, right and bottom border; zeros if not drawn.

        Args:
            sizes: int64 [B, 2], height and width of each picture.
        """
        unit = draws.uniform(4, device="cpu").double()
        low, high = self.side_range
        factor = low + (high - low) * unit[:, 1:2]
        room = (sizes * factor).floor() - sizes
        first = (room * unit[:, 2:].flip(1)).floor()  # top, left; the first of the two is left's
        sides = torch.stack([first[:, 1], first[:, 0], *(room - first).flip(1).unbind(1)], 1)
        return torch.where(self.mask(draws)[:, None], sides, 0.0).to(torch.int64)

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        sides = self.borders(sizes, draws)
        after = sizes + (sides[:, :2] + sides[:, 2:]).flip(1)
        return window_placement(sizes, after, torch.cat([-sides[:, :2].flip(1), after], 1))

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x)
        sizes = item_sizes(x)
        if x.device.type == "cuda" and len(x) and int(sizes.min()) > 0:
            placed = self.place(sizes, draws)  # the nearest pixel of a whole shift is a copy
            return warp(x, placed.matrix, placed.sizes, "nearest", self.fill)
        pairs = zip(x, self.borders(sizes, draws).tolist(), strict=True)
        return join(
            [pad_pictures(self, p[None], sides, self.fill)[0] for p, sides in pairs], like=x
        )
