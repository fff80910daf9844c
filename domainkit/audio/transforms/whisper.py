"""``WhisperLogMel``: the features that Whisper was trained on.

Source: A. Radford et al., "Robust speech recognition via large-scale weak supervision"
(arXiv:2212.04356), and the constants of the authors' published front-end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from domainkit.audio.functional.framing import each_block, powers, signal_frames
from domainkit.audio.transforms._base import FrontEnd, Result, inside
from domainkit.audio.transforms.mel import hann_window, mel_filters
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["WhisperLogMel"]

RATE, N_FFT, HOP = 16000, 400, 160
FLOOR = 1e-10  # of a band, before the logarithm


@dataclass(frozen=True)
class WhisperLogMel(FrontEnd):
    """Whisper's log-mel features: 25 ms windows, 10 ms hops, 8 orders of magnitude, about 0..1.

    Input: float32 or float64 mono waveforms at 16000 Hz, dense [B, 1, T] or ``Ragged`` items
    [1, T_i].
    Output: frames first, [B, length // 160, n_mels] (Whisper's own order is the transposed), for a
    ``Ragged`` with length None items [T_i // 160, n_mels].

    Each recording is put to ``length`` samples first, by zeros behind or by cutting, and its floor
    is 8 below its own loudest place.

    Args:
        n_mels: 80, or 128 for large-v3.
        length: samples; 480000 are the 30 s that the encoder takes. None keeps each recording's
            own.

    Raises:
        TransformError: an argument outside its range; several channels; a recording of fewer than
            201 samples with length None; another dtype or shape.

    Example:
        >>> WhisperLogMel()(torch.zeros(2, 1, 16000)).shape
        torch.Size([2, 3000, 80])
    """

    n_mels: int = 80
    length: int | None = 480000

    mono: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.n_mels, int) or not 1 <= self.n_mels <= 128:
            raise TransformError(f"WhisperLogMel: n_mels is in 1..128, got {self.n_mels!r}")
        if self.length is not None and self.length <= N_FFT // 2:
            raise TransformError(f"WhisperLogMel: length is above 200 or None, got {self.length}")

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        if self.length is not None:
            counts = np.full_like(lengths, self.length // HOP)
            return self.whole(x, draws), counts
        self._check_length(int(lengths.min(initial=N_FFT)))
        counts = lengths // HOP
        if (lengths == x.shape[2]).all():
            return self.whole(x, draws), counts
        features = self._log_bands(_mirrored(x[:, 0], lengths), x.shape[2] // HOP)
        own = inside(torch.from_numpy(counts).to(x.device), features.shape[1])[:, :, None]
        loudest = features.masked_fill(~own, -torch.inf).amax((1, 2), keepdim=True)
        return self._scaled(features, loudest), counts

    def whole(self, x: torch.Tensor, draws: Draws) -> torch.Tensor:
        rows = x[:, 0]
        # a frame reaches 200 samples to each side: what lies further behind all sound is silent
        sounding = -(-(rows.shape[1] + N_FFT // 2) // HOP)
        if self.length is not None:
            rows = rows[:, : self.length]
            rows = torch.nn.functional.pad(rows, (0, self.length - rows.shape[1]))
        self._check_length(rows.shape[1])
        mode = "reflect" if len(rows) else "constant"  # mirroring refuses what has no rows
        rows = torch.nn.functional.pad(rows, (N_FFT // 2, N_FFT // 2), mode)
        features = self._log_bands(rows, sounding)
        return self._scaled(features, features.amax((1, 2), keepdim=True))

    def _check_length(self, shortest: int) -> None:
        if shortest <= N_FFT // 2:
            raise TransformError(
                f"WhisperLogMel needs more than 200 samples, got {shortest}: leave the "
                "recording out or set length"
            )

    def _scaled(self, features: torch.Tensor, loudest: torch.Tensor) -> torch.Tensor:
        return (torch.maximum(features, loudest - 8.0) + 4.0) / 4.0

    def _log_bands(self, padded: torch.Tensor, sounding: int) -> torch.Tensor:
        """[B, T + 400] -> log10 of the bands, [B, T // 160, n_mels]: the last frame is left out.

        Of the frames from number ``sounding`` on it is known that they are silent.
        """
        window = hann_window(N_FFT, N_FFT, padded.device, padded.dtype)
        design = (RATE, N_FFT, self.n_mels, 0.0, RATE / 2, "slaney", "slaney")
        bank = mel_filters(design, padded.device, padded.dtype)

        def bands(part: torch.Tensor) -> torch.Tensor:
            return (powers(torch.fft.rfft(part * window), 2.0) @ bank).clamp(min=FLOOR).log10()

        frames = signal_frames(padded, N_FFT, HOP, None)[:, :-1]
        silent = max(0, frames.shape[1] - sounding)
        features = each_block(frames[:, :sounding], bands)
        return torch.nn.functional.pad(features, (0, 0, 0, silent), value=math.log10(FLOOR))


def _mirrored(rows: torch.Tensor, lengths: np.ndarray) -> torch.Tensor:
    """Each row with its mirror image at its own two ends: [B, T] -> [B, T + 400]."""
    half = N_FFT // 2
    last = torch.from_numpy(lengths - 1).to(rows.device)[:, None]
    place = torch.arange(-half, rows.shape[1] + half, device=rows.device).abs()
    place = torch.where(place > last, 2 * last - place, place)
    return rows.gather(1, place.clamp(min=0))
