"""``AutoAugment``: pairs of operations that a search found to help, one pair per sample.

Source of the method and of the policies: Cubuk et al., "AutoAugment: learning augmentation
strategies from data" (CVPR 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._auto import Automatic, chances, check_warp, strengths
from domainkit.vision.transforms._auto_ops import OPS
from domainkit.vision.transforms.rand_augment import SPACE

__all__ = ["AutoAugment"]

_STEPS = 10  # of strength

# each line: operation, probability, step of strength | the one after it
_POLICIES = {
    "imagenet": """
        Posterize 0.4 8 | Rotate 0.6 9
        Solarize 0.6 5 | AutoContrast 0.6 -
        Equalize 0.8 - | Equalize 0.6 -
        Posterize 0.6 7 | Posterize 0.6 6
        Equalize 0.4 - | Solarize 0.2 4
        Equalize 0.4 - | Rotate 0.8 8
        Solarize 0.6 3 | Equalize 0.6 -
        Posterize 0.8 5 | Equalize 1.0 -
        Rotate 0.2 3 | Solarize 0.6 8
        Equalize 0.6 - | Posterize 0.4 6
        Rotate 0.8 8 | Color 0.4 0
        Rotate 0.4 9 | Equalize 0.6 -
        Equalize 0.0 - | Equalize 0.8 -
        Invert 0.6 - | Equalize 1.0 -
        Color 0.6 4 | Contrast 1.0 8
        Rotate 0.8 8 | Color 1.0 2
        Color 0.8 8 | Solarize 0.8 7
        Sharpness 0.4 7 | Invert 0.6 -
        ShearX 0.6 5 | Equalize 1.0 -
        Color 0.4 0 | Equalize 0.6 -
        Equalize 0.4 - | Solarize 0.2 4
        Solarize 0.6 5 | AutoContrast 0.6 -
        Invert 0.6 - | Equalize 1.0 -
        Color 0.6 4 | Contrast 1.0 8
        Equalize 0.8 - | Equalize 0.6 -
    """,
    "cifar10": """
        Invert 0.1 - | Contrast 0.2 6
        Rotate 0.7 2 | TranslateX 0.3 9
        Sharpness 0.8 1 | Sharpness 0.9 3
        ShearY 0.5 8 | TranslateY 0.7 9
        AutoContrast 0.5 - | Equalize 0.9 -
        ShearY 0.2 7 | Posterize 0.3 7
        Color 0.4 3 | Brightness 0.6 7
        Sharpness 0.3 9 | Brightness 0.7 9
        Equalize 0.6 - | Equalize 0.5 -
        Contrast 0.6 7 | Sharpness 0.6 5
        Color 0.7 7 | TranslateX 0.5 8
        Equalize 0.3 - | AutoContrast 0.4 -
        TranslateY 0.4 3 | Sharpness 0.2 6
        Brightness 0.9 6 | Color 0.2 8
        Solarize 0.5 2 | Invert 0.0 -
        Equalize 0.2 - | AutoContrast 0.6 -
        Equalize 0.2 - | Equalize 0.6 -
        Color 0.9 9 | Equalize 0.6 -
        AutoContrast 0.8 - | Solarize 0.2 8
        Brightness 0.1 3 | Color 0.7 0
        Solarize 0.4 5 | AutoContrast 0.9 -
        TranslateY 0.9 9 | TranslateY 0.7 9
        AutoContrast 0.9 - | Solarize 0.8 3
        Equalize 0.8 - | Invert 0.1 -
        TranslateY 0.7 9 | AutoContrast 0.9 -
    """,
    "svhn": """
        ShearX 0.9 4 | Invert 0.2 -
        ShearY 0.9 8 | Invert 0.7 -
        Equalize 0.6 - | Solarize 0.6 6
        Invert 0.9 - | Equalize 0.6 -
        Equalize 0.6 - | Rotate 0.9 3
        ShearX 0.9 4 | AutoContrast 0.8 -
        ShearY 0.9 8 | Invert 0.4 -
        ShearY 0.9 5 | Solarize 0.2 6
        Invert 0.9 - | AutoContrast 0.8 -
        Equalize 0.6 - | Rotate 0.9 3
        ShearX 0.9 4 | Solarize 0.3 3
        ShearY 0.8 8 | Invert 0.7 -
        Equalize 0.9 - | TranslateY 0.6 6
        Invert 0.9 - | Equalize 0.6 -
        Contrast 0.3 3 | Rotate 0.8 4
        Invert 0.8 - | TranslateY 0.0 2
        ShearY 0.7 6 | Solarize 0.4 8
        Invert 0.6 - | Rotate 0.8 4
        ShearY 0.3 7 | TranslateX 0.9 3
        ShearX 0.1 6 | Invert 0.6 -
        Solarize 0.7 2 | TranslateY 0.6 7
        ShearY 0.8 4 | Invert 0.8 -
        ShearX 0.7 9 | TranslateY 0.8 3
        ShearY 0.8 5 | AutoContrast 0.7 -
        ShearX 0.7 2 | Invert 0.1 -
    """,
}


@dataclass(frozen=True)
class AutoAugment(Automatic):
    """Run one of 25 pairs of operations on every picture, drawn for each by itself.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form. Operations are those of ``RandAugment``, and
    Invert (number 14). Each of the two operations is done with its
    own probability.

    Args:
        policy: "imagenet", "cifar10" or "svhn": which set the pairs were searched on.
        interpolation: "nearest", "bilinear" or "bicubic", for what is bent or moved.
        fill: what lies outside of the picture: a number or one per channel, in the unit of the
            pixels; None is 0.

    Exactness: that of ``RandAugment``; the policies are torchvision's.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> AutoAugment("cifar10")(torch.zeros(4, 3, 8, 8, dtype=torch.uint8)).shape
        torch.Size([4, 3, 8, 8])
    """

    policy: str = "imagenet"
    interpolation: str = "nearest"
    fill: float | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_warp(self)
        # torchvision's AutoAugmentPolicy is an enum of the same names
        policy = getattr(self.policy, "value", self.policy)
        if policy not in _POLICIES:
            raise TransformError(
                f"AutoAugment: policy must be one of {', '.join(_POLICIES)}, got {policy!r}"
            )
        object.__setattr__(self, "policy", policy)

    def drawn(self, x: torch.Tensor | Ragged, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
        """int64 [B, 2], numbers in ``RandAugment``'s list (0 where one is left out), and their
        magnitudes, float64."""
        ops, shares, steps = _table(self.policy)
        pair = draws.integers(1, 0, len(ops), device="cpu")[:, 0]
        done = draws.uniform(2, start=1, device="cpu") < shares[pair]
        chosen = torch.where(done, ops[pair], 0)
        negative = chances(draws, 2, 3)
        return chosen, strengths(SPACE, _STEPS, x, chosen, steps=steps[pair], negative=negative)


def _table(policy: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Operations, probabilities and steps [25, 2] of a policy."""
    rows = [[part.split() for part in line.split("|")] for line in _lines(policy)]
    ops = torch.tensor([[OPS.index(name) for name, _, _ in row] for row in rows])
    shares = torch.tensor([[float(share) for _, share, _ in row] for row in rows])
    steps = [[0 if step == "-" else int(step) for _, _, step in row] for row in rows]
    return ops, shares, torch.tensor(steps)


def _lines(policy: str) -> list[str]:
    return [line for line in _POLICIES[policy].splitlines() if line.strip()]
