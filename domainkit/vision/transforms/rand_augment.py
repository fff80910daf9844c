"""``RandAugment`` and ``TrivialAugmentWide``: operations drawn for every sample by itself.

Sources of the methods: Cubuk et al., "RandAugment: practical automated data augmentation with a
reduced search space" (NeurIPS 2020), and Mueller and Hutter, "TrivialAugment: tuning-free yet
state-of-the-art data augmentation" (ICCV 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._auto import (
    OPS,
    Automatic,
    Space,
    chances,
    check_warp,
    strengths,
)

__all__ = ["RandAugment", "TrivialAugmentWide"]

_DRAWN = OPS[:-1]  # all but Invert
SPACE = Space(_DRAWN, 0.3, lambda side: 150.0 / 331.0 * side, 30.0, 0.9, (8, 4))
WIDE = Space(_DRAWN, 0.99, lambda side: 32.0, 135.0, 0.99, (8, 6))


@dataclass(frozen=True)
class RandAugment(Automatic):
    """Run ``num_ops`` operations of one strength on every picture, drawn for each by itself.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form. The operations are Identity, ShearX, ShearY,
    TranslateX, TranslateY, Rotate, Brightness, Color, Contrast, Sharpness, Posterize, Solarize,
    AutoContrast and Equalize, all alike probable; one may come twice.

    Args:
        num_ops: how many operations each picture gets.
        magnitude: their strength, a step in 0..num_magnitude_bins - 1.
        num_magnitude_bins: how many steps there are.
        interpolation: "nearest", "bilinear" or "bicubic", for what is bent or moved.
        fill: what lies outside of the picture: a number or one per channel, in the unit of the
            pixels; None is 0.

    Exactness: operations, magnitudes and signs follow torchvision's law. Each operation is that of
    ``torchvision.transforms.v2.functional``: colours within 1 level of uint8 (1e-5 floating); what
    is bent or moved by nearest pixels is equal but for pixels whose source lies half way between
        two (within 1e-3), where torchvision's float32 goes either way.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> RandAugment(2, 9)(torch.zeros(4, 3, 8, 8, dtype=torch.uint8)).shape
        torch.Size([4, 3, 8, 8])
    """

    num_ops: int = 2
    magnitude: int = 9
    num_magnitude_bins: int = 31
    interpolation: str = "nearest"
    fill: float | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_warp(self, self.num_magnitude_bins)
        if type(self.num_ops) is not int or self.num_ops < 0:
            raise TransformError(f"RandAugment: num_ops must be an int >= 0, got {self.num_ops!r}")
        if type(self.magnitude) is not int or not 0 <= self.magnitude < self.num_magnitude_bins:
            raise TransformError(
                f"RandAugment: magnitude must be in 0..{self.num_magnitude_bins - 1} "
                f"(num_magnitude_bins - 1), got {self.magnitude!r}"
            )

    def drawn(self, x: torch.Tensor | Ragged, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
        """int64 [B, num_ops], numbers in the list above, and their magnitudes, float64."""
        n = self.num_ops
        ops = SPACE.numbered(draws.integers(n, 0, len(SPACE.ops), device="cpu"))
        negative = chances(draws, n, n)
        bins = self.num_magnitude_bins
        return ops, strengths(SPACE, bins, x, ops, steps=self.magnitude, negative=negative)


@dataclass(frozen=True)
class TrivialAugmentWide(Automatic):
    """Run one operation of any strength on every picture, drawn for each by itself.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form. The operations are those of ``RandAugment``,
    with a wider range.

    Args:
        num_magnitude_bins: how many steps of strength there are, all alike probable.
        interpolation: "nearest", "bilinear" or "bicubic", for what is bent or moved.
        fill: what lies outside of the picture: a number or one per channel, in the unit of the
            pixels; None is 0.

    Exactness: that of ``RandAugment``.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> TrivialAugmentWide()(torch.zeros(4, 3, 8, 8, dtype=torch.uint8)).shape
        torch.Size([4, 3, 8, 8])
    """

    num_magnitude_bins: int = 31
    interpolation: str = "nearest"
    fill: float | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_warp(self, self.num_magnitude_bins)

    def drawn(self, x: torch.Tensor | Ragged, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
        """int64 [B, 1], numbers in ``RandAugment``'s list, and their magnitudes, float64."""
        bins = self.num_magnitude_bins
        ops = WIDE.numbered(draws.integers(1, 0, len(WIDE.ops), device="cpu"))
        steps = draws.integers(1, 0, bins, start=1, device="cpu")
        return ops, strengths(WIDE, bins, x, ops, steps=steps, negative=chances(draws, 1, 2))
