"""``Warped``: the base of transforms that sample every picture at points."""

from __future__ import annotations

from typing import ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._arguments import Fill, as_fill, as_interpolation, as_pair
from domainkit.vision.transforms._geometry import Geometric, Placement
from domainkit.vision.transforms._images import PIXELS, check_images, item_sizes, sizes_in_graph
from domainkit.vision.transforms.kernels.warp import WARPS, sample_at, source_points, warp

__all__ = ["Warped", "affine_matrices", "centred"]


class Warped(Geometric):
    """A geometry whose subclass is a dataclass with ``interpolation`` and ``fill``."""

    compiled: ClassVar[bool] = True
    interpolation: str
    fill: Fill

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_sampling(self) -> None:
        name = self.interpolation
        name = "nearest" if getattr(name, "value", name) == "nearest-exact" else name
        self._set("interpolation", as_interpolation(self, name, WARPS))
        self._set("fill", as_fill(self, self.fill))

    def _check_center(self, center: object) -> None:
        if center is not None:
            self._set("center", as_pair(self, "center", center, float("-inf"), float("inf")))

    def check(self, x: torch.Tensor | Ragged) -> None:
        """TransformError unless these pictures can be sampled."""
        check_images(self, x, dtypes=None if self.interpolation == "nearest" else PIXELS)
        if len(x) and int(item_sizes(x).min()) < 1:
            raise TransformError(f"{type(self).__name__}: a picture has no pixels")

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        if torch.compiler.is_compiling() and isinstance(x, torch.Tensor):
            return self._in_one_graph(x, draws)
        self.check(x)
        if len(x) == 0:
            return x
        placed = self.place(item_sizes(x), draws)
        assert isinstance(placed, Placement)
        return warp(x, placed.matrix, placed.sizes, self.interpolation, self.fill)

    def _in_one_graph(self, x: torch.Tensor, draws: Draws) -> torch.Tensor:
        # shapes that depend on no value, and no matrix on the host
        name = type(self).__name__
        check_images(self, x, dtypes=None if self.interpolation == "nearest" else PIXELS)
        if min(x.shape[2:]) < 1:
            raise TransformError(f"{name}: a picture has no pixels")
        if getattr(self, "expand", False):
            raise TransformError(f"{name}: a graph has pictures of one size: take expand=False")
        placed = self.place(sizes_in_graph(x, draws.ids), draws)
        assert isinstance(placed, Placement)
        points = source_points(placed.matrix.to(x.device), x.shape[2], x.shape[3])
        return sample_at(x, points, self.interpolation, self.fill)


def affine_matrices(
    angle: torch.Tensor,
    translate: torch.Tensor,
    scale: torch.Tensor,
    shear: torch.Tensor,
    center: torch.Tensor,
) -> torch.Tensor:
    """float64 [B, 3, 3], output -> input, both measured from the middle of the picture.

    The forward map is T(translate) C(center) R(angle) S(scale) Sh(shear) C(-center), with shear
    (x, y) standing for [[1, 0], [-tan y, 1]] @ [[1, -tan x], [0, 1]] as torchvision has it.

    Args:
        angle: float64 [B], degrees, clockwise; shear float64 [B, 2], degrees.
        translate, center: float64 [B, 2], (x, y) in pixels; scale float64 [B].
    """
    turn, (shear_x, shear_y) = angle.deg2rad(), shear.deg2rad().unbind(1)
    cos, sin = _clean(turn.cos()), _clean(turn.sin())
    tan_x, tan_y = _clean(shear_x.tan()), _clean(shear_y.tan())
    # R @ [[1, 0], [-tan y, 1]] @ [[1, -tan x], [0, 1]]; its determinant is 1
    a, c = cos + sin * tan_y, sin - cos * tan_y
    b, d = -a * tan_x - sin, -c * tan_x + cos
    inverse = torch.stack([torch.stack([d, -b], 1), torch.stack([-c, a], 1)], 1)
    inverse = inverse / scale[:, None, None]
    matrix = torch.zeros(len(angle), 3, 3, dtype=torch.float64, device=angle.device)
    matrix[:, :2, :2] = inverse
    matrix[:, 2, 2].fill_(1)  # a number that is assigned is a tensor of the host in a graph
    moved = center + translate
    matrix[:, :2, 2] = center - (inverse * moved[:, None]).sum(2)
    return matrix


def centred(matrix: torch.Tensor, source: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """``affine_matrices`` for coordinates measured from the corners of pictures.

    Args:
        source, sizes: int64 [B, 2], height and width of input and output.
    """
    out = matrix.clone()
    middle = sizes.flip(1).double() / 2
    out[:, :2, 2] += source.flip(1).double() / 2
    out[:, :2, 2] -= (matrix[:, :2, :2] * middle[:, None]).sum(2)
    return out


def _clean(values: torch.Tensor) -> torch.Tensor:
    """Exact zeros and ones at multiples of 90 degrees, where rounding leaves 1e-16."""
    near = values.round()
    return torch.where((values - near).abs() < 1e-12, near, values)
