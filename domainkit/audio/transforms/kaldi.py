"""``KaldiFbank`` and ``KaldiMFCC``: Kaldi's features of a batch, with Kaldi's own numbers.

Source: D. Povey et al., "The Kaldi speech recognition toolkit" (ASRU 2011); the maths is in
``domainkit.audio.functional.kaldi``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.audio.functional.kaldi import kaldi_fbank, kaldi_mfcc, kaldi_num_frames
from domainkit.audio.transforms._base import FrontEnd
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["KaldiFbank", "KaldiMFCC"]


class _KaldiFeatures(FrontEnd):
    """What both do with a padded batch; a subclass has the fields and writes ``features``."""

    mono: ClassVar[bool] = True
    sample_frequency: float
    frame_length: float
    frame_shift: float
    snip_edges: bool
    scale: float

    def features(self, x: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """[B, T] -> [B, F, M]."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise TransformError(f"{type(self).__name__} needs scale above 0, got {self.scale}")
        self.features(torch.zeros(0, 2), None)  # the functions check the rest

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Any:
        counts = kaldi_num_frames(
            torch.from_numpy(lengths),
            frame_length=self.frame_length,
            frame_shift=self.frame_shift,
            sample_frequency=self.sample_frequency,
            snip_edges=self.snip_edges,
        )
        if (lengths == x.shape[2]).all():
            return self.whole(x, draws), counts.numpy()
        return self.features(self._mono(x), torch.from_numpy(lengths).to(x.device)), counts.numpy()

    def whole(self, x: torch.Tensor, draws: Draws) -> torch.Tensor:
        return self.features(self._mono(x), None)

    def _mono(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0] if self.scale == 1.0 else x[:, 0] * self.scale


@dataclass(frozen=True)
class KaldiFbank(_KaldiFeatures):
    """Natural logarithms of the energies in Kaldi's mel bands.

    Input: float32 or float64 mono waveforms, dense [B, 1, T] or ``Ragged`` items [1, T_i].
    Output: frames first, dense [B, F, M] or ``Ragged`` items [F_i, M], M = ``num_mel_bins`` (one
    more with ``use_energy``). F = 1 + (T - frame) // shift with ``snip_edges``, none for what is
    shorter than a frame; without it one for each shift, rounded: T / shift.

    Agrees with kaldi-native-fbank and torchaudio to 1e-3 in float32, on noise. Kaldi's dither is
    left out: put ``RandomNoise`` before it to have noise drawn per sample.

    Args:
        sample_frequency: of the input, in Hz.
        num_mel_bins: number of bands, at least 4.
        frame_length, frame_shift: in ms.
        low_freq, high_freq: of the bands in Hz; high_freq 0 or less counts from half the rate.
        window_type: "povey", "hanning", "hamming", "blackman" or "rectangular".
        preemphasis_coefficient: in [0, 1].
        remove_dc_offset: take a frame's mean away.
        snip_edges: only frames that lie inside a sample; else its mirror image is around it.
        use_energy: the frame's log energy as column 0.
        energy_floor: what that energy is at least.
        use_power: False sums magnitudes instead of powers.
        subtract_mean: take away a sample's mean over its frames.
        scale: what samples are multiplied by; models trained by Kaldi on int16 samples want 32768.

    Raises:
        TransformError: an argument outside its range; another dtype or shape; more than one
            channel.

    Example:
        >>> KaldiFbank(16000.0)(torch.zeros(2, 1, 16000)).shape
        torch.Size([2, 98, 80])
    """

    sample_frequency: float = 16000.0
    num_mel_bins: int = 80
    frame_length: float = 25.0
    frame_shift: float = 10.0
    low_freq: float = 20.0
    high_freq: float = 0.0
    window_type: str = "povey"
    preemphasis_coefficient: float = 0.97
    remove_dc_offset: bool = True
    snip_edges: bool = True
    use_energy: bool = False
    energy_floor: float = 1.0
    use_power: bool = True
    subtract_mean: bool = False
    scale: float = 1.0

    def features(self, x: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        return kaldi_fbank(
            x,
            lengths=lengths,
            energy_floor=self.energy_floor,
            frame_length=self.frame_length,
            frame_shift=self.frame_shift,
            high_freq=self.high_freq,
            low_freq=self.low_freq,
            num_mel_bins=self.num_mel_bins,
            preemphasis_coefficient=self.preemphasis_coefficient,
            remove_dc_offset=self.remove_dc_offset,
            sample_frequency=self.sample_frequency,
            snip_edges=self.snip_edges,
            subtract_mean=self.subtract_mean,
            use_energy=self.use_energy,
            use_power=self.use_power,
            window_type=self.window_type,
        )


@dataclass(frozen=True)
class KaldiMFCC(_KaldiFeatures):
    """Kaldi's mel-frequency cepstral coefficients: the cosine transform of ``KaldiFbank``.

    Input and output are those of ``KaldiFbank``, with M = ``num_ceps``.

    Args:
        sample_frequency: of the input, in Hz.
        num_ceps: how many coefficients, at most ``num_mel_bins``.
        num_mel_bins: number of bands, at least 4.
        cepstral_lifter: Q of the factor 1 + Q / 2 sin(pi k / Q) on coefficient k; 0: none.
        use_energy: the log energy in place of coefficient 0 (what the kaldi command does).
        others: see ``KaldiFbank``.

    Raises:
        TransformError: an argument outside its range; another dtype or shape; more than one
            channel.

    Example:
        >>> KaldiMFCC(16000.0)(torch.zeros(2, 1, 16000)).shape
        torch.Size([2, 98, 13])
    """

    sample_frequency: float = 16000.0
    num_ceps: int = 13
    num_mel_bins: int = 23
    frame_length: float = 25.0
    frame_shift: float = 10.0
    low_freq: float = 20.0
    high_freq: float = 0.0
    cepstral_lifter: float = 22.0
    window_type: str = "povey"
    preemphasis_coefficient: float = 0.97
    remove_dc_offset: bool = True
    snip_edges: bool = True
    use_energy: bool = False
    energy_floor: float = 1.0
    subtract_mean: bool = False
    scale: float = 1.0

    def features(self, x: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        return kaldi_mfcc(
            x,
            lengths=lengths,
            cepstral_lifter=self.cepstral_lifter,
            energy_floor=self.energy_floor,
            frame_length=self.frame_length,
            frame_shift=self.frame_shift,
            high_freq=self.high_freq,
            low_freq=self.low_freq,
            num_ceps=self.num_ceps,
            num_mel_bins=self.num_mel_bins,
            preemphasis_coefficient=self.preemphasis_coefficient,
            remove_dc_offset=self.remove_dc_offset,
            sample_frequency=self.sample_frequency,
            snip_edges=self.snip_edges,
            subtract_mean=self.subtract_mean,
            use_energy=self.use_energy,
            window_type=self.window_type,
        )
