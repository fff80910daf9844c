"""``GaussianNoise``: noise of its own for every value of every picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.outputs import room_like
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import PIXELS, check_images, pixelwise
from domainkit.vision.transforms._noise import alone, normal_parts, normals, quick
from domainkit.vision.transforms._range import check_unit_range
from domainkit.vision.transforms.kernels.forms import numba_can
from domainkit.vision.transforms.kernels.pool import in_parts

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
            out = room_like(pictures)
            fused = self._can_fuse(pictures)

            def part(first: int, end: int) -> None:
                for i in range(first, end):  # one at a time stays in the cache
                    if fused:
                        self._add(pictures[i], out[i], alone(some, i))
                        continue
                    normal = normals(alone(some, i), count).view(pictures.shape[1:])
                    out[i] = add_noise(pictures[i], normal, self.mean, self.sigma, self.clip)

            in_parts(part, [count] * len(pictures))
            return out

        return pixelwise(x, noisy)

    def _can_fuse(self, pictures: torch.Tensor) -> bool:
        """Whether ``_add`` gives the bits of ``add_noise``; noise beyond int16 would wrap there."""
        fits = pictures.dtype != torch.uint8 or abs(self.mean) + 8 * self.sigma < 128
        able = numba_can(pictures) and quick(pictures[:1].numel())
        return fits and able and pictures.is_contiguous()

    def _add(self, picture: torch.Tensor, out: torch.Tensor, draws: Draws) -> None:
        from domainkit.vision.transforms.kernels.numba_noise import compiled

        lengths, cosines = normal_parts(draws, picture.numel())
        unit = 255 if picture.dtype == torch.uint8 else 1
        arrays = (v.detach().view(-1).numpy() for v in (lengths, cosines, picture, out))
        amounts = (np.float32(self.mean * unit), np.float32(self.sigma * unit))
        compiled("add")(*arrays, *amounts, self.clip)


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
