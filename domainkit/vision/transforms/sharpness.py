"""``RandomAdjustSharpness``: pictures blended with their smoothed selves.

The filter is Pillow's ``SMOOTH`` as torchvision applies it: 3 x 3 ones with 5 in the middle, over
13; the outermost pixels stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import PIXELS, check_images, pixelwise
from domainkit.vision.transforms._range import check_unit_range
from domainkit.vision.transforms.kernels.forms import numba_can
from domainkit.vision.transforms.kernels.pool import in_parts
from domainkit.vision.transforms.random_levels import check_probability

__all__ = ["RandomAdjustSharpness", "adjust_sharpness"]


@dataclass(frozen=True)
class RandomAdjustSharpness(ImageTransform):
    """Make every picture sharper or softer with probability ``p``, each by a draw of its own.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form. The outermost pixels stay, and so do
    pictures less than 3 pixels wide or high.

    Args:
        sharpness_factor: >= 0; 0 smooths, 1 changes nothing, 2 doubles the sharpness.
        p: probability in [0, 1].

    Exactness, against ``torchvision.transforms.v2.functional.adjust_sharpness``: uint8 equal,
    floating within 1e-6. float16 and bfloat16 are worked on in float32.

    Raises:
        TransformError: wrong arguments, dtype, shape or number of channels.

    Example:
        >>> spot = torch.zeros(1, 1, 3, 3, dtype=torch.uint8)
        >>> spot[0, 0, 1, 1] = 130
        >>> RandomAdjustSharpness(0.0, p=1.0)(spot)[0, 0].tolist()
        [[0, 0, 0], [0, 50, 0], [0, 0, 0]]
    """

    sharpness_factor: float
    p: float = 0.5

    random: ClassVar[bool] = True
    compiled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.sharpness_factor, (int, float)) or not self.sharpness_factor >= 0:
            raise TransformError(
                "RandomAdjustSharpness: sharpness_factor must be a number >= 0, got "
                f"{self.sharpness_factor!r}"
            )
        check_probability(self, self.p)

    def mask(self, draws: Draws) -> torch.Tensor:
        """bool [B] on the host: which pictures change."""
        return draws.uniform(1, device="cpu")[:, 0] < self.p

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x, dtypes=PIXELS, channels=(1, 3))
        check_unit_range(self, x)
        factor = torch.where(self.mask(draws), float(self.sharpness_factor), 1.0)
        return pixelwise(x, lambda pictures, s: adjust_sharpness(pictures, factor[s]))


def adjust_sharpness(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Blend pictures [B, 1 or 3, H, W] with their smoothed selves by ``factor`` [B], >= 0.

    See ``RandomAdjustSharpness``. Pictures whose factor (on the host) is 1 cost a copy only.

    Example:
        >>> x = torch.rand(2, 3, 8, 8)
        >>> torch.equal(adjust_sharpness(x, torch.tensor([0.5, 1.0]))[1], x[1])
        True
    """
    if min(x.shape) == 0 or x.shape[2] <= 2 or x.shape[3] <= 2:
        return x
    if x.is_cuda or torch.compiler.is_compiling():  # all of them, without waiting for the device
        return _adjust(x, factor.to(x.device))
    (rows,) = torch.nonzero(factor != 1, as_tuple=True)
    out = x.clone(memory_format=torch.contiguous_format)
    if numba_can(x):
        _adjust_numba(x, factor, rows, out)
        return out
    for row in rows.split(1):  # one picture stays in the cache
        out[row] = _adjust(x[row], factor[row])
    return out


def _adjust_numba(
    x: torch.Tensor, factor: torch.Tensor, rows: torch.Tensor, out: torch.Tensor
) -> None:
    """Pictures ``rows``, uint8 or float32 on a CPU, into ``out``: the bits of ``_adjust``."""
    from domainkit.vision.transforms.kernels.numba_filters import compiled

    arrays = (
        x.contiguous().numpy(),
        out.numpy(),
        rows.numpy(),
        (1 - factor.double()).float().contiguous().numpy(),
        x.dtype == torch.uint8,
    )
    kernel = compiled("sharpen")
    in_parts(lambda first, end: kernel(*arrays, first, end), [x[0].numel()] * len(rows))


def _adjust(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    work = x if x.dtype in (torch.float32, torch.float64) else x.float()
    height, width = x.shape[2] - 2, x.shape[3] - 2
    # whole levels are added up exactly, and a 13th part of them is never half a level
    across = work[..., :width] + work[..., 1:-1] + work[..., 2:]
    smooth = across[:, :, :height] + across[:, :, 1:-1] + across[:, :, 2:]
    middle = work[..., 1:-1, 1:-1]
    smooth = (smooth + middle * 4) * (1 / 13)
    f = factor.double()[:, None, None, None]
    out = x.clone(memory_format=torch.contiguous_format)
    if x.dtype == torch.uint8:
        # torchvision rounds the fused x + (1 - f) * (smooth - x) to float32 and then cuts it to
        # whole levels; the sum is exact in float64
        exact = (smooth.round_() - middle).double() * (1 - f).float().double() + middle.double()
        out[..., 1:-1, 1:-1] = exact.float().clamp_(0, 255).to(torch.uint8)
        return out
    blend = middle + (smooth - middle) * (1 - f).to(work.dtype)
    out[..., 1:-1, 1:-1] = blend.to(x.dtype)
    return out.clamp_(0, 1)
