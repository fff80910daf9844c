"""``RandomResize``, ``RandomShortestSize`` and ``ScaleJitter``: pictures to random sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

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
)
from domainkit.vision.transforms.resize import MODES, Resize, resize

__all__ = ["RandomResize", "RandomShortestSize", "ScaleJitter"]


class _RandomSize(Geometric):
    """What the three share: a subclass says with ``output_sizes`` how large pictures become."""

    interpolation: str
    antialias: bool

    random: ClassVar[bool] = True
    clamps: ClassVar[bool] = False

    def output_sizes(self, sizes: torch.Tensor, draws: Draws) -> torch.Tensor:
        raise NotImplementedError

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        return window_placement(sizes, self.output_sizes(sizes, draws))

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        nearest = self.interpolation.startswith("nearest")
        check_images(self, x, dtypes=None if nearest else PIXELS)
        sizes = item_sizes(x)
        if len(x) == 0:
            return self._nothing(x)
        if int(sizes.min()) < 1:
            raise TransformError(f"{type(self).__name__}: a picture has no pixels")
        after = self.output_sizes(sizes, draws).tolist()
        mode, antialias = self.interpolation, self.antialias
        done = [
            resize(picture[None], (height, width), mode, antialias=antialias)[0]
            for picture, (height, width) in zip(x, after, strict=True)
        ]
        return join(done, like=x)

    def _nothing(self, x: torch.Tensor | Ragged) -> torch.Tensor | Ragged:
        """An empty batch, of the size that one picture would come out in."""
        if isinstance(x, Ragged) or min(x.shape[2:]) < 1:
            return x
        one = Draws(0, 0, torch.zeros(1, dtype=torch.int64))
        height, width = self.output_sizes(torch.tensor(x.shape[2:])[None], one)[0].tolist()
        return x.new_empty(0, x.shape[1], height, width)


@dataclass(frozen=True)
class RandomResize(_RandomSize):
    """Resize every picture so that its shorter side has a random length.

    Takes uint8 or floating pictures, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i] ("nearest":
    any dtype). Gives a ``Ragged``; a dense tensor when all come out equal in size.

    Args:
        min_size, max_size: the shorter side is a whole number uniform in [min_size, max_size).
        interpolation: "bilinear", "bicubic", "nearest" or "nearest-exact".
        antialias: widen the filter when a picture shrinks.

    Exactness: as ``Resize``, with the sizes that ``output_sizes`` gives.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> RandomResize(16, 17)(torch.zeros(2, 3, 32, 64)).shape
        torch.Size([2, 3, 16, 32])
    """

    min_size: int
    max_size: int
    interpolation: str = "bilinear"
    antialias: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.min_size < self.max_size:
            raise TransformError(
                f"RandomResize: needs 0 < min_size < max_size, got {self.min_size}, {self.max_size}"
            )
        self._set("interpolation", as_interpolation(self, self.interpolation, MODES))

    def output_sizes(self, sizes: torch.Tensor, draws: Draws) -> torch.Tensor:
        """int64 [B, 2] on the host: height and width that each picture is resized to."""
        short = draws.integers(1, self.min_size, self.max_size, device="cpu")[:, 0].tolist()
        pairs = zip(sizes.tolist(), short, strict=True)
        after = [Resize(side).output_size(height, width) for (height, width), side in pairs]
        return torch.tensor(after, dtype=torch.int64).view(-1, 2)


@dataclass(frozen=True)
class RandomShortestSize(_RandomSize):
    """Resize every picture so that its shorter side has one of several lengths, by its own draw.

    Takes uint8 or floating pictures, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i] ("nearest":
    any dtype). Gives a ``Ragged``; a dense tensor when all come out equal in size.

    Args:
        min_size: lengths of the shorter side, all as likely; or one.
        max_size: no longer side gets beyond this; the shorter follows. None: no bound.
        interpolation: "bilinear", "bicubic", "nearest" or "nearest-exact".
        antialias: widen the filter when a picture shrinks.

    Exactness: as ``Resize``, with the sizes that ``output_sizes`` gives. No side falls below one
    pixel, where torchvision's may.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> RandomShortestSize(16, max_size=24)(torch.zeros(2, 3, 32, 64)).shape
        torch.Size([2, 3, 12, 24])
    """

    min_size: int | tuple[int, ...]
    max_size: int | None = None
    interpolation: str = "bilinear"
    antialias: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.min_size, list):
            self._set("min_size", tuple(self.min_size))
        if not self._lengths() or not all(type(n) is int and n > 0 for n in self._lengths()):
            raise TransformError(
                f"RandomShortestSize: min_size must be positive ints, got {self.min_size!r}"
            )
        if self.max_size is not None and not self.max_size > 0:
            raise TransformError(
                f"RandomShortestSize: max_size must be above 0 or None, got {self.max_size!r}"
            )
        self._set("interpolation", as_interpolation(self, self.interpolation, MODES))

    def _lengths(self) -> tuple[int, ...]:
        return self.min_size if isinstance(self.min_size, tuple) else (self.min_size,)

    def output_sizes(self, sizes: torch.Tensor, draws: Draws) -> torch.Tensor:
        """int64 [B, 2] on the host: height and width that each picture is resized to."""
        which = draws.integers(1, 0, len(self._lengths()), device="cpu")[:, 0]
        short = torch.tensor(self._lengths())[which].double()
        factor = short / sizes.amin(1)
        if self.max_size is not None:
            factor = torch.minimum(factor, self.max_size / sizes.amax(1).double())
        return (sizes * factor[:, None]).to(torch.int64).clamp_(min=1)


@dataclass(frozen=True)
class ScaleJitter(_RandomSize):
    """Resize every picture to a random scale: the large-scale jitter of Ghiasi et al.

    Their paper is "Simple Copy-Paste is a Strong Data Augmentation Method", CVPR 2021. Takes uint8
    or floating pictures, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i] ("nearest": any dtype).
    Gives a ``Ragged``; a dense tensor when all come out equal in size.

    Args:
        target_size: the pair of numbers, in pixels, that a picture of scale 1 fits in. As in
            torchvision the width is held against the first and the height against the second.
        scale_range: (low, high) of the scale, uniform.
        interpolation: "bilinear", "bicubic", "nearest" or "nearest-exact".
        antialias: widen the filter when a picture shrinks.

    Exactness: as ``Resize``, with the sizes that ``output_sizes`` gives. No side falls below one
    pixel, where torchvision's may.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> ScaleJitter((32, 32), scale_range=(0.5, 0.5))(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 3, 16, 16])
    """

    target_size: tuple[int, int]
    scale_range: tuple[float, float] = (0.1, 2.0)
    interpolation: str = "bilinear"
    antialias: bool = True

    def __post_init__(self) -> None:
        self._set("target_size", as_size(self, self.target_size))
        self._set("scale_range", as_range(self, "scale_range", self.scale_range))
        self._set("interpolation", as_interpolation(self, self.interpolation, MODES))

    def scales(self, draws: Draws) -> torch.Tensor:
        """float64 [B] on the host: the scale of each sample."""
        low, high = self.scale_range
        return low + (high - low) * draws.uniform(1, device="cpu")[:, 0].double()

    def output_sizes(self, sizes: torch.Tensor, draws: Draws) -> torch.Tensor:
        """int64 [B, 2] on the host: height and width that each picture is resized to."""
        target = torch.tensor(self.target_size, dtype=torch.float64).flip(0)
        factor = (target / sizes).amin(1) * self.scales(draws)
        return (sizes * factor[:, None]).to(torch.int64).clamp_(min=1)
