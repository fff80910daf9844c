"""``Spectrogram``, ``MelSpectrogram`` and ``SpectralCentroid``.

Frames come first, [B, F, bins]; the numbers are torchaudio's, transposed.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import torch

from domainkit.audio.functional.framing import each_block, powers
from domainkit.audio.transforms._frames import by_frames
from domainkit.audio.transforms.checks import check_waveforms
from domainkit.audio.transforms.mel import hann_window, mel_filters
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform

__all__ = ["Framed", "MelSpectrogram", "SpectralCentroid", "Spectrogram"]

PAD_MODES = ("reflect", "constant")


class Framed(Transform):
    """What has a transform's length, a window and a hop."""

    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "signal"

    n_fft: int
    win_length: int | None
    hop_length: int | None

    def _check_frames(self) -> None:
        name = type(self).__name__
        for key, value in (("n_fft", self.n_fft), ("hop_length", self._hop)):
            if not isinstance(value, int) or value < 1:
                raise TransformError(f"{name}: {key} is a whole number above 0, got {value!r}")
        if self.n_fft % 2 or not 1 <= self._window <= self.n_fft:
            raise TransformError(
                f"{name} takes an even n_fft and 1 <= win_length <= n_fft, got {self.n_fft} and "
                f"{self.win_length}"
            )

    @property
    def _window(self) -> int:
        return self.n_fft if self.win_length is None else self.win_length

    @property
    def _hop(self) -> int:
        return self._window // 2 if self.hop_length is None else self.hop_length

    def _hann(self, like: torch.Tensor) -> torch.Tensor:
        dtype = like.real.dtype if like.is_complex() else like.dtype
        return hann_window(self.n_fft, self._window, like.device, dtype)


