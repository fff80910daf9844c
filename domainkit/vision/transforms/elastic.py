"""``ElasticTransform``: every pixel moved a little, its neighbours nearly as much.

The method is that of Simard, Steinkraus and Platt, "Best practices for convolutional neural
networks applied to visual document analysis", ICDAR 2003: uniform noise, blurred by a Gaussian.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._arguments import Fill, as_pair
from domainkit.vision.transforms._geometry import Placement
from domainkit.vision.transforms._images import each_item
from domainkit.vision.transforms._warped import Warped
from domainkit.vision.transforms.kernels.warp import sample_at

__all__ = ["ElasticTransform"]

_FAR = float("inf")


@dataclass(frozen=True)
class ElasticTransform(Warped):
    """Shift every pixel by a smooth random field, each picture by one of its own.

    Takes uint8 or floating pictures, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i] ("nearest":
    any dtype), and gives the same form, dense where all sizes are equal; sizes stay.

    Args:
        alpha: how far, for x and y or (x, y): noise in [-1, 1) is blurred and times alpha / 2 is
            the shift in pixels.
        sigma: standard deviation of the blur in pixels, along x and y or (x, y); 0: none.
        interpolation: "nearest", "bilinear" or "bicubic".
        fill: what lies around the picture: a number, one per channel, or None; see ``warp``.

    No homography says where pixels come from: ``place`` gives None.

    Exactness, against ``torchvision.transforms.v2.functional.elastic`` with what ``displacements``
    gives: float64 within 1e-12, float32 within 2e-5, uint8 within 1 level. The blur is
    torchvision's (window of 8 sigma + 1, mirrored border) within 1e-6, and has no smallest size.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> ElasticTransform(alpha=30.0)(torch.zeros(2, 1, 28, 28, dtype=torch.uint8)).shape
        torch.Size([2, 1, 28, 28])
    """

    alpha: float | tuple[float, float] = 50.0
    sigma: float | tuple[float, float] = 5.0
    interpolation: str = "bilinear"
    fill: Fill = 0

    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name, low in (("alpha", -_FAR), ("sigma", 0.0)):
            value = getattr(self, name)
            if not isinstance(value, (int, float)):
                self._set(name, as_pair(self, name, value, low, _FAR))
            elif not value >= low:
                raise TransformError(f"ElasticTransform: {name} must be >= 0, got {value!r}")
        self._check_sampling()

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement | None:
        return None

    def displacements(
        self, height: int, width: int, draws: Draws, *, device: torch.device | None = None
    ) -> torch.Tensor:
        """float32 [B, height, width, 2]: (x, y), in units of half the picture's width and height.

        This is what torchvision's ``elastic`` takes, for one sample at a time.
        """
        noise = draws.uniform(2 * height * width, device=device or "cpu") * 2 - 1
        noise = noise.view(-1, 2, height, width)
        sigma = self.sigma if isinstance(self.sigma, tuple) else (self.sigma, self.sigma)
        alpha = self.alpha if isinstance(self.alpha, tuple) else (self.alpha, self.alpha)
        moved = []
        for axis, extent in ((0, width), (1, height)):
            field = noise[:, axis]
            if sigma[axis] > 0:  # torchvision blurs both ways, with the window of this sigma
                window = int(8 * sigma[axis] + 1) | 1
                along_x = _blur(width, window, sigma[0]).to(field.device)
                along_y = _blur(height, window, sigma[1]).to(field.device)
                field = along_y @ field @ along_x.T
            moved.append(field * alpha[axis] / extent)
        return torch.stack(moved, 3)

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        self.check(x)
        if len(x) == 0:
            return x
        if isinstance(x, Ragged):
            return each_item(x, lambda i, picture: self._move(picture, _only(draws, i)))
        if x.is_cuda:
            return self._move(x, draws)
        # one by one on a CPU: a matrix product of many may round otherwise than that of one
        return torch.cat([self._move(x[i : i + 1], _only(draws, i)) for i in range(len(x))])

    def _move(self, x: torch.Tensor, draws: Draws) -> torch.Tensor:
        height, width = x.shape[2:]
        moved = self.displacements(height, width, draws, device=x.device).double()
        rows = torch.arange(height, dtype=torch.float64, device=x.device)[:, None] + 0.5
        columns = torch.arange(width, dtype=torch.float64, device=x.device) + 0.5
        across = columns + moved[..., 0] * (width / 2)
        down = rows + moved[..., 1] * (height / 2)
        return sample_at(x, torch.stack([across, down], 3), self.interpolation, self.fill)


def _only(draws: Draws, i: int) -> Draws:
    return dataclasses.replace(draws, ids=draws.ids[i : i + 1])


def _blur(length: int, window: int, sigma: float) -> torch.Tensor:
    """float32 [length, length]: the Gaussian filter with a mirrored border, as a matrix."""
    if sigma <= 0:
        return torch.eye(length)
    offsets = torch.arange(window, dtype=torch.float64) - window // 2
    weights = (-0.5 * (offsets / sigma) ** 2).exp()
    weights /= weights.sum()
    source = torch.arange(length)[:, None] + offsets.to(torch.int64)
    period = max(1, 2 * (length - 1))  # mirrored again and again, for windows beyond the picture
    source = source % period
    source = torch.where(source >= length, period - source, source)
    matrix = torch.zeros(length, length, dtype=torch.float64)
    matrix.scatter_add_(1, source, weights.expand(length, -1).contiguous())
    return matrix.float()
