"""``PitchShift`` and ``RandomPitch``: higher or lower at the same speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from domainkit.audio.functional.shifting import pitch_shift
from domainkit.audio.transforms._base import (
    Result,
    WaveformTransform,
    check_probability,
)
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["PitchShift", "RandomPitch"]

STEPS = 8  # of a semitone: 12.5 cents


@dataclass(frozen=True)
class PitchShift(WaveformTransform):
    """Multiply all frequencies by ``2 ** (n_steps / bins_per_octave)``; lengths are kept.

    Input and output: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    For the method, see ``domainkit.audio.functional.pitch_shift``.

    Args:
        sample_rate: in Hz.
        n_steps: how far up; below 0, down.
        bins_per_octave: 12 for semitones.
        n_fft: samples of a frame.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> tone = torch.sin(2 * torch.pi * 440 * torch.arange(16000) / 16000)[None, None]
        >>> int(torch.fft.rfft(PitchShift(16000, 12)(tone)[0, 0]).abs().argmax())
        880
    """

    sample_rate: int
    n_steps: float
    bins_per_octave: int = 12
    n_fft: int = 512

    def __post_init__(self) -> None:
        shift(torch.zeros(0), self.n_steps, self.sample_rate, self.bins_per_octave, self.n_fft)

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        return shift(x, self.n_steps, self.sample_rate, self.bins_per_octave, self.n_fft)


@dataclass(frozen=True)
class RandomPitch(WaveformTransform):
    """Raise or lower each recording, with probability p, by a drawn number of semitones.

    Input and output: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    Draws lie an eighth of a semitone apart; recordings of one draw are done together.

    Args:
        sample_rate: in Hz.
        min_semitones, max_semitones: the range of the draw.
        p: how probable it is that a recording is changed at all, in [0, 1].
        n_fft: samples of a frame.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> RandomPitch(16000, p=1.0)(torch.rand(2, 1, 4000)).shape
        torch.Size([2, 1, 4000])
    """

    sample_rate: int
    min_semitones: float = -2.0
    max_semitones: float = 2.0
    p: float = 0.5
    n_fft: int = 512

    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.min_semitones <= self.max_semitones:
            raise TransformError(
                f"RandomPitch needs min_semitones <= max_semitones, got {self.min_semitones} and "
                f"{self.max_semitones}"
            )
        check_probability(self, self.p)
        for steps in (self.min_semitones, self.max_semitones):
            shift(torch.zeros(0), steps, self.sample_rate, 12, self.n_fft)

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        # on the host, where the draws are: the frames of each pitch have a length of their own
        chance, where = draws.uniform(2, device="cpu").numpy().T
        steps = self.min_semitones + (self.max_semitones - self.min_semitones) * where
        steps = np.clip(np.round(steps * STEPS) / STEPS, self.min_semitones, self.max_semitones)
        steps = np.where(chance < self.p, steps, 0)
        if not steps.any():
            return x
        out = x.clone()
        for step in np.unique(steps[steps != 0]):
            rows = torch.from_numpy(np.flatnonzero(steps == step)).to(x.device)
            done = shift(x[rows], float(step), self.sample_rate, 12, self.n_fft)
            out = out.index_copy(0, rows, done)
        return out


def shift(
    x: torch.Tensor, n_steps: float, sample_rate: int, bins_per_octave: int, n_fft: int
) -> torch.Tensor:
    """``pitch_shift``, which takes parts of a step too."""
    return pitch_shift(x, sample_rate, n_steps, bins_per_octave, n_fft)  # type: ignore[arg-type]
