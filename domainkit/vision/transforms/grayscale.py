"""``Grayscale`` and ``RandomGrayscale``: pictures without their colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import PIXELS, check_images
from domainkit.vision.transforms._program import Code, Colored, Program
from domainkit.vision.transforms.levels import grayscale
from domainkit.vision.transforms.random_levels import check_probability, sometimes

__all__ = ["Grayscale", "RandomGrayscale"]


@dataclass(frozen=True)
class Grayscale(ImageTransform):
    """The grey of every picture: 0.2989 R + 0.587 G + 0.114 B.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form with ``num_output_channels`` channels.
    ``RandomGrayscale(p=1.0)`` does the same with as many channels as there were, and can join
    its neighbours in one pass.

    Args:
        num_output_channels: 1, or 3 equal ones.

    Exactness: equal to ``torchvision.transforms.v2.functional.rgb_to_grayscale`` but for its
    fused sums on a CPU: 1 level in 21 of the 2**24 colours of uint8; floating within 1e-6.

    Raises:
        TransformError: wrong arguments, dtype, shape or number of channels.

    Example:
        >>> Grayscale()(torch.zeros(2, 3, 8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """

    num_output_channels: int = 1

    kind: ClassVar[str] = "color"

    def __post_init__(self) -> None:
        if type(self.num_output_channels) is not int or self.num_output_channels not in (1, 3):
            raise TransformError(
                f"Grayscale: num_output_channels must be 1 or 3, got {self.num_output_channels!r}"
            )

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x, dtypes=PIXELS, channels=(1, 3))
        if not isinstance(x, Ragged):
            return self._grey(x)
        if len(x) == 0:
            return x
        return Ragged.from_list([self._grey(item[None])[0] for item in x])

    def _grey(self, x: torch.Tensor) -> torch.Tensor:
        one = grayscale(x)[:, :1]
        return one.repeat(1, self.num_output_channels, 1, 1)


@dataclass(frozen=True)
class RandomGrayscale(Colored):
    """Take the colour from every picture with probability ``p``, each by a draw of its own.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form with as many channels.

    Args:
        p: probability in [0, 1].

    Exactness: as ``Grayscale``.

    Raises:
        TransformError: wrong arguments, dtype, shape or number of channels.

    Example:
        >>> red = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)
        >>> RandomGrayscale(p=1.0)(red).flatten().tolist()
        [76, 76, 76]
    """

    p: float = 0.1

    random: ClassVar[bool] = True
    codes: ClassVar[tuple[int, ...]] = (Code.GRAYSCALE,)

    def __post_init__(self) -> None:
        check_probability(self, self.p)

    def program(self, draws: Draws, dtype: torch.dtype) -> Program:
        return sometimes(draws, self.p, Code.GRAYSCALE)
