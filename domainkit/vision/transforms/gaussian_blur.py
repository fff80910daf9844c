"""``GaussianBlur``: pictures out of focus, each by a width of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import PIXELS, as_range, check_images, pixelwise
from domainkit.vision.transforms.kernels.forms import numba_can
from domainkit.vision.transforms.kernels.pool import in_parts

__all__ = ["GaussianBlur", "gaussian_blur", "gaussian_weights"]

_CACHED = 1 << 18  # values


@dataclass(frozen=True)
class GaussianBlur(ImageTransform):
    """Blur every picture with a Gaussian filter whose width is drawn.

    Takes uint8 (0..255) or floating pictures with any number of channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form. Beyond its edges a picture is mirrored about
    the centres of its outermost pixels.

    Args:
        kernel_size: odd and positive, in pixels; or (width, height), in torchvision's order.
        sigma: (low, high) of the standard deviation, in pixels, uniform, above 0;
            a number for a fixed one.

    Exactness, against ``torchvision.transforms.v2.functional.gaussian_blur``: floating within 1e-6
    (2e-6 for filters wider than 15, whose width * height products it rounds one by one), uint8
    within 1 level (at ties; all but some ten in a million are equal). It also takes pictures
    smaller than half of the filter, which torchvision refuses: they are mirrored again. float16 and
    bfloat16 are worked on in float32.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> spot = torch.zeros(1, 1, 5, 5)
        >>> spot[0, 0, 2, 2] = 1.0
        >>> GaussianBlur(3, sigma=100.0)(spot)[0, 0, 2].mul(9).round(decimals=2).tolist()
        [0.0, 1.0, 1.0, 1.0, 0.0]
    """

    kernel_size: int | tuple[int, int]
    sigma: float | tuple[float, float] = (0.1, 2.0)

    random: ClassVar[bool] = True
    compiled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._sizes()
        if isinstance(self.kernel_size, list):
            object.__setattr__(self, "kernel_size", tuple(self.kernel_size))
        value: Any = self.sigma
        pair = (value, value) if isinstance(value, (int, float)) else value
        object.__setattr__(self, "sigma", as_range(self, "sigma", pair))

    def sigmas(self, draws: Draws) -> torch.Tensor:
        """float32 [B] on the host: the width for each picture."""
        assert isinstance(self.sigma, tuple)
        low, high = self.sigma
        return (low + (high - low) * draws.uniform(1, device="cpu")[:, 0].double()).float()

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x, dtypes=PIXELS)
        sigma, sizes = self.sigmas(draws), self._sizes()
        return pixelwise(x, lambda pictures, s: gaussian_blur(pictures, sizes, sigma[s]))

    def _sizes(self) -> tuple[int, int]:
        value: Any = self.kernel_size
        pair = (value, value) if isinstance(value, int) else value
        if (
            not isinstance(pair, (tuple, list))
            or len(pair) != 2
            or not all(type(n) is int and n > 0 and n % 2 for n in pair)
        ):
            raise TransformError(
                "GaussianBlur: kernel_size must be an odd, positive int or (width, height) of "
                f"such, got {value!r}"
            )
        return pair[0], pair[1]


def gaussian_weights(size: int, sigma: torch.Tensor) -> torch.Tensor:
    """[B, size]: the taps of the filters of widths ``sigma`` [B], each row with sum 1.

    Example:
        >>> gaussian_weights(3, torch.tensor([0.001])).tolist()
        [[0.0, 1.0, 0.0]]
    """
    # exp(-d**2 / (2 sigma**2)): the grid is made of distances over sqrt(2)
    limit = (size - 1) / (2.0 * math.sqrt(2.0))
    grid = torch.linspace(-limit, limit, size, dtype=sigma.dtype, device=sigma.device)
    return (-((grid / sigma[:, None]) ** 2)).softmax(1)


def gaussian_blur(
    x: torch.Tensor, kernel_size: tuple[int, int], sigma: torch.Tensor
) -> torch.Tensor:
    """Blur pictures [B, C, H, W] by ``sigma`` [B]; ``kernel_size`` is (width, height), odd.

    See ``GaussianBlur``.

    Example:
        >>> gaussian_blur(torch.ones(2, 3, 8, 8), (5, 3), torch.tensor([0.5, 2.0])).shape
        torch.Size([2, 3, 8, 8])
    """
    if min(x.shape) == 0:
        return x
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    across, down = (gaussian_weights(size, sigma.to(dtype)) for size in kernel_size)
    return _blur_numba(x, across, down) if numba_can(x) else _blur_torch(x, across, down)


def _blur_torch(x: torch.Tensor, across: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """The reference. ``across`` [B, width] and ``down`` [B, height] are the taps."""
    rows = _mirrored(x.shape[2], down.shape[1] // 2).to(x.device)
    columns = _mirrored(x.shape[3], across.shape[1] // 2).to(x.device)
    across, down = across.to(x.device), down.to(x.device)
    block = len(x) if x.is_cuda else max(1, _CACHED // x[0].numel())
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    for start in range(0, len(x), block):
        part = slice(start, start + block)
        work = x[part].to(across.dtype)
        work = _taps(work.index_select(3, columns), across[part], 3)
        work = _taps(work.index_select(2, rows), down[part], 2)
        out[part] = work.round_() if x.dtype == torch.uint8 else work
    return out


def _blur_numba(x: torch.Tensor, across: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """uint8 and float32 on a CPU: the same bits."""
    from domainkit.vision.transforms.kernels.numba_filters import compiled

    out = torch.empty(x.shape, dtype=x.dtype)
    arrays = (
        x.contiguous().numpy(),
        out.numpy(),
        across.contiguous().numpy(),
        down.contiguous().numpy(),
        _mirrored(x.shape[3], across.shape[1] // 2).numpy(),
        _mirrored(x.shape[2], down.shape[1] // 2).numpy(),
        x.dtype == torch.uint8,
    )
    kernel = compiled("blur")
    in_parts(lambda first, end: kernel(*arrays, first, end), [x[0].numel()] * len(x))
    return out


def _taps(padded: torch.Tensor, weights: torch.Tensor, axis: int) -> torch.Tensor:
    """Sums and products by themselves, in one order: the same bits in any batch and form."""
    size = padded.shape[axis] - weights.shape[1] + 1
    total = None
    for j in range(weights.shape[1]):
        product = padded.narrow(axis, j, size) * weights[:, j, None, None, None]
        total = product if total is None else total.add_(product)
    assert total is not None
    return total


def _mirrored(size: int, margin: int) -> torch.Tensor:
    """int64 [margin + size + margin]: which pixel stands there."""
    place = torch.arange(-margin, size + margin)
    if size == 1:
        return place * 0
    place = place.remainder(2 * (size - 1))
    return torch.minimum(place, 2 * (size - 1) - place)