class _Spectral(Framed):
    """What makes a spectrum of every frame; a subclass says what becomes of it."""

    normalized: bool
    pad_mode: str

    def __post_init__(self) -> None:
        self._check_frames()
        if self.pad_mode not in PAD_MODES:
            raise TransformError(
                f"{type(self).__name__}: pad_mode is 'reflect' or 'constant', got {self.pad_mode!r}"
            )
        power = getattr(self, "power", None)
        if power is not None and not power > 0:
            raise TransformError(f"{type(self).__name__}: power is above 0, got {power}")

    def apply(self, x: Any, draws: Draws) -> Any:
        check_waveforms(self, x)
        how: dict[str, Any] = {"hop_length": self._hop, "pad_mode": self.pad_mode}
        return by_frames(type(self).__name__, x, self._spectra, n_fft=self.n_fft, **how)

    def _spectra(self, frames: torch.Tensor) -> torch.Tensor:
        window = self._hann(frames)
        if self.normalized:
            window = window / window.square().sum().sqrt()

        def spectra(part: torch.Tensor) -> torch.Tensor:
            return self._bands(torch.fft.rfft(part * window))

        return each_block(frames, spectra)

    def _bands(self, spectrum: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


@dataclass(frozen=True)
class Spectrogram(_Spectral):
    """The spectrum of every frame, by a Hann window.

    Input: float32 or float64 mono waveforms, dense [B, 1, T] or ``Ragged`` items [1, T_i].
    Output: dense [B, F, n_fft // 2 + 1] or ``Ragged`` items [F_i, n_fft // 2 + 1], with
    F = 1 + T // hop_length; complex where ``power`` is None. What lies outside a recording is made
    of that recording alone.

    Args:
        n_fft: length of the transform, in samples, even.
        win_length: length of the window; None takes n_fft.
        hop_length: samples from one frame to the next; None takes half a window.
        power: 2 for energy, 1 for magnitude; None for complex numbers.
        normalized: divide by the root of the window's energy.
        pad_mode: outside a recording lie its mirror image ("reflect") or zeros ("constant").

    Raises:
        TransformError: an argument outside its range; another dtype or shape; several channels; a
            recording too short to reflect.

    Example:
        >>> tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)[None, None]
        >>> bins = Spectrogram(400, hop_length=160)(tone)
        >>> bins.shape, int(bins[0, 50].argmax()) * 16000 / 400
        (torch.Size([1, 101, 201]), 1000.0)
    """

    n_fft: int = 400
    win_length: int | None = None
    hop_length: int | None = None
    _: KW_ONLY
    power: float | None = 2.0
    normalized: bool = False
    pad_mode: str = "reflect"

    def _bands(self, spectrum: torch.Tensor) -> torch.Tensor:
        return spectrum if self.power is None else powers(spectrum, self.power)


@dataclass(frozen=True)
class MelSpectrogram(_Spectral):
    """A ``Spectrogram`` summed over mel bands; for its logarithm take ``LogMel``.

    Input: as ``Spectrogram``. Output: [B, F, n_mels] or items [F_i, n_mels].

    Args:
        sample_rate: of the input, in Hz.
        n_fft, win_length, hop_length, power, normalized, pad_mode: as of ``Spectrogram``.
        n_mels: number of bands.
        f_min, f_max: lowest and highest frequency in Hz; f_max None takes sample_rate / 2.
        norm: None or "slaney", which gives every band's triangle area 1.
        mel_scale: "htk" or "slaney".

    Raises:
        TransformError: as ``Spectrogram``.

    Example:
        >>> MelSpectrogram(n_mels=64)(torch.zeros(2, 1, 1600)).shape
        torch.Size([2, 9, 64])
    """

    sample_rate: int = 16000
    n_fft: int = 400
    win_length: int | None = None
    hop_length: int | None = None
    _: KW_ONLY
    f_min: float = 0.0
    f_max: float | None = None
    n_mels: int = 128
    power: float = 2.0
    normalized: bool = False
    pad_mode: str = "reflect"
    norm: str | None = None
    mel_scale: str = "htk"

    def __post_init__(self) -> None:
        super().__post_init__()
        top = self.sample_rate / 2 if self.f_max is None else self.f_max
        if not 0 <= self.f_min < top or self.n_mels < 1:
            raise TransformError(
                f"{type(self).__name__} needs n_mels >= 1 and 0 <= f_min < f_max, got "
                f"{self.n_mels}, {self.f_min} and {top:g}"
            )
        if self.mel_scale not in ("htk", "slaney") or self.norm not in (None, "slaney"):
            raise TransformError(
                f"{type(self).__name__}: mel_scale is 'htk' or 'slaney' and norm None or "
                f"'slaney', got {self.mel_scale!r} and {self.norm!r}"
            )

    def _bands(self, spectrum: torch.Tensor) -> torch.Tensor:
        top = self.sample_rate / 2 if self.f_max is None else self.f_max
        design = (
            self.sample_rate, self.n_fft, self.n_mels,
            float(self.f_min), float(top), self.mel_scale, self.norm or "none",
        )  # fmt: skip
        energy = powers(spectrum, self.power)
        return energy @ mel_filters(design, energy.device, energy.dtype)


@dataclass(frozen=True)
class SpectralCentroid(_Spectral):
    """Where the middle of the spectrum of each frame lies, in Hz.

    Input: as ``Spectrogram``. Output: [B, F, 1] or ``Ragged`` items [F_i, 1]; 0 in silence.

    Args:
        sample_rate: in Hz.
        n_fft, win_length, hop_length, normalized, pad_mode: as of ``Spectrogram``.

    Raises:
        TransformError: as ``Spectrogram``.

    Example:
        >>> tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)[None, None]
        >>> round(float(SpectralCentroid(sample_rate=16000)(tone)[0, 20, 0]), -1)
        1000.0
    """

    sample_rate: int = 16000
    n_fft: int = 400
    win_length: int | None = None
    hop_length: int | None = None
    _: KW_ONLY
    normalized: bool = False
    pad_mode: str = "reflect"

    def apply(self, x: Any, draws: Draws) -> Any:
        bins = super().apply(x, draws)
        values = bins.values if isinstance(bins, Ragged) else bins
        hertz = torch.linspace(
            0, self.sample_rate // 2, values.shape[-1], dtype=values.dtype, device=values.device
        )
        weight = values.sum(-1, keepdim=True)
        loud = weight > 0
        middle = (values * hertz).sum(-1, keepdim=True) / torch.where(loud, weight, 1)
        done = torch.where(loud, middle, 0)
        return bins.with_values(done) if isinstance(bins, Ragged) else done

    def _bands(self, spectrum: torch.Tensor) -> torch.Tensor:
        return powers(spectrum, 1.0)
