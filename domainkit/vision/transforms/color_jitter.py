"""``ColorJitter``: brightness, contrast, saturation and hue by random amounts in random order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.vision.transforms._images import constants
from domainkit.vision.transforms._program import Code, Colored, Program

__all__ = ["ColorJitter"]

_CODES = [int(c) for c in (Code.BRIGHTNESS, Code.CONTRAST, Code.SATURATION, Code.HUE)]
_NAMES = ("brightness", "contrast", "saturation", "hue")


@dataclass(frozen=True)
class ColorJitter(Colored):
    """Change brightness, contrast, saturation and hue of every picture by amounts of its own.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form. The four are done in an order drawn per
    sample, all 24 being as likely. Grey pictures have no saturation and hue to change.

    Args:
        brightness, contrast, saturation: a number v for a factor uniform in [max(0, 1 - v), 1 + v],
            or (low, high). 0 leaves the picture as it is.
        hue: a number v for a shift uniform in [-v, v], or (low, high), in turns of the colour
            circle, in [-0.5, 0.5].

    Exactness, against torchvision's ``adjust_brightness``, ``_contrast``, ``_saturation`` and
    ``_hue`` in the same order with the same factors: one of them within 1 level (uint8) or 2e-6
    (floating); all four within 1e-5 (floating), and of uint8 values fewer than one in 10,000 by
    more than 2 levels (a level cut the other way before a steep step is magnified by it). float16
    and bfloat16 are worked on in float32.

    Raises:
        TransformError: wrong arguments, dtype, shape or number of channels.

    Example:
        >>> jitter = ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
        >>> jitter(torch.zeros(2, 3, 8, 8, dtype=torch.uint8)).shape
        torch.Size([2, 3, 8, 8])
    """

    brightness: float | tuple[float, float] = 0.0
    contrast: float | tuple[float, float] = 0.0
    saturation: float | tuple[float, float] = 0.0
    hue: float | tuple[float, float] = 0.0

    random: ClassVar[bool] = True
    codes: ClassVar[tuple[int, ...]] = tuple(_CODES)

    def __post_init__(self) -> None:
        for name in _NAMES:
            self._range(name)
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))

    def amounts(self, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
        """What is done to each sample.

        Returns:
            float32 [B, 4]: brightness, contrast and saturation factors and hue shift; int64 [B, 4]:
            which of the four (0..3, in that order) comes first, second, third and last.
        """
        unit = draws.uniform(8, device="cpu")
        ranges = [self._range(name) for name in _NAMES]
        low, high = constants(ranges, torch.float64, unit.device).T
        amounts = (low + (high - low) * unit[:, :4]).float()
        return amounts, unit[:, 4:].argsort(dim=1, stable=True)

    def program(self, draws: Draws, dtype: torch.dtype) -> Program:
        """The four steps in each sample's order; those that cannot change anything are left out."""
        neutral = ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (0.0, 0.0))
        active = [i for i, name in enumerate(_NAMES) if self._range(name) != neutral[i]]
        amounts, order = self.amounts(draws)
        idle = constants([int(i not in active) for i in range(4)], torch.int8, order.device)
        # the active ones come first, in their order; a choice by mask would have no fixed shape
        places = idle[order].argsort(dim=1, stable=True)[:, : len(active)]
        order = order.gather(1, places)
        return Program(
            constants(_CODES, torch.int64, order.device)[order], amounts.gather(1, order)
        )

    def _range(self, name: str) -> tuple[float, float]:
        value: Any = getattr(self, name)
        limits = (-0.5, 0.5) if name == "hue" else (0.0, float("inf"))
        if isinstance(value, (int, float)) and value >= 0:
            low = -value if name == "hue" else max(0.0, 1 - value)
            pair = (float(low), float(value if name == "hue" else 1 + value))
        elif isinstance(value, (tuple, list)) and len(value) == 2:
            pair = (float(value[0]), float(value[1]))
        else:
            raise TransformError(
                f"ColorJitter: {name} must be a number >= 0 or (low, high), got {value!r}"
            )
        if not limits[0] <= pair[0] <= pair[1] <= limits[1]:
            raise TransformError(
                f"ColorJitter: {name} must give low <= high within {limits}, got {value!r}"
            )
        return pair
