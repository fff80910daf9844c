"""``FiveCrop`` and ``TenCrop``: the corners and the middle of every picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import as_size, check_images, item_sizes, join

__all__ = ["FiveCrop", "TenCrop"]

Crops = tuple[Any, ...]


@dataclass(frozen=True)
class FiveCrop(ImageTransform):
    """Cut the four corners and the middle out of every picture.

    Takes any dtype, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i], and gives a tuple of five dense
    tensors [B, C, *size]: upper left, upper right, lower left, lower right, middle (views of a
    dense input).

    Args:
        size: (height, width) in pixels, or an int: a square.

    Exactness: equal to ``torchvision.transforms.v2.functional.five_crop``.

    Raises:
        TransformError: wrong arguments or shape, or a picture smaller than the window.

    Example:
        >>> [crop.tolist() for crop in FiveCrop(1)(torch.arange(9).view(1, 1, 3, 3))]
        [[[[[0]]]], [[[[2]]]], [[[[6]]]], [[[[8]]]], [[[[4]]]]]
    """

    size: int | tuple[int, int]

    kind: ClassVar[str] = "geometry"

    def __post_init__(self) -> None:
        pair = as_size(self, self.size)
        if not isinstance(self.size, int):
            object.__setattr__(self, "size", pair)  # a list from a recipe becomes a tuple

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> Crops:
        return _crops(self, x, as_size(self, self.size))


@dataclass(frozen=True)
class TenCrop(ImageTransform):
    """``FiveCrop`` of every picture and of its mirror image.

    Takes any dtype, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i], and gives a tuple of ten dense
    tensors [B, C, *size]: the five of the picture, then the five of the mirrored picture.

    Args:
        size: (height, width) in pixels, or an int: a square.
        vertical_flip: mirror top and bottom instead of left and right.

    Exactness: equal to ``torchvision.transforms.v2.functional.ten_crop``.

    Raises:
        TransformError: wrong arguments or shape, or a picture smaller than the window.

    Example:
        >>> len(TenCrop(2)(torch.zeros(1, 1, 3, 3)))
        10
    """

    size: int | tuple[int, int]
    vertical_flip: bool = False

    kind: ClassVar[str] = "geometry"

    def __post_init__(self) -> None:
        pair = as_size(self, self.size)
        if not isinstance(self.size, int):
            object.__setattr__(self, "size", pair)

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> Crops:
        size = as_size(self, self.size)
        side = -2 if self.vertical_flip else -1
        plain = _crops(self, x, size)
        # the crop of a mirrored picture is the mirrored crop of the opposite corner
        flipped = [_flipped(c, side) for c in plain[:4]]
        order = (2, 3, 0, 1) if self.vertical_flip else (1, 0, 3, 2)
        return (*plain, *(flipped[i] for i in order), _crops(self, x, size, mirrored=side)[4])


def _flipped(x: Any, side: int) -> Any:
    return x.flip(side) if isinstance(x, torch.Tensor) else join([p.flip(side) for p in x], like=x)


def _crops(
    op: ImageTransform, x: torch.Tensor | Ragged, size: tuple[int, int], mirrored: int = 0
) -> Crops:
    check_images(op, x)
    height, width = size
    sizes = item_sizes(x)
    if len(x) and bool((sizes < torch.tensor(size)).any()):
        small = sizes[int((sizes - torch.tensor(size)).min(1).values.argmin())].tolist()
        raise TransformError(
            f"{type(op).__name__}: a picture of {small[0]} x {small[1]} is smaller than the window "
            f"{size}. Resize or pad it before."
        )
    if isinstance(x, Ragged):
        if len(x) == 0:
            return (x,) * 5
        items = [_crops(op, item[None], size, mirrored) for item in x]
        return tuple(join([crops[i][0] for crops in items], like=x) for i in range(5))
    x = x.flip(mirrored) if mirrored else x
    bottom, right = x.shape[2] - height, x.shape[3] - width
    # Python rounds halves to the even side, and so does torchvision
    corners = (
        (0, 0),
        (0, right),
        (bottom, 0),
        (bottom, right),
        (round(bottom / 2), round(right / 2)),
    )
    return tuple(x[:, :, top : top + height, left : left + width] for top, left in corners)
