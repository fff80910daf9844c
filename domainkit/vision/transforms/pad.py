"""``Pad``: a border around every picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._arguments import Fill, as_fill
from domainkit.vision.transforms._geometry import Geometric, Placement, window_placement
from domainkit.vision.transforms._images import as_padding, check_images, each_item

__all__ = ["PADDING_MODES", "Pad", "check_padding_mode", "pad_pictures"]

PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


@dataclass(frozen=True)
class Pad(Geometric):
    """Put a border around every picture.

    Takes any dtype, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i].

    Args:
        padding: pixels on all sides, or (left and right, top and bottom), or (left, top, right,
            bottom).
        fill: the value of a constant border, or one per channel; None is 0.
        padding_mode: "constant"; "edge" repeats the outermost pixels; "reflect" mirrors without
            them, "symmetric" with them.

    Exactness: equal to ``torchvision.transforms.v2.functional.pad`` on every input.

    Raises:
        TransformError: wrong arguments or shape, or a mirrored border wider than the picture.

    Example:
        >>> Pad(1, fill=7)(torch.zeros(1, 1, 1, 1)).tolist()
        [[[[7.0, 7.0, 7.0], [7.0, 0.0, 7.0], [7.0, 7.0, 7.0]]]]
    """

    padding: int | tuple[int, ...]
    fill: Fill = 0
    padding_mode: str = "constant"

    def __post_init__(self) -> None:
        as_padding(self, self.padding)
        if not isinstance(self.padding, int):
            object.__setattr__(self, "padding", tuple(self.padding))
        object.__setattr__(self, "fill", as_fill(self, self.fill))
        check_padding_mode(self, self.padding_mode, self.fill)

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        left, top, right, bottom = as_padding(self, self.padding)
        after = sizes + torch.tensor([top + bottom, left + right])
        corner = torch.tensor([-top, -left]).expand_as(sizes)
        return window_placement(sizes, after, torch.cat([corner, after], 1))

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x)
        sides = as_padding(self, self.padding)
        if isinstance(x, Ragged):
            return each_item(x, lambda _, picture: self._pad(picture, sides))
        return self._pad(x, sides)

    def _pad(self, x: torch.Tensor, sides: Sequence[int]) -> torch.Tensor:
        return pad_pictures(self, x, sides, self.fill, self.padding_mode)


def pad_pictures(
    op: Any, x: torch.Tensor, sides: Sequence[int], fill: Fill = 0, mode: str = "constant"
) -> torch.Tensor:
    """Pictures [B, C, H, W] with a border of ``sides`` (left, top, right, bottom); see ``Pad``."""
    left, top, right, bottom = sides
    if not any(sides):
        return x
    if mode != "constant":
        rows = _sources(op, x.shape[2], (top, bottom), mode).to(x.device)
        columns = _sources(op, x.shape[3], (left, right), mode).to(x.device)
        return x.index_select(2, rows).index_select(3, columns)
    around = [left, right, top, bottom]
    if not isinstance(fill, tuple) or len(fill) == 1:
        value = fill[0] if isinstance(fill, tuple) else fill
        return pad(x, around, value=value or 0)
    if len(fill) != x.shape[1]:
        raise TransformError(
            f"{type(op).__name__}: fill has {len(fill)} values, the pictures {x.shape[1]} channels"
        )
    out = torch.tensor(fill, dtype=torch.float64).to(x).view(1, -1, 1, 1)
    height, width = x.shape[2] + top + bottom, x.shape[3] + left + right
    out = out.expand(len(x), -1, height, width).contiguous()
    out[:, :, top : top + x.shape[2], left : left + x.shape[3]] = x
    return out


def check_padding_mode(op: Any, mode: Any, fill: Fill) -> None:
    """TransformError unless ``mode`` is known and goes with ``fill``."""
    if mode not in PADDING_MODES:
        raise TransformError(
            f"{type(op).__name__}: padding_mode must be one of {', '.join(PADDING_MODES)}, "
            f"got {mode!r}"
        )
    if mode != "constant" and isinstance(fill, tuple) and len(fill) > 1:
        raise TransformError(
            f"{type(op).__name__}: fill per channel goes with padding_mode 'constant' only"
        )


def _sources(op: Any, length: int, sides: tuple[int, int], mode: str) -> torch.Tensor:
    """int64 [before + length + after]: which row (or column) each one is a copy of."""
    before, after = sides
    most = {"edge": before + after, "reflect": length - 1, "symmetric": length}[mode]
    if length < 1 or max(before, after) > most:
        raise TransformError(
            f"{type(op).__name__}: a border of {max(before, after)} with padding_mode {mode!r} "
            f"needs more than {length} pixels"
        )
    place = torch.arange(-before, length + after)
    if mode == "edge":
        return place.clamp_(0, length - 1)
    shift = 1 if mode == "symmetric" else 0
    place = torch.where(place < 0, -place - shift, place)
    return torch.where(place >= length, 2 * (length - 1) - place + shift, place)
