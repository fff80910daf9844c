"""``RandomErasing``: rectangles of pictures painted over.

Z. Zhong et al., "Random Erasing Data Augmentation", AAAI 2020; the modes are those of timm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import (
    PIXELS,
    as_range,
    check_images,
    constants,
    item_sizes,
    sizes_in_graph,
)
from domainkit.vision.transforms._noise import alone, noise_in_boxes
from domainkit.vision.transforms.random_levels import check_probability

__all__ = ["RandomErasing"]

_TRIES = 10
_PER_BOX = 2 * _TRIES + 2
_MODES = ("const", "rand", "pixel")
_MOST = 64  # rectangles


@dataclass(frozen=True)
class RandomErasing(ImageTransform):
    """Paint over a rectangle of every picture with probability ``p``, each by draws of its own.

    Takes uint8 (0..255) or floating pictures with any number of channels, normalised ones as well,
    dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i], and gives the same form. Area and ratio are
    drawn ten times; the first that fits is taken, and if none does the picture stays.

    Args:
        p: probability in [0, 1].
        scale: (low, high) of the area, as a share of the picture's (with more than one rectangle:
            of all together).
        ratio: (low, high) of height / width, uniform in its logarithm.
        value: a number, a number per channel, or "random" for mode "pixel".
        inplace: write into the pictures that were given (dense ones).
        mode: "const": ``value``; "rand": a random colour per rectangle; "pixel": random numbers.
            They are standard normal in floating pictures, uniform levels in uint8 ones.
        min_count, max_count: how many rectangles, each number as likely; timm's.

    Exactness: with the boxes that ``boxes`` gives, equal to
    ``torchvision.transforms.v2.functional.erase``. In uint8 pictures torchvision's "random" casts
    standard normal numbers to levels, which gives no colour: here levels are drawn.

    Raises:
        TransformError: wrong arguments, dtype or shape; a number of values that is not the number
            of channels.

    Example:
        >>> erase = RandomErasing(p=1.0, scale=(0.25, 0.25), ratio=(1.0, 1.0))
        >>> int(erase(torch.ones(1, 3, 8, 8)).sum())
        144
    """

    p: float = 0.5
    scale: tuple[float, float] = (0.02, 0.33)
    ratio: tuple[float, float] = (0.3, 3.3)
    value: float | str | tuple[float, ...] = 0.0
    inplace: bool = False
    mode: str = "const"
    min_count: int = 1
    max_count: int = 1

    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_probability(self, self.p)
        scale = as_range(self, "scale", self.scale, above=-math.inf)
        if scale[0] < 0 or scale[1] > 1:
            raise TransformError(f"RandomErasing: scale must be within [0, 1], got {self.scale!r}")
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "ratio", as_range(self, "ratio", self.ratio))
        value: Any = self.value
        many = isinstance(value, (tuple, list)) and len(value) > 0
        if many:
            object.__setattr__(self, "value", tuple(value))
        if value != "random" and not all(
            isinstance(v, (int, float)) for v in (value if many else [value])
        ):
            raise TransformError(
                f'RandomErasing: value must be a number, a number per channel or "random", '
                f"got {value!r}"
            )
        if self.mode not in _MODES:
            raise TransformError(
                f"RandomErasing: mode must be one of {', '.join(_MODES)}, got {self.mode!r}"
            )
        counts = (self.min_count, self.max_count)
        if not all(type(n) is int for n in counts) or not 1 <= counts[0] <= counts[1] <= _MOST:
            raise TransformError(
                f"RandomErasing: needs 1 <= min_count <= max_count <= {_MOST}, got {counts}"
            )

    def boxes(self, sizes: torch.Tensor, draws: Draws) -> torch.Tensor:
        """int64 [B, max_count, 4] on the host: top, left, height and width of each rectangle.

        Those that are not painted are 0 high and wide.

        Args:
            sizes: int64 [B, 2], height and width of each picture.
        """
        unit = draws.uniform(2 + _PER_BOX * self.max_count, device="cpu").double()
        count = self.min_count + (unit[:, 1] * (self.max_count - self.min_count + 1)).floor()
        drawn = unit[:, 2:].unflatten(1, (self.max_count, _PER_BOX))
        full = sizes.double()[:, None]  # [B, 1, 2]
        low, high = self.scale
        area = full.prod(2, keepdim=True) * (low + (high - low) * drawn[..., :_TRIES])
        area = area / count[:, None, None]
        low, high = (math.log(r) for r in self.ratio)
        ratio = (low + (high - low) * drawn[..., _TRIES : 2 * _TRIES]).exp()
        # height / width = ratio and height * width = area
        tries = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], 3).round()
        fits = (tries < full[:, :, None]).all(3)  # [B, max_count, 10]
        first = fits.int().argmax(2)  # argmax gives the first of equals
        window = tries.gather(2, first[:, :, None, None].expand(-1, -1, 1, 2))[:, :, 0]
        corner = (drawn[..., 2 * _TRIES :] * (full - window + 1)).floor()
        wanted = (unit[:, :1] < self.p) & (
            torch.arange(self.max_count, device=count.device) < count[:, None]
        )
        window = window * (wanted & fits.any(2))[:, :, None]
        return torch.cat([corner, window], 2).to(torch.int64)

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x, dtypes=PIXELS)
        if len(x) == 0:
            return x
        if torch.compiler.is_compiling() and isinstance(x, torch.Tensor):
            return self._in_one_graph(x, draws)
        boxes = self.boxes(item_sizes(x), draws)
        if isinstance(x, Ragged):
            items = [
                self._erase(item[None].clone(), boxes[i : i + 1], alone(draws, i))[0]
                for i, item in enumerate(x)
            ]
            return Ragged.from_list(items)
        return self._erase(x if self.inplace else x.clone(), boxes, draws)

    def _in_one_graph(self, x: torch.Tensor, draws: Draws) -> torch.Tensor:
        if self.value == "random" or self.mode == "pixel":
            raise TransformError(
                'RandomErasing: mode "pixel" draws a number for each pixel of a rectangle, which '
                'no graph of fixed shapes does: take mode "rand" or "const"'
            )
        boxes, paint = self.boxes(sizes_in_graph(x, draws.ids), draws), self._paint(x, draws)
        for number in range(self.max_count):
            x = _filled_by_mask(x, boxes[:, number], paint[:, number])
        return x

    def _erase(self, x: torch.Tensor, boxes: torch.Tensor, draws: Draws) -> torch.Tensor:
        """Paint into ``x``, one rectangle of every picture after the other."""
        pixel = self.value == "random" or self.mode == "pixel"
        paint = None if pixel else self._paint(x, draws)
        for number in range(self.max_count):
            if paint is None:
                noise_in_boxes(x, boxes[:, number], draws, number)
            elif x.is_cuda:
                x.copy_(_filled_by_mask(x, boxes[:, number], paint[:, number]))
            else:
                _fill(x, boxes[:, number].tolist(), paint[:, number])
        return x

    def _paint(self, x: torch.Tensor, draws: Draws) -> torch.Tensor:
        """[B, max_count, C] of the dtype of ``x``: the colour of every rectangle."""
        channels = x.shape[1]
        if self.mode == "const":
            value: Any = self.value
            values = tuple(value) if isinstance(value, tuple) else (value,)
            if len(values) not in (1, channels):
                raise TransformError(
                    f"RandomErasing: value has {len(values)} numbers, the pictures have "
                    f"{channels} channels"
                )
            color = constants(list(values), torch.float64, x.device).to(x.dtype)
            return color.expand(len(x), self.max_count, channels)
        start = 2 + _PER_BOX * _MOST  # past what the boxes use
        n = self.max_count * channels
        if x.dtype == torch.uint8:
            color = draws.integers(n, 0, 256, start=start, device=x.device)
        else:
            color = draws.normal(n, start=start, device=x.device)
        return color.to(x.dtype).unflatten(1, (self.max_count, channels))


def _fill(x: torch.Tensor, boxes: Sequence[Sequence[int]], paint: torch.Tensor) -> None:
    for picture, (top, left, height, width), color in zip(x, boxes, paint, strict=True):
        if height and width:
            picture[:, top : top + height, left : left + width] = color[:, None, None]


def _filled_by_mask(x: torch.Tensor, boxes: torch.Tensor, paint: torch.Tensor) -> torch.Tensor:
    """The same for all pictures at once, without waiting for the device; a copy."""
    top, left, height, width = boxes.to(x.device)[:, :, None].unbind(1)  # [B, 1] each
    y, across = (torch.arange(n, device=x.device) for n in x.shape[2:])
    rows, columns = (y >= top) & (y < top + height), (across >= left) & (across < left + width)
    inside = (rows[:, :, None] & columns[:, None, :])[:, None]
    return torch.where(inside, paint[:, :, None, None], x)
