"""``RandomHorizontalFlip`` and ``RandomVerticalFlip``: some of the pictures mirrored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._geometry import Geometric, Placement, window_placement
from domainkit.vision.transforms._images import check_images, mirrored

__all__ = ["RandomHorizontalFlip", "RandomVerticalFlip"]


@dataclass(frozen=True)
class RandomHorizontalFlip(Geometric):
    """Mirror every picture with probability ``p``, each by a draw of its own.

    Takes any dtype, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i], and gives the same form.

    Args:
        p: probability in [0, 1].

    Exactness: equal to ``torchvision.transforms.v2.functional.horizontal_flip`` of the pictures
    that ``mask`` gives.

    Raises:
        TransformError: wrong arguments or shape.

    Example:
        >>> RandomHorizontalFlip(1.0)(torch.arange(4).view(1, 1, 2, 2)).tolist()
        [[[[1, 0], [3, 2]]]]
    """

    p: float = 0.5

    random: ClassVar[bool] = True
    clamps: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise TransformError(f"RandomHorizontalFlip: p must be in [0, 1], got {self.p!r}")

    def mask(self, draws: Draws) -> torch.Tensor:
        """bool [B] on the device of the sample ids: which pictures are mirrored."""
        return draws.uniform(1)[:, 0] < self.p

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        placed = window_placement(sizes, sizes)
        mirrored = self.mask(draws).cpu()
        placed.matrix[mirrored, 0, 0] = -1
        placed.matrix[mirrored, 0, 2] = sizes[mirrored, 1].double()
        return placed

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x)
        return mirrored(x, self.mask(draws), 3)


@dataclass(frozen=True)
class RandomVerticalFlip(Geometric):
    """Turn every picture upside down, as in a lake, with probability ``p``, each by its own draw.

    Takes any dtype, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i], and gives the same form.

    Args:
        p: probability in [0, 1].

    Exactness: equal to ``torchvision.transforms.v2.functional.vertical_flip`` of the pictures that
    ``mask`` gives.

    Raises:
        TransformError: wrong arguments or shape.

    Example:
        >>> RandomVerticalFlip(1.0)(torch.arange(4).view(1, 1, 2, 2)).tolist()
        [[[[2, 3], [0, 1]]]]
    """

    p: float = 0.5

    random: ClassVar[bool] = True
    clamps: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise TransformError(f"RandomVerticalFlip: p must be in [0, 1], got {self.p!r}")

    def mask(self, draws: Draws) -> torch.Tensor:
        """bool [B] on the device of the sample ids: which pictures are mirrored."""
        return draws.uniform(1)[:, 0] < self.p

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        placed = window_placement(sizes, sizes)
        mirrored = self.mask(draws).cpu()
        placed.matrix[mirrored, 1, 1] = -1
        placed.matrix[mirrored, 1, 2] = sizes[mirrored, 0].double()
        return placed

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x)
        return mirrored(x, self.mask(draws), 2)
