"""``WhisperLogMel``: the features that Whisper's models take.

Source: A. Radford et al., "Robust speech recognition via large-scale weak supervision"
(arXiv:2212.04356), section 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.audio.transforms._base import FrontEnd, inside
from domainkit.audio.transforms.mel import mel_filters
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["WhisperLogMel"]

RATE, WINDOW, HOP = 16000, 400, 160
FLOOR, RANGE = 1e-10, 8.0  # of the energy, and of its decimal logarithm below the loudest place
BLOCK = 1 << 18  # numbers of framed signal at a time on a CPU: 1 MiB of float32 stays in its cache


@dataclass(frozen=True)
class WhisperLogMel(FrontEnd):
    """Log-mel features of speech at 16 kHz, as Whisper's models were trained on.

    Decimal logarithms of the energies in Slaney's mel bands (25 ms Hann window, 10 ms hop), raised
    to no less than the sample's loudest place - 8, and then (x + 4) / 4.

    Input: float32 or float64 mono waveforms at 16 kHz, dense [B, 1, T] or ``Ragged`` items
    [1, T_i]. Output: frames first (Whisper's models want ``features.transpose(1, 2)``). With a
    ``length`` every sample gives [length // 160, n_mels]; else item i gives [T_i // 160, n_mels].

    Agrees with ``transformers.WhisperFeatureExtractor`` to 1e-4 in float32, on noise.

    Args:
        n_mels: 80, or 128 for large-v3 and turbo.
        length: in samples. A sample is cut to it, or filled up with zeros: 480000 is the 30 s that
            the models take. None: as long as it is.

    Raises:
        TransformError: an argument outside its range; another dtype or shape; more than one
            channel; with ``length=None`` a sample of 200 or less.

    Example:
        >>> WhisperLogMel()(torch.zeros(2, 1, 16000)).shape
        torch.Size([2, 3000, 80])
    """

    n_mels: int = 80
    length: int | None = 30 * RATE

    mono: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.n_mels not in (80, 128):
            raise TransformError(f"WhisperLogMel: n_mels is 80 or 128, got {self.n_mels!r}")
        n = self.length
        if n is not None and (not isinstance(n, int) or n < WINDOW):
            raise TransformError(
                f"WhisperLogMel: length is None or a whole number of samples >= {WINDOW}, got {n!r}"
            )

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Any:
        x, half = x[:, 0], WINDOW // 2
        if self.length is None:
            shortest = int(lengths.min(initial=WINDOW))
            if shortest <= half:
                raise TransformError(
                    f"WhisperLogMel mirrors a sample at its ends and needs more than {half} "
                    f"samples, got {shortest}: give a length to fill it up to"
                )
            ends = torch.from_numpy(lengths).to(x.device)
            counts = lengths // HOP
            bands = self._log_mel(_mirrored(x, ends, half), x.shape[1] // HOP)
            seen = None
            if (counts != bands.shape[1]).any():
                seen = inside(torch.from_numpy(counts).to(x.device), bands.shape[1])[..., None]
            return _scaled(bands, seen), counts
        # behind the last sound all frames are silent: only those that reach it are worked out
        frames = self.length // HOP
        x = x[:, : self.length]
        sounding = min(frames, -(-(x.shape[1] + half) // HOP))
        filled = min(self.length, sounding * HOP + WINDOW)
        x = torch.nn.functional.pad(x, (0, max(0, filled - x.shape[1])))
        x = (
            torch.nn.functional.pad(x, (half, half), "reflect")
            if len(x)
            else x.new_zeros(0, WINDOW)
        )
        bands = self._log_mel(x, sounding)
        bands = torch.nn.functional.pad(bands, (0, 0, 0, frames - sounding), value=np.log10(FLOOR))
        return _scaled(bands, None), np.full(len(x), frames, dtype=np.int64)

    def _log_mel(self, x: torch.Tensor, frames: int) -> torch.Tensor:
        """[B, T] -> decimal logarithms [B, frames, n_mels]."""
        if not len(x) or not frames:
            return x.new_zeros(len(x), frames, self.n_mels)
        window = torch.hann_window(WINDOW, dtype=torch.float64).to(x.device, x.dtype)
        design = (RATE, WINDOW, self.n_mels, 0.0, RATE / 2, "slaney", "slaney")
        bank = mel_filters(design, x.device, x.dtype)
        few = BLOCK // WINDOW if x.device.type == "cpu" else len(x) * frames
        done = []
        for rows in x.split(max(1, few // frames)):
            for part in rows.unfold(-1, WINDOW, HOP)[:, :frames].split(few, dim=1):
                spectrum = torch.fft.rfft(part * window).flatten(0, 1)
                power = torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)
                done.append((power @ bank).clamp(min=FLOOR).log10())
        return torch.cat(done).view(len(x), frames, self.n_mels)


def _mirrored(x: torch.Tensor, ends: torch.Tensor, margin: int) -> torch.Tensor:
    """[B, T] -> [B, T + 2 margin]: each row mirrored at its own two end samples."""
    place = torch.arange(-margin, x.shape[1] + margin, device=x.device)
    period = 2 * (ends - 1).clamp(min=1)[:, None]
    place = place % period
    return x.gather(1, torch.minimum(place, period - place))


def _scaled(bands: torch.Tensor, seen: torch.Tensor | None) -> torch.Tensor:
    """Raise what is far below a sample's loudest place, and bring the rest near [-1, 1]."""
    if not bands.numel():
        return bands
    own = bands if seen is None else torch.where(seen, bands, -torch.inf)
    return (torch.maximum(bands, own.amax((1, 2), keepdim=True) - RANGE) + 4.0) / 4.0
