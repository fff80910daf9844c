"""``RandomPolarity`` and ``RandomClip``: a microphone plugged in the other way, or overloaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from domainkit.audio.transforms._base import RandomWaveformTransform, check_probability
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["RandomClip", "RandomPolarity"]


@dataclass(frozen=True)
class RandomPolarity(RandomWaveformTransform):
    """Turn each recording upside down with probability p.

    Input and output: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].

    Args:
        p: how probable it is, in [0, 1].

    Raises:
        TransformError: p outside [0, 1]; another dtype or shape.

    Example:
        >>> RandomPolarity(p=1.0)(torch.ones(1, 1, 3))
        tensor([[[-1., -1., -1.]]])
    """

    p: float = 0.5

    numbers: ClassVar[int] = 0

    def __post_init__(self) -> None:
        check_probability(self, self.p)

    def change(
        self, x: torch.Tensor, lengths: torch.Tensor, u: torch.Tensor, draws: Draws
    ) -> torch.Tensor:
        return -x


@dataclass(frozen=True)
class RandomClip(RandomWaveformTransform):
    """Cut the peaks of each recording, with probability p, at a drawn height of its own.

    Input and output: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    The height is one for all channels, and the same above and below 0.

    Args:
        low, high: the range of the draw.
        by: "percent": so many per cent of the samples are cut; "decibels": the height is so far
            below the peak.
        p: how probable it is that a recording is changed at all, in [0, 1].

    Raises:
        TransformError: a range that is none; p outside [0, 1]; another dtype or shape.

    Example:
        >>> RandomClip(6.0206, 6.0206, by="decibels", p=1.0)(torch.tensor([[[0.1, -0.8, 0.6]]]))
        tensor([[[ 0.1000, -0.4000,  0.4000]]])
    """

    low: float = 0.0
    high: float = 10.0
    by: str = "percent"
    p: float = 0.5

    def __post_init__(self) -> None:
        check_probability(self, self.p)
        if self.by not in ("percent", "decibels"):
            raise TransformError(f"RandomClip: by is 'percent' or 'decibels', got {self.by!r}")
        most = 100.0 if self.by == "percent" else 200.0
        if not 0 <= self.low <= self.high <= most:
            raise TransformError(
                f"RandomClip needs 0 <= low <= high <= {most:g} {self.by}, got {self.low} and "
                f"{self.high}"
            )

    def change(
        self, x: torch.Tensor, lengths: torch.Tensor, u: torch.Tensor, draws: Draws
    ) -> torch.Tensor:
        if not x.numel():
            return x
        drawn = (self.low + (self.high - self.low) * u[:, 0].double()).to(x.dtype)
        if self.by == "decibels":
            height = x.abs().amax((1, 2)) * torch.pow(10.0, -drawn / 20)
        else:
            # silence behind an end is never among the largest, so it may be sorted along
            sizes = x.abs().flatten(1)
            channels = (x != 0).any(2).sum(1).clamp(min=1)  # those that an item lacks are silent
            rank = (drawn / 100 * lengths * channels).long().clamp(max=sizes.shape[1] - 1)
            height = _ranked(sizes, rank)
        height = height[:, None, None]
        return x.clamp(-height, height)


def _ranked(x: torch.Tensor, rank: torch.Tensor) -> torch.Tensor:
    """[R]: of each row [R, N] the number that ``rank`` [R] others are before, the largest first."""
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return x.sort(1, descending=True).values.gather(1, rank[:, None])[:, 0]
    # selection is ten times as fast, but its place is a number of the host
    places = (x.shape[1] - 1 - rank).tolist()
    rows = x.detach().numpy()
    found = [row.argpartition(at)[at] for row, at in zip(rows, places, strict=True)]
    return x.gather(1, torch.tensor(found, dtype=torch.int64)[:, None])[:, 0]
