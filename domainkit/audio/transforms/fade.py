"""``Fade`` and ``Vol``: loudness that changes along a recording, or all over it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from domainkit.audio.transforms._base import Result, WaveformTransform
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["Fade", "Vol"]

SHAPES = ("linear", "exponential", "logarithmic", "quarter_sine", "half_sine")
GAIN_TYPES = ("amplitude", "power", "db")


@dataclass(frozen=True)
class Fade(WaveformTransform):
    """Fade every recording in and out, at its own ends.

    Input and output: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    Of a recording shorter than a fade, that part of the fade is heard that lies in it.

    Args:
        fade_in_len, fade_out_len: in samples.
        fade_shape: "linear", "exponential", "logarithmic", "quarter_sine" or "half_sine", as
            torchaudio draws them.

    Raises:
        TransformError: a length below 0, an unknown shape; another dtype or shape.

    Example:
        >>> Fade(3, 2)(torch.ones(1, 1, 6))
        tensor([[[0.0000, 0.5000, 1.0000, 1.0000, 1.0000, 0.0000]]])
    """

    fade_in_len: int = 0
    fade_out_len: int = 0
    fade_shape: str = "linear"

    def __post_init__(self) -> None:
        if self.fade_in_len < 0 or self.fade_out_len < 0:
            raise TransformError(
                f"Fade takes lengths of at least 0, got {self.fade_in_len} and {self.fade_out_len}"
            )
        if self.fade_shape not in SHAPES:
            raise TransformError(
                f"Fade: fade_shape is one of {', '.join(SHAPES)}, got {self.fade_shape!r}"
            )

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        place = torch.arange(x.shape[2], device=x.device)
        left = torch.from_numpy(lengths).to(x.device)[:, None] - 1 - place
        rise = self._rise(place.to(x.dtype), self.fade_in_len)
        fall = self._rise(left.to(x.dtype), self.fade_out_len)
        return x * (rise * fall)[:, None]

    def _rise(self, place: torch.Tensor, length: int) -> torch.Tensor:
        """How loud it is ``place`` samples from an end."""
        if not length:
            return torch.ones_like(place)
        t = (place / max(1, length - 1)).clamp(0, 1)
        if self.fade_shape == "exponential":
            t = torch.pow(2.0, t - 1) * t
        elif self.fade_shape == "logarithmic":
            t = torch.log10(0.1 + t) + 1
        elif self.fade_shape == "quarter_sine":
            t = torch.sin(t * math.pi / 2)
        elif self.fade_shape == "half_sine":
            t = torch.sin(t * math.pi - math.pi / 2) / 2 + 0.5
        return torch.where(place < length, t.clamp(0, 1), 1)


@dataclass(frozen=True)
class Vol(WaveformTransform):
    """Louder or softer, cut to [-1, 1] as torchaudio does; ``Gain`` does not cut.

    Input and output: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].

    Args:
        gain: a factor ("amplitude"), a factor of the power ("power"), or decibels ("db").
        gain_type: which of these.

    Raises:
        TransformError: an unknown kind, a factor below 0; another dtype or shape.

    Example:
        >>> Vol(20.0, "db")(torch.tensor([[[0.01, 0.5]]]))
        tensor([[[0.1000, 1.0000]]])
    """

    gain: float
    gain_type: str = "amplitude"

    def __post_init__(self) -> None:
        if self.gain_type not in GAIN_TYPES:
            raise TransformError(
                f"Vol: gain_type is one of {', '.join(GAIN_TYPES)}, got {self.gain_type!r}"
            )
        if self.gain_type != "db" and self.gain < 0:
            raise TransformError(f"Vol: a gain of {self.gain_type} is at least 0, got {self.gain}")

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        factor = self.gain
        if self.gain_type == "db":
            factor = 10 ** (self.gain / 20)
        elif self.gain_type == "power":
            factor = math.sqrt(self.gain)
        return (x * factor).clamp(-1, 1)
