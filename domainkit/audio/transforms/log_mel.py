"""``LogMel``: the logarithm of the energy in mel bands, frame by frame.

Method: S. Davis and P. Mermelstein, 1980, up to the logarithm; the spectrum is that of
``torchaudio.transforms.MelSpectrogram`` and ``librosa.feature.melspectrogram``.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import torch

from domainkit.audio.functional.framing import each_block, powers
from domainkit.audio.transforms._frames import by_frames
from domainkit.audio.transforms.checks import check_waveforms
from domainkit.audio.transforms.mel import hann_window, mel_filters
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.transform import Transform

__all__ = ["LogMel"]

CHOICES = {
    "mel_scale": ("htk", "slaney"),
    "norm": ("none", "slaney"),
    "pad_mode": ("constant", "reflect"),
}


@dataclass(frozen=True)
class LogMel(Transform):
    """Natural logarithm of mel band energies: ``log(max(mel, floor))``.

    Input: float32 or float64 mono waveforms, dense [B, 1, T] or ``Ragged`` items [1, T_i].
    Output: frames first. Dense [B, F, n_mels], or a ``Ragged`` of items [F_i, n_mels] (values
    [sum F_i, n_mels], inner dimension n_mels). Frame f is centred on sample f * hop_length, and
    there are F = 1 + T // hop_length of them. What lies outside a sample's own ends is padding made
    from that sample alone, so the result is the same alone and in any batch.

    Agrees with log(max(mel, floor)) of torchaudio's MelSpectrogram and librosa's melspectrogram to
    5e-4 (natural log units) in float32 and 1e-6 in float64, on noise.

    Args:
        sample_rate: of the input, in Hz.
        n_fft: length of the Fourier transform, in samples.
        win_length: length of the Hann window, centred in the transform; None takes n_fft.
        hop_length: samples from one frame to the next.
        n_mels: number of bands.
        f_min, f_max: lowest and highest frequency in Hz; f_max None takes sample_rate / 2.
        mel_scale: "slaney" or "htk".
        norm: "slaney" gives every band's triangle area 1, "none" height 1.
        power: 2 for energy, 1 for magnitude.
        floor: the smallest band value, before the logarithm.
        pad_mode: outside a sample lie zeros ("constant") or its mirror image ("reflect", which
            needs more than n_fft // 2 samples).

    Raises:
        TransformError: an argument outside its range; another dtype or shape; more than one
            channel; a sample too short to reflect.

    Warns:
        UserWarning: a band is so narrow that no bin of the transform falls into it, and would
            always be at the floor: use fewer bands or a longer transform.

    Example:
        >>> t = torch.arange(16000) / 16000
        >>> tone = torch.sin(2 * torch.pi * 1000 * t)[None, None]
        >>> features = LogMel(16000)(tone)
        >>> features.shape, int(features[0, 50].argmax())
        (torch.Size([1, 101, 80]), 26)
    """

    sample_rate: int
    n_fft: int = 400
    win_length: int | None = None
    hop_length: int = 160
    n_mels: int = 80
    f_min: float = 0.0
    f_max: float | None = None
    mel_scale: str = "slaney"
    norm: str = "slaney"
    power: float = 2.0
    floor: float = 1e-10
    pad_mode: str = "constant"

    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "signal"

    def __post_init__(self) -> None:
        for name in ("sample_rate", "n_fft", "hop_length", "n_mels"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise TransformError(f"LogMel: {name} is a whole number above 0, got {value!r}")
        if self.n_fft % 2:
            raise TransformError(f"LogMel: n_fft is even, got {self.n_fft}")
        if not 1 <= self._window_length <= self.n_fft:
            raise TransformError(
                f"LogMel needs 1 <= win_length <= n_fft ({self.n_fft}), got {self.win_length}"
            )
        if not 0.0 <= self.f_min < self._f_max <= self.sample_rate / 2:
            raise TransformError(
                f"LogMel needs 0 <= f_min < f_max <= sample_rate / 2 = {self.sample_rate / 2:g} "
                f"Hz, got {self.f_min:g} and {self._f_max:g}"
            )
        for name, known in CHOICES.items():
            value = getattr(self, name)
            if value not in known:
                raise TransformError(
                    f"LogMel: {name} is {' or '.join(map(repr, known))}, got {value!r}"
                )
        if not (self.power > 0 and self.floor > 0):
            raise TransformError(
                f"LogMel needs power and floor above 0, got {self.power} and {self.floor}"
            )
        bank = mel_filters(self._design, torch.device("cpu"), torch.float32)
        empty = int((bank.amax(0) == 0).sum())
        if empty:
            warnings.warn(
                f"LogMel: {empty} of {self.n_mels} bands lie between two bins of the transform "
                "and stay at the floor: use fewer bands, a longer n_fft or a higher f_min",
                stacklevel=3,
            )

    def apply(self, x: Any, draws: Draws) -> Any:
        check_waveforms(self, x)
        how: dict[str, Any] = {"hop_length": self.hop_length, "pad_mode": self.pad_mode}
        return by_frames("LogMel", x, self._log_mel, n_fft=self.n_fft, **how)

    def _log_mel(self, frames: torch.Tensor) -> torch.Tensor:
        """[..., F, n_fft] -> [..., F, n_mels]."""
        window = hann_window(self.n_fft, self._window_length, frames.device, frames.dtype)
        bank = mel_filters(self._design, frames.device, frames.dtype)

        def bands(part: torch.Tensor) -> torch.Tensor:
            spectrum = torch.fft.rfft(part * window)
            if self._in_triton(spectrum):
                from domainkit.audio.transforms._triton_log_mel import log_mel_triton

                return log_mel_triton(spectrum, bank, self.floor, self.power)
            return (powers(spectrum, self.power) @ bank).clamp(min=self.floor).log()

        return each_block(frames, bands)

    def _in_triton(self, spectrum: torch.Tensor) -> bool:
        """Whether the kernel does the rest; it has no gradient, and stays out of graphs."""
        return (
            spectrum.is_cuda
            and spectrum.dtype == torch.complex64
            and self.power in (1.0, 2.0)
            and not (spectrum.requires_grad and torch.is_grad_enabled())
            and not torch.compiler.is_compiling()
            and find_spec("triton") is not None
        )

    @property
    def _window_length(self) -> int:
        return self.n_fft if self.win_length is None else self.win_length

    @property
    def _f_max(self) -> float:
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    @property
    def _design(self) -> tuple[int, int, int, float, float, str, str]:
        return (
            self.sample_rate, self.n_fft, self.n_mels,
            float(self.f_min), float(self._f_max), self.mel_scale, self.norm,
        )  # fmt: skip
