"""``Resample``: change the sample rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from domainkit.audio.functional.resampling import check_resampling, resample
from domainkit.audio.transforms._base import Result, WaveformTransform
from domainkit.draws import Draws

__all__ = ["Resample"]


@dataclass(frozen=True)
class Resample(WaveformTransform):
    """Change the sample rate from ``orig_freq`` to ``new_freq`` (Hz).

    Input: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    Output: the same with ceil(new_freq * T / orig_freq) samples, per item. Outside its own ends a
    sample is zero, so it gives the same result alone and in any batch.

    Agrees with ``torchaudio.functional.resample`` to 1e-5 of full scale in float32; for what
    "high_quality" does, see ``domainkit.audio.functional.resample``.

    Args:
        orig_freq, new_freq: in Hz, positive whole numbers.
        lowpass_filter_width: zero crossings of the sinc on either side: more is sharper and slower.
        rolloff: the cut-off as a part of the lower Nyquist frequency, in (0, 1].
        resampling_method: the window, "sinc_interp_hann" or "sinc_interp_kaiser"; or
            "high_quality", a filter of its own, flat to .93 of the lower Nyquist frequency and free
            of aliases.
        beta: of the Kaiser window; None takes 14.77.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> t = torch.arange(480) / 48000
        >>> tone = torch.sin(2 * torch.pi * 1000 * t)[None, None]
        >>> low = Resample(48000, 16000)(tone)
        >>> low.shape, bool((low[..., 30:130] - tone[..., 90:390:3]).abs().max() < 1e-3)
        (torch.Size([1, 1, 160]), True)
    """

    orig_freq: int
    new_freq: int
    lowpass_filter_width: int = 6
    rolloff: float = 0.99
    resampling_method: str = "sinc_interp_hann"
    beta: float | None = None

    def __post_init__(self) -> None:
        check_resampling("Resample", *self._arguments)

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        if self.orig_freq == self.new_freq:
            return x
        # zeros behind the end are what the filter sees there anyway: padding changes nothing
        return resample(x, *self._arguments), -(-lengths * self.new_freq // self.orig_freq)

    @property
    def _arguments(self) -> tuple[int, int, int, float, str, float | None]:
        return (
            self.orig_freq, self.new_freq, self.lowpass_filter_width,
            self.rolloff, self.resampling_method, self.beta,
        )  # fmt: skip
