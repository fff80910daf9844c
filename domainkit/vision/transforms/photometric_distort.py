"""``RandomPhotometricDistort`` and ``RandomChannelPermutation``: the colours of SSD's training.

W. Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, section 3.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.vision.transforms._images import constants
from domainkit.vision.transforms._program import Code, Colored, Program
from domainkit.vision.transforms.random_levels import check_probability

__all__ = ["RandomChannelPermutation", "RandomPhotometricDistort"]

_NAMES = ("brightness", "contrast", "saturation", "hue")


@dataclass(frozen=True)
class RandomChannelPermutation(Colored):
    """Give the channels of every picture another order, all six being as likely.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form. Grey pictures stay.

    Exactness: equal to ``torchvision.transforms.v2.functional.permute_channels`` with
    ``levels.PERMUTATIONS`` of the program's amounts.

    Raises:
        TransformError: wrong dtype, shape or number of channels.

    Example:
        >>> rgb = torch.tensor([1, 2, 3], dtype=torch.uint8).view(1, 3, 1, 1)
        >>> sorted(RandomChannelPermutation()(rgb).flatten().tolist())
        [1, 2, 3]
    """

    random: ClassVar[bool] = True
    codes: ClassVar[tuple[int, ...]] = (Code.PERMUTE,)

    def program(self, draws: Draws, dtype: torch.dtype) -> Program:
        index = draws.integers(1, 0, 6, device="cpu")
        return Program(torch.full_like(index, int(Code.PERMUTE)), index.float())


@dataclass(frozen=True)
class RandomPhotometricDistort(Colored):
    """Distort the colours of every picture as SSD's training does.

    Brightness; contrast (half of the time); saturation; hue; contrast (the other half); another
    order of the channels: each of these five is done to a picture with probability ``p``, by draws
    of its own.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form. Of grey pictures brightness and contrast
    change.

    Args:
        brightness, contrast, saturation: (low, high) of the factor, 0 <= low <= high.
        hue: (low, high) of the shift in turns of the colour circle, within [-0.5, 0.5].
        p: probability of each of the five, in [0, 1].

    Exactness: as ``ColorJitter``, against torchvision's functions in the same order with the same
    amounts.

    Raises:
        TransformError: wrong arguments, dtype, shape or number of channels.

    Example:
        >>> RandomPhotometricDistort()(torch.zeros(2, 3, 8, 8, dtype=torch.uint8)).shape
        torch.Size([2, 3, 8, 8])
    """

    brightness: tuple[float, float] = (0.875, 1.125)
    contrast: tuple[float, float] = (0.5, 1.5)
    saturation: tuple[float, float] = (0.5, 1.5)
    hue: tuple[float, float] = (-0.05, 0.05)
    p: float = 0.5

    random: ClassVar[bool] = True
    codes: ClassVar[tuple[int, ...]] = (
        Code.BRIGHTNESS,
        Code.CONTRAST,
        Code.SATURATION,
        Code.HUE,
        Code.PERMUTE,
    )

    def __post_init__(self) -> None:
        for name in _NAMES:
            object.__setattr__(self, name, _pair(name, getattr(self, name)))
        check_probability(self, self.p)

    def program(self, draws: Draws, dtype: torch.dtype) -> Program:
        """Six slots: brightness, contrast, saturation, hue, contrast, order of the channels."""
        unit = draws.uniform(11, device="cpu")
        ranges = [getattr(self, name) for name in _NAMES]
        limits = constants(ranges, torch.float64, unit.device)
        low, high = limits.T
        amounts = (low + (high - low) * unit[:, :4]).float()
        order = (unit[:, 4:5] * 6).floor()
        chosen = unit[:, 5:10] < self.p  # the last one is the order of the channels
        before = unit[:, 10] < 0.5
        bright, contrast, saturation, hue, swap = chosen.unbind(1)
        slots = (bright, contrast & before, saturation, hue, contrast & ~before, swap)
        use = torch.stack(slots, 1)
        return Program(
            torch.where(use, constants(_SLOTS, torch.int64, use.device), int(Code.NONE)),
            torch.cat([amounts, amounts[:, 1:2], order], 1),
        )


_SLOTS = [
    int(code)
    for code in (
        Code.BRIGHTNESS,
        Code.CONTRAST,
        Code.SATURATION,
        Code.HUE,
        Code.CONTRAST,
        Code.PERMUTE,
    )
]


def _pair(name: str, value: Any) -> tuple[float, float]:
    least, most = (-0.5, 0.5) if name == "hue" else (0.0, float("inf"))
    if (
        not isinstance(value, (tuple, list))
        or len(value) != 2
        or not least <= value[0] <= value[1] <= most
    ):
        raise TransformError(
            f"RandomPhotometricDistort: {name} must be (low, high) with "
            f"{least:g} <= low <= high <= {most:g}, got {value!r}"
        )
    return float(value[0]), float(value[1])
