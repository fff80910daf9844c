"""``GaussianNoise``: noise of its own for every value of every picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import PIXELS, check_images, pixelwise
from domainkit.vision.transforms._noise import alone, normals
from domainkit.vision.transforms._range import check_unit_range

__all__ = ["GaussianNoise", "add_noise"]


@dataclass(frozen=True)
class GaussianNoise(ImageTransform):
    """Add normally distributed noise to every value.

    Takes uint8 (0..255) or floating (0..1) pictures with any number of channels, dense
    [B, C, H, W] or ``Ragged`` [C, H_i, W_i], and gives the same form. All frames of a clip get the
    same noise.

    Args:
        mean, sigma: of the noise, as a share of the whole range (1, or 255 levels); sigma >= 0.
        clip: keep the values in the range. Without, uint8 values wrap around, as in torchvision.

    Exactness: the same sum as ``torchvision.transforms.v2.functional.gaussian_noise`` for the same
    standard normal numbers, uint8 noise cut to whole levels towards 0. The numbers are
    ``draws.normal``, counted channel by channel, row by row.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> GaussianNoise(mean=0.25, sigma=0.0)(torch.zeros(1, 1, 1, 2)).tolist()
        [[[[0.25, 0.25]]]]
    """

    mean: float = 0.0
    sigma: float = 0.1
    clip: bool = True

    random: ClassVar[bool] = True
    compiled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.mean, (int, float)):
            raise TransformError(f"GaussianNoise: mean must be a number, got {self.mean!r}")
        if not isinstance(self.sigma, (int, float)) or not self.sigma >= 0:
            raise TransformError(f"GaussianNoise: sigma must be a number >= 0, got {self.sigma!r}")

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x, dtypes=PIXELS)
        if self.clip:
            check_unit_range(self, x)

        def noisy(pictures: torch.Tensor, samples: slice) -> torch.Tensor:
            some = Draws(draws.seed, draws.epoch, draws.ids[samples], draws.op, draws.depth)
            count = pictures[:1].numel()
            if pictures.is_cuda:
                normal = some.normal(count, device=x.device).view(pictures.shape)
                return add_noise(pictures, normal, self.mean, self.sigma, self.clip)
            out = torch.empty(pictures.shape, dtype=pictures.dtype)
            for i in range(len(pictures)):  # one at a time stays in the cache
                normal = normals(alone(some, i), count).view(pictures.shape[1:])
                out[i] = add_noise(pictures[i], normal, self.mean, self.sigma, self.clip)
            return out

        return pixelwise(x, noisy)


def add_noise(
    x: torch.Tensor, normal: torch.Tensor, mean: float, sigma: float, clip: bool = True
) -> torch.Tensor:
    """``x`` plus ``mean`` plus ``sigma`` times standard normal numbers; see ``GaussianNoise``.

    Example:
        >>> levels = torch.tensor([100], dtype=torch.uint8)
        >>> add_noise(levels, torch.tensor([1.0]), 0.0, 0.1).tolist()
        [125]
    """
    if x.dtype == torch.uint8:
        noise = (mean * 255 + normal * (sigma * 255)).to(torch.int16)
        out = x + noise
        return (out.clamp_(0, 255) if clip else out).to(torch.uint8)
    work = x if x.dtype in (torch.float32, torch.float64) else x.float()
    out = work + (mean + normal * sigma)
    return (out.clamp_(0, 1) if clip else out).to(x.dtype)
