"""``RandomCrop`` and ``CenterCrop``: a piece of one length out of every recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.audio.transforms._base import Result, WaveformTransform
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["CenterCrop", "RandomCrop"]

MODES = ("zeros", "repeat")


class _Crop(WaveformTransform):
    num_samples: int
    mode: str

    def __post_init__(self) -> None:
        name = type(self).__name__
        if not isinstance(self.num_samples, int) or self.num_samples < 1:
            raise TransformError(
                f"{name}: num_samples is a whole number above 0, got {self.num_samples!r}"
            )
        if self.mode not in MODES:
            raise TransformError(f"{name}: mode is 'zeros' or 'repeat', got {self.mode!r}")

    def apply(self, x: Any, draws: Draws) -> Any:
        if isinstance(x, Ragged) and x.host_shapes.shape[1] == 2 and len(x):
            channels = x.host_shapes[:, 0]
            if channels.min() != channels.max():
                raise TransformError(
                    f"{type(self).__name__} gives one tensor, so all recordings have one number of "
                    f"channels; got {channels.min()} to {channels.max()}: put Mono before it"
                )
        done = super().apply(x, draws)
        if isinstance(done, Ragged) and not len(done):
            return done.values.view(0, 1, self.num_samples)
        return done if isinstance(done, torch.Tensor) else done.dense()

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        n = self.num_samples
        sizes = torch.from_numpy(lengths).to(x.device)
        room = (sizes - n).clamp(min=0)
        place = torch.arange(n, device=x.device) + self._first(room, draws)[:, None]
        if self.mode == "repeat":
            place = place % sizes.clamp(min=1)[:, None]
        if not x.shape[2]:
            return x.new_zeros(*x.shape[:2], n), np.full_like(lengths, n)
        index = place.clamp(max=x.shape[2] - 1)[:, None].expand(-1, x.shape[1], -1)
        out = x.gather(2, index) * (place < sizes[:, None])[:, None]
        return out, np.full_like(lengths, n)

    def _first(self, room: torch.Tensor, draws: Draws) -> torch.Tensor:
        raise NotImplementedError


@dataclass(frozen=True)
class RandomCrop(_Crop):
    """``num_samples`` from a random place of each recording, every place as probable as another.

    Input: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i] with one
    number of channels. Output: dense [B, C, num_samples].

    Args:
        num_samples: how many.
        mode: what a recording that is shorter is filled up with, behind: "zeros", or "repeat": its
            beginning again.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> x = torch.arange(100.0).expand(3, 1, -1)
        >>> RandomCrop(4)(x).diff()[0]
        tensor([[1., 1., 1.]])
    """

    num_samples: int
    mode: str = "zeros"

    random: ClassVar[bool] = True

    def _first(self, room: torch.Tensor, draws: Draws) -> torch.Tensor:
        return (draws.bits(1, device=room.device)[:, 0] * (room + 1)) >> 32


@dataclass(frozen=True)
class CenterCrop(_Crop):
    """``num_samples`` from the middle of each recording; see ``RandomCrop``.

    Example:
        >>> CenterCrop(2)(torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]))
        tensor([[[2., 3.]]])
    """

    num_samples: int
    mode: str = "zeros"

    def _first(self, room: torch.Tensor, draws: Draws) -> torch.Tensor:
        return room // 2
