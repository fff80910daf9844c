"""``RandomAffine`` and ``Affine``: pictures turned, moved, scaled and sheared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.vision.transforms._arguments import Fill, as_angles, as_pair
from domainkit.vision.transforms._geometry import Placement
from domainkit.vision.transforms._images import as_range, constants
from domainkit.vision.transforms._warped import Warped, affine_matrices, centred

__all__ = ["Affine", "AffineParameters", "RandomAffine"]


class AffineParameters(NamedTuple):
    """What is done to each sample, float64: arguments of torchvision's ``affine``."""

    angle: torch.Tensor  # [B], degrees, clockwise
    translate: torch.Tensor  # [B, 2], pixels to the right and down, whole numbers
    scale: torch.Tensor  # [B]
    shear: torch.Tensor  # [B, 2], degrees


class _Affine(Warped):
    center: tuple[float, float] | None

    def parameters(self, sizes: torch.Tensor, draws: Draws) -> AffineParameters:
        raise NotImplementedError

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        angle, translate, scale, shear = self.parameters(sizes, draws)
        center = torch.zeros(len(sizes), 2, dtype=torch.float64, device=sizes.device)
        if self.center is not None:
            center += constants(self.center, torch.float64, sizes.device) - sizes.flip(1) / 2
        matrix = affine_matrices(angle, translate, scale, shear, center)
        return Placement(sizes, sizes, centred(matrix, sizes, sizes), window=False)


@dataclass(frozen=True)
class RandomAffine(_Affine):
    """Turn, move, scale and shear every picture by amounts of its own; sizes stay.

    Takes uint8 or floating pictures, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i] ("nearest":
    any dtype), and gives the same form, dense where all sizes are equal.

    Args:
        degrees: the angle is uniform in (low, high), or in [-v, v] for a number v; clockwise.
        translate: (x, y): moved by up to these shares of width and height, in [0, 1], to whole
            pixels. None: not at all.
        scale: (low, high) of the factor of size, uniform; None: 1.
        shear: degrees: along x uniform in [-v, v] for a number v, or in (low, high); with four
            numbers also along y in (third, fourth). None: none.
        interpolation: "nearest", "bilinear" or "bicubic".
        fill: what lies around the picture: a number, one per channel, or None; see ``warp``.
        center: (x, y) of the fixed point in pixels from the upper left corner; None: the middle.

    Exactness, against ``torchvision.transforms.v2.functional.affine`` with what ``parameters``
    gives: float64 within 1e-12; float32 within 2e-5 (torchvision's coordinates are float32); uint8
    within 1 level; "nearest" equal but where a point lies within 1e-4 pixels of the middle between
    two. "bicubic" is ``grid_sample``'s, which torchvision has for Pillow only.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> turn = RandomAffine(15, translate=(0.1, 0.1), interpolation="bilinear")
        >>> turn(torch.zeros(4, 3, 32, 32, dtype=torch.uint8)).shape
        torch.Size([4, 3, 32, 32])
    """

    degrees: float | tuple[float, float]
    translate: tuple[float, float] | None = None
    scale: tuple[float, float] | None = None
    shear: float | tuple[float, ...] | None = None
    interpolation: str = "nearest"
    fill: Fill = 0
    center: tuple[float, float] | None = None

    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        as_angles(self, "degrees", self.degrees)
        if self.translate is not None:
            self._set("translate", as_pair(self, "translate", self.translate, 0, 1))
        if self.scale is not None:
            self._set("scale", as_range(self, "scale", self.scale))
        if self.shear is not None:
            as_angles(self, "shear", self.shear, (2, 4))
        for name in ("degrees", "shear"):
            if isinstance(getattr(self, name), list):
                self._set(name, tuple(getattr(self, name)))
        self._check_sampling()
        self._check_center(self.center)

    def parameters(self, sizes: torch.Tensor, draws: Draws) -> AffineParameters:
        """What is done to pictures of these sizes (int64 [B, 2], height and width)."""
        unit = draws.uniform(6, device="cpu").double()
        most = sizes.flip(1) * constants(self.translate or (0, 0), torch.float64, unit.device)
        translate = (most * (2 * unit[:, 1:3] - 1)).round()
        low, high = self.scale or (1.0, 1.0)
        shear: Any = (0.0,) if self.shear is None else as_angles(self, "shear", self.shear, (2, 4))
        shear = constants((*shear, 0, 0, 0)[:4], torch.float64, unit.device)
        first, last = as_angles(self, "degrees", self.degrees)
        return AffineParameters(
            first + (last - first) * unit[:, 0],
            translate,
            low + (high - low) * unit[:, 3],
            shear[::2] + (shear[1::2] - shear[::2]) * unit[:, 4:],
        )


@dataclass(frozen=True)
class Affine(_Affine):
    """Turn, move, scale and shear all pictures by the same; sizes stay.

    Takes uint8 or floating pictures, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i] ("nearest":
    any dtype), and gives the same form, dense where all sizes are equal.

    Args:
        angle: degrees, clockwise.
        translate: (x, y), pixels to the right and down.
        scale: factor of size, above 0.
        shear: degrees along x, or (x, y).
        interpolation, fill, center: as in ``RandomAffine``.

    Exactness: as ``RandomAffine``.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> Affine(0, translate=(1, 0))(torch.tensor([[[[1, 2, 3]]]])).tolist()
        [[[[0, 1, 2]]]]
    """

    angle: float = 0.0
    translate: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    shear: float | tuple[float, float] = 0.0
    interpolation: str = "nearest"
    fill: Fill = 0
    center: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        far = float("inf")
        self._set("translate", as_pair(self, "translate", self.translate, -far, far))
        if not isinstance(self.shear, (int, float)):
            self._set("shear", as_pair(self, "shear", self.shear, -far, far))
        if not self.scale > 0:
            raise TransformError(f"Affine: scale must be above 0, got {self.scale!r}")
        self._check_sampling()
        self._check_center(self.center)

    def parameters(self, sizes: torch.Tensor, draws: Draws) -> AffineParameters:
        """The arguments, once per sample."""
        shear = self.shear if isinstance(self.shear, tuple) else (self.shear, 0.0)
        numbers = (self.angle, *self.translate, self.scale, *shear)
        row = constants(numbers, torch.float64, sizes.device)
        rows = row.expand(len(sizes), 6)
        return AffineParameters(rows[:, 0], rows[:, 1:3], rows[:, 3], rows[:, 4:])
