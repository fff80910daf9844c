"""``KaldiPitch``: how high voices are, frame by frame, with Kaldi's method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from domainkit.audio.functional.pitch_tracking import kaldi_pitch
from domainkit.audio.transforms._base import FrontEnd, Result
from domainkit.draws import Draws

__all__ = ["KaldiPitch"]


@dataclass(frozen=True)
class KaldiPitch(FrontEnd):
    """The correlation at the pitch's lag, and the pitch in Hz; see ``functional.kaldi_pitch``.

    Input: float32 or float64 mono waveforms, dense [B, 1, T] or ``Ragged`` items [1, T_i].
    Output: dense [B, F, 2] or ``Ragged`` items [F_i, 2]. It is not differentiable.

    Args:
        sample_frequency: of the input, in Hz.
        frame_length, frame_shift: milliseconds.
        min_f0, max_f0: the range of the pitch, Hz.

    Raises:
        TransformError: an argument outside its range; several channels; another dtype or shape.

    Example:
        >>> tone = torch.sin(2 * torch.pi * 200 * torch.arange(16000) / 16000)[None, None]
        >>> KaldiPitch(16000)(tone)[0, 50].round()
        tensor([  1., 200.])
    """

    sample_frequency: int = 16000
    frame_length: float = 25.0
    frame_shift: float = 10.0
    min_f0: float = 50.0
    max_f0: float = 400.0

    mono: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._track(torch.zeros(1, 2), np.array([2]))  # says what is wrong

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        features = self._track(x[:, 0], lengths)
        rate = 4000
        counts = np.maximum(0, (lengths * rate - 1) // self.sample_frequency + 1) * (lengths > 0)
        window, shift = (round(v * rate / 1000) for v in (self.frame_length, self.frame_shift))
        return features, np.maximum(0, (counts - window) // shift + 1)

    def _track(self, rows: torch.Tensor, lengths: np.ndarray) -> torch.Tensor:
        return kaldi_pitch(
            rows,
            self.sample_frequency,
            torch.from_numpy(lengths),
            frame_length=self.frame_length,
            frame_shift=self.frame_shift,
            min_f0=self.min_f0,
            max_f0=self.max_f0,
        )
