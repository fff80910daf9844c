"""``Resize``: pictures to another size, with the filter widened against aliasing.

The filters are ``torch.nn.functional.interpolate``'s: a triangle (bilinear) or Keys' cubic with
a = -0.5 (a = -0.75 without antialias), stretched by the scale when a picture shrinks, as Pillow
does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.functional import interpolate

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._arguments import as_interpolation
from domainkit.vision.transforms._geometry import Geometric, Placement, window_placement
from domainkit.vision.transforms._images import (
    PIXELS,
    as_size,
    check_images,
    each_item,
    item_sizes,
)

__all__ = ["MODES", "Resize", "resize", "resize_into"]

MODES = ("bilinear", "bicubic", "nearest", "nearest-exact")


@dataclass(frozen=True)
class Resize(Geometric):
    """Resize every picture.

    Takes uint8 or floating pictures, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i] ("nearest":
    any dtype). Gives a dense tensor when all pictures come out equal in size, else a ``Ragged``.

    Args:
        size: (height, width), or an int: the length of the shorter side, in pixels; the longer one
            follows, cut to a whole number.
        interpolation: "bilinear", "bicubic", "nearest" or "nearest-exact", or what torchvision
            takes for them (its enum, Pillow's numbers).
        max_size: with an int ``size``: the longer side is at most this, and the shorter follows.
        antialias: widen the filter when a picture shrinks (not for the nearest ones).

    Exactness, against ``torchvision.transforms.v2.functional.resize`` on the same input:
        floating: within 1e-6. nearest: equal. uint8 bilinear: within 1 level (equal on a CPU with
        AVX2), and within 1 level of its floating path. uint8 bicubic: within 1 level of its
        floating path, rounded; torchvision on a CPU rounds and clips between the two directions
        too, which near sharp edges is tens of levels off.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> Resize(256)(torch.zeros(2, 3, 512, 640, dtype=torch.uint8)).shape
        torch.Size([2, 3, 256, 320])
    """

    size: int | tuple[int, int]
    interpolation: str = "bilinear"
    max_size: int | None = None
    antialias: bool = True

    clamps: ClassVar[bool] = False

    def __post_init__(self) -> None:
        pair = as_size(self, self.size)
        mode = as_interpolation(self, self.interpolation, MODES)
        object.__setattr__(self, "interpolation", mode)
        if isinstance(self.size, int):
            if self.max_size is not None and self.max_size <= self.size:
                raise TransformError(
                    f"Resize: max_size ({self.max_size}) must be above size ({self.size})"
                )
        else:
            object.__setattr__(self, "size", pair)  # a list from a recipe becomes a tuple
            if self.max_size is not None:
                raise TransformError("Resize: max_size goes with an int size only")

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) that a picture of this height and width comes out with."""
        if not isinstance(self.size, int):
            return self.size
        short, long = self.size, int(self.size * max(height, width) / min(height, width))
        if self.max_size is not None and long > self.max_size:
            short, long = int(self.max_size * short / long), self.max_size
        return (short, long) if height <= width else (long, short)

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        after = [self.output_size(height, width) for height, width in sizes.tolist()]
        return window_placement(sizes, torch.tensor(after, dtype=torch.int64).view(-1, 2))

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x, dtypes=None if self.interpolation.startswith("nearest") else PIXELS)
        # numbers of a shape, not of a tensor, so that torch.compile can follow
        shortest = min(x.shape[2:]) if isinstance(x, torch.Tensor) else _shortest(x)
        if len(x) and shortest < 1:
            raise TransformError("Resize: a picture has no pixels")
        if isinstance(x, Ragged):
            return each_item(x, lambda _, picture: self._one_size(picture))
        return self._one_size(x)

    def _one_size(self, x: torch.Tensor) -> torch.Tensor:
        size = self.output_size(x.shape[2], x.shape[3])
        return resize(x, size, self.interpolation, antialias=self.antialias)


def resize(
    x: torch.Tensor,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    *,
    antialias: bool = True,
) -> torch.Tensor:
    """Resize pictures [B, C, H, W] of one size to ``size`` (height, width); see ``Resize``."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    if len(x) == 0:
        return x.new_empty(0, x.shape[1], *size)
    if interpolation.startswith("nearest"):
        middle = 0.5 if interpolation == "nearest-exact" else 0.0
        rows = _nearest(x.shape[2], size[0], middle, x.device)
        columns = _nearest(x.shape[3], size[1], middle, x.device)
        return x[:, :, rows[:, None], columns]
    if torch.compiler.is_exporting():
        from domainkit.vision.transforms.kernels.resize_matmul import resize_matmul

        return resize_matmul(x, size, interpolation, antialias=antialias)
    # torch has a uint8 filter for CPUs only. Its bicubic form clips between the two directions and
    # so loses overshoot near edges: there the floating filter is used.
    # It also fails an assertion of its own on one pixel of 3 or 4 channels.
    native = x.dtype in (torch.float32, torch.float64) or (
        x.dtype == torch.uint8
        and x.device.type == "cpu"
        and interpolation == "bilinear"
        and tuple(size) != (1, 1)
    )
    out = interpolate(
        x if native else x.float(),
        size,
        mode=interpolation,
        align_corners=False,
        antialias=antialias,
    )
    if native:
        return out
    return out.round_().clamp_(0, 255).to(x.dtype) if x.dtype == torch.uint8 else out.to(x.dtype)


def resize_into(
    out: torch.Tensor,
    x: torch.Tensor,
    interpolation: str = "bilinear",
    *,
    antialias: bool = True,
) -> None:
    """``resize`` of pictures [B, C, h, w] to the size of ``out`` [B, C, H, W], written there.

    The usual case, uint8 with the antialiased bilinear filter on a CPU, makes no other copy; it is
    quickest where both lie channels last.
    """
    size = (out.shape[2], out.shape[3])
    direct = interpolation == "bilinear" and antialias and x.device.type == "cpu"
    direct = direct and size != (1, 1)  # see resize
    if direct and x.dtype == torch.uint8 and tuple(x.shape[2:]) != size:
        # what interpolate() calls, but for the place of the result
        torch.ops.aten._upsample_bilinear2d_aa.out(x, list(size), False, None, None, out=out)
    else:
        out.copy_(resize(x, size, interpolation, antialias=antialias))


def _shortest(x: Ragged) -> int:
    return int(item_sizes(x).min()) if len(x) else 1


def _nearest(source: int, target: int, middle: float, device: torch.device) -> torch.Tensor:
    """int64 [target]: the source row of each target row, in float32 as torch counts.

    floor(i * source / target), or with ``middle`` = 0.5 floor((i + 0.5) * source / target).
    """
    scale = torch.tensor(source / target, dtype=torch.float32, device=device)
    index = ((torch.arange(target, dtype=torch.float32, device=device) + middle) * scale).floor()
    return index.to(torch.int64).clamp_(max=source - 1)
