"""``RandomRotation`` and ``Rotate``: pictures turned about a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from domainkit.draws import Draws
from domainkit.vision.transforms._arguments import Fill, as_angles
from domainkit.vision.transforms._geometry import Placement
from domainkit.vision.transforms._images import constants
from domainkit.vision.transforms._warped import Warped, affine_matrices, centred

__all__ = ["RandomRotation", "Rotate"]


class _Rotation(Warped):
    expand: bool
    center: tuple[float, float] | None

    def angles(self, draws: Draws) -> torch.Tensor:
        raise NotImplementedError

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        angle = self.angles(draws)
        nothing = torch.zeros(len(sizes), 2, dtype=torch.float64, device=sizes.device)
        center = nothing
        if self.center is not None:
            center = constants(self.center, torch.float64, sizes.device) - sizes.flip(1) / 2
        matrix = affine_matrices(-angle, nothing, torch.ones_like(nothing[:, 0]), nothing, center)
        after = self._expanded(sizes, matrix, angle) if self.expand else sizes
        return Placement(sizes, after, centred(matrix, sizes, after), window=False)

    def _expanded(
        self, sizes: torch.Tensor, matrix: torch.Tensor, angle: torch.Tensor
    ) -> torch.Tensor:
        """int64 [B, 2]: the smallest whole size that holds the turned corners, as Pillow has it."""
        half = sizes.flip(1).double() / 2
        signs = torch.tensor([[-1, -1], [-1, 1], [1, 1], [1, -1]], dtype=torch.float64)
        corners = half[:, None] * signs  # [B, 4, 2]
        turned = (matrix[:, None, :2, :2] * corners[:, :, None]).sum(3) + matrix[:, None, :2, 2]
        turned = turned + half[:, None]
        # cut to 1e-4, lest a rounding error adds a pixel
        low, high = (turned.amin(1) * 1e4).trunc() / 1e4, (turned.amax(1) * 1e4).trunc() / 1e4
        after = (high.ceil() - low.floor()).to(torch.int64).flip(1)
        if self.center is not None:
            return after
        # whole quarter turns need no pixel more, though the corners may lie at half pixels
        after = torch.where((angle % 180 == 0)[:, None], sizes, after)
        return torch.where((angle % 180 == 90)[:, None], sizes.flip(1), after)


@dataclass(frozen=True)
class RandomRotation(_Rotation):
    """Turn every picture by an angle of its own.

    Takes uint8 or floating pictures, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i] ("nearest":
    any dtype). Sizes stay; with ``expand`` each becomes as large as its turned picture needs, and
    the batch a ``Ragged`` unless all are equal.

    Args:
        degrees: the angle is uniform in (low, high), or in [-v, v] for a number v; degrees,
            counter-clockwise.
        interpolation: "nearest", "bilinear" or "bicubic".
        expand: grow, so that nothing is cut off (meant for turns about the middle).
        center: (x, y) of the fixed point in pixels from the upper left corner; None: the middle.
        fill: what lies around the picture: a number, one per channel, or None; see ``warp``.

    Exactness, against ``torchvision.transforms.v2.functional.rotate`` with the angle that
    ``angles`` gives: as ``RandomAffine``; equal for whole quarter turns about the middle.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> RandomRotation((90, 90), expand=True)(torch.tensor([[[[1, 2, 3]]]])).tolist()
        [[[[3], [2], [1]]]]
    """

    degrees: float | tuple[float, float]
    interpolation: str = "nearest"
    expand: bool = False
    center: tuple[float, float] | None = None
    fill: Fill = 0

    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        as_angles(self, "degrees", self.degrees)
        if isinstance(self.degrees, list):
            self._set("degrees", tuple(self.degrees))
        self._check_sampling()
        self._check_center(self.center)

    def angles(self, draws: Draws) -> torch.Tensor:
        """float64 [B] on the host: degrees, counter-clockwise."""
        low, high = as_angles(self, "degrees", self.degrees)
        return low + (high - low) * draws.uniform(1, device="cpu")[:, 0].double()


@dataclass(frozen=True)
class Rotate(_Rotation):
    """Turn all pictures by the same angle.

    Takes and gives what ``RandomRotation`` does.

    Args:
        angle: degrees, counter-clockwise.
        interpolation, expand, center, fill: as in ``RandomRotation``.

    Exactness: as ``RandomRotation``.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> Rotate(180)(torch.tensor([[[[1, 2, 3]]]])).tolist()
        [[[[3, 2, 1]]]]
    """

    angle: float
    interpolation: str = "nearest"
    expand: bool = False
    center: tuple[float, float] | None = None
    fill: Fill = 0

    def __post_init__(self) -> None:
        self._check_sampling()
        self._check_center(self.center)

    def angles(self, draws: Draws) -> torch.Tensor:
        """float64 [B]: the angle once per sample."""
        device = draws.ids.device if torch.compiler.is_compiling() else "cpu"
        return torch.full((len(draws),), float(self.angle), dtype=torch.float64, device=device)
