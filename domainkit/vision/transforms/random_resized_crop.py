"""``RandomResizedCrop``: a window of random area, shape and place, brought to one size.

The method is that of Szegedy et al., "Going deeper with convolutions", CVPR 2015, in torchvision's
form: up to ten tries of an area and an aspect ratio until the window fits into the picture, else
the largest central window of an allowed ratio. Here all ten tries of all samples are drawn at once
and the first that fits is taken, so a sample uses the same numbers whatever the others do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._arguments import as_interpolation
from domainkit.vision.transforms._geometry import Geometric, Placement, window_placement
from domainkit.vision.transforms._images import (
    PIXELS,
    as_range,
    as_size,
    check_images,
    item_sizes,
    join,
    sizes_in_graph,
)
from domainkit.vision.transforms.kernels.window import resize_windows
from domainkit.vision.transforms.resize import MODES, resize, resize_into

__all__ = ["RandomResizedCrop"]

_TRIES = 10


@dataclass(frozen=True)
class RandomResizedCrop(Geometric):
    """Cut a random window out of every picture and resize it.

    Takes uint8 or floating pictures, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i] ("nearest":
    any dtype), and gives a dense tensor [B, C, *size].

    Args:
        size: (height, width) in pixels, or an int: a square.
        scale: range of the window's area as a share of the picture's.
        ratio: range of the window's width / height, uniform in its logarithm.
        interpolation: "bilinear", "bicubic", "nearest" or "nearest-exact".
        antialias: widen the filter when a window shrinks (not for "nearest").

    Exactness: the windows follow the distribution of torchvision's; the pixels are those of
    ``torchvision.transforms.v2.functional.resized_crop`` with the window that ``boxes`` gives, as
    exact as ``Resize``.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> RandomResizedCrop(224)(torch.zeros(4, 3, 375, 500, dtype=torch.uint8)).shape
        torch.Size([4, 3, 224, 224])
    """

    size: int | tuple[int, int]
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: str = "bilinear"
    antialias: bool = True

    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        pair = as_size(self, self.size)
        if not isinstance(self.size, int):
            object.__setattr__(self, "size", pair)  # a list from a recipe becomes a tuple
        object.__setattr__(self, "scale", as_range(self, "scale", self.scale))
        object.__setattr__(self, "ratio", as_range(self, "ratio", self.ratio))
        mode = as_interpolation(self, self.interpolation, MODES)
        object.__setattr__(self, "interpolation", mode)

    def boxes(self, sizes: torch.Tensor, draws: Draws) -> torch.Tensor:
        """int64 [B, 4] on the host: top, left, height and width of each window, in pixels.

        Args:
            sizes: int64 [B, 2], height and width of each picture.
        """
        unit = draws.uniform(2 * _TRIES + 2, device="cpu").double()
        full = sizes.to(unit.device).double()
        low, high = self.scale
        area = full.prod(1, keepdim=True) * (low + (high - low) * unit[:, :_TRIES])
        low, high = (math.log(r) for r in self.ratio)
        ratio = (low + (high - low) * unit[:, _TRIES : 2 * _TRIES]).exp()
        # width / height = ratio and width * height = area
        tries = torch.stack([(area / ratio).sqrt(), (area * ratio).sqrt()], 2).round()  # [B, 10, 2]
        fits = ((tries > 0) & (tries <= full[:, None])).all(2)  # [B, 10]
        first = fits.int().argmax(1)  # argmax gives the first of equals
        window = tries.gather(1, first[:, None, None].expand(-1, 1, 2))[:, 0]
        room = full - window
        corner = (unit[:, 2 * _TRIES :] * (room + 1)).floor()
        none_fits = ~fits.any(1, keepdim=True)
        central = self._central(full)
        window = torch.where(none_fits, central, window)
        corner = torch.where(none_fits, ((full - central) / 2).floor(), corner)
        return torch.cat([corner, window], 1).to(torch.int64)

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        after = torch.tensor(as_size(self, self.size)).expand_as(sizes)
        return window_placement(sizes, after, self.boxes(sizes, draws))

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x, dtypes=None if self.interpolation.startswith("nearest") else PIXELS)
        size = as_size(self, self.size)
        if len(x) == 0:
            return x.new_empty(0, x.shape[1], *size) if isinstance(x, torch.Tensor) else x
        if isinstance(x, torch.Tensor) and torch.compiler.is_compiling():
            return self._in_one_graph(x, size, draws)
        sizes = item_sizes(x)
        if int(sizes.min()) < 1:
            raise TransformError("RandomResizedCrop: a picture has no pixels")
        boxes = self.boxes(sizes, draws)
        if x.device.type != "cpu":
            done = resize_windows(x, boxes, torch.tensor(size).expand(len(x), 2), how=self)
            if done is not None:
                return done
        windows = [
            picture[None, :, top : top + height, left : left + width]
            for picture, (top, left, height, width) in zip(x, boxes.tolist(), strict=True)
        ]
        channels = {window.shape[1] for window in windows}
        if len(channels) > 1:
            cut = [resize(w, size, self.interpolation, antialias=self.antialias) for w in windows]
            return join([w[0] for w in cut], like=x)
        last = x.channels_last if isinstance(x, Ragged) else not x.is_contiguous()
        layout = torch.channels_last if last else torch.contiguous_format
        shape = (len(x), *channels, *size)
        out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout)
        for i, window in enumerate(windows):
            resize_into(out[i : i + 1], window, self.interpolation, antialias=self.antialias)
        return out

    def _in_one_graph(self, x: torch.Tensor, size: tuple[int, int], draws: Draws) -> torch.Tensor:
        # shapes that depend on no value: no loop over windows, weights made from the boxes
        from domainkit.vision.transforms.kernels.resize_matmul import (
            windows_matmul,
            windows_nearest,
        )

        if min(x.shape[2:]) < 1:
            raise TransformError("RandomResizedCrop: a picture has no pixels")
        boxes = self.boxes(sizes_in_graph(x, draws.ids), draws).to(x.device)
        if self.interpolation.startswith("nearest"):
            middle = 0.5 if self.interpolation == "nearest-exact" else 0.0
            return windows_nearest(x, boxes, size, middle=middle)
        return windows_matmul(x, boxes, size, self.interpolation, antialias=self.antialias)

    def _central(self, full: torch.Tensor) -> torch.Tensor:
        """float64 [B, 2]: the largest height and width of an allowed ratio."""
        height, width = full.unbind(1)
        ratio = width / height
        low, high = self.ratio
        height = torch.where(ratio < low, (width / low).round(), height)
        width = torch.where(ratio > high, (full[:, 0] * high).round(), width)
        return torch.stack([height, width], 1)
