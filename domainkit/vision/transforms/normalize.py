"""``Normalize``: subtract a mean and divide by a standard deviation, per channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import FLOATS, check_images, constants, pixelwise
from domainkit.vision.transforms._range import check_unit_range

__all__ = ["Normalize"]


@dataclass(frozen=True)
class Normalize(ImageTransform):
    """(picture - mean) / std, per channel.

    Takes floating pictures, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i]; gives the same form.

    Args:
        mean: one number per channel, in the unit of the pixels (0..1 after ``ToDtype`` with scale);
            a single number is for all channels.
        std: likewise, none of them 0.

    Exactness: equal to ``torchvision.transforms.v2.functional.normalize`` on every floating input.

    Raises:
        TransformError: wrong arguments, dtype, shape or number of channels.

    Example:
        >>> Normalize(mean=(0.5,), std=(0.25,))(torch.ones(1, 1, 1, 2)).tolist()
        [[[[2.0, 2.0]]]]
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    kind: ClassVar[str] = "pointwise"

    def __post_init__(self) -> None:
        mean, std = _numbers("mean", self.mean), _numbers("std", self.std)
        if len(mean) != len(std):
            raise TransformError(
                f"Normalize: mean and std must be of one length, got {len(mean)} and {len(std)}"
            )
        if 0 in std:
            raise TransformError(f"Normalize: std must not be 0, got {std}")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "std", std)

    def check_range(self, x: torch.Tensor | Ragged) -> None:
        """TransformError where the pictures are in 0..255 and ``mean`` and ``std`` are for 0..1."""
        if self.for_unit_range:
            check_unit_range(self, x)

    @property
    def for_unit_range(self) -> bool:
        """Whether the numbers look like those of pictures in 0..1."""
        return max(*self.mean, *self.std) <= 1

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(
            self,
            x,
            dtypes=FLOATS,
            channels=None if len(self.mean) == 1 else (len(self.mean),),
            hint='Put ToDtype("float32", scale=True) before it.',
        )
        self.check_range(x)
        mean = constants(self.mean, x.dtype, x.device)[:, None, None]
        std = constants(self.std, x.dtype, x.device)[:, None, None]
        return pixelwise(x, lambda pictures, _: pictures.sub(mean).div_(std))


def _numbers(name: str, value: Any) -> tuple[float, ...]:
    values = (value,) if isinstance(value, (int, float)) else value
    if (
        not isinstance(values, Sequence)
        or len(values) == 0
        or not all(isinstance(v, (int, float)) for v in values)
    ):
        raise TransformError(f"Normalize: {name} must be a number per channel, got {value!r}")
    return tuple(float(v) for v in values)
