"""``MFCC`` and ``LFCC``: cepstral coefficients of mel or linear bands.

Sources: S. Davis and P. Mermelstein, 1980; X. Zhou et al., "Linear versus mel frequency cepstral
coefficients for speaker recognition", 2011. Numbers are torchaudio's for a recording alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from typing import Any, ClassVar

import torch

from domainkit.audio.functional.filter_banks import create_dct, linear_fbanks
from domainkit.audio.transforms.decibels import AmplitudeToDB
from domainkit.audio.transforms.spectrogram import MelSpectrogram, Spectrogram
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform

__all__ = ["LFCC", "MFCC"]


class _Cepstra(Transform):
    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "signal"

    norm: str | None

    def _coefficients(self, bands: Any, count: int, draws: Draws, *, log: bool) -> Any:
        """The cosine transform of the logarithm of bands [B, F, M]."""
        if log:
            values = bands.values if isinstance(bands, Ragged) else bands
            loud = (values + 1e-6).log()
        else:
            bands = AmplitudeToDB("power", 80.0).apply(bands, draws)
            loud = bands.values if isinstance(bands, Ragged) else bands
        done = loud @ _dct(count, loud.shape[-1], self.norm, loud.device, loud.dtype)
        return bands.with_values(done) if isinstance(bands, Ragged) else done

    def _check(self, count: int, bands: int) -> None:
        name = type(self).__name__
        if not 1 <= count <= bands:
            raise TransformError(
                f"{name} takes 1 to {bands} coefficients of {bands} bands, got {count}"
            )
        if self.norm not in (None, "ortho"):
            raise TransformError(f"{name}: norm is None or 'ortho', got {self.norm!r}")


@dataclass(frozen=True)
class MFCC(_Cepstra):
    """Mel-frequency cepstral coefficients.

    Input: float32 or float64 mono waveforms, dense [B, 1, T] or ``Ragged`` items [1, T_i].
    Output: dense [B, F, n_mfcc] or ``Ragged`` items [F_i, n_mfcc]. The floor of 80 dB below the
    loudest place is each recording's own.

    Args:
        sample_rate: of the input, in Hz.
        n_mfcc: how many.
        norm: of the cosine transform: "ortho" or None.
        log_mels: the natural logarithm of the bands + 1e-6, instead of decibels with a floor.
        melkwargs: further arguments of ``MelSpectrogram``.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> MFCC(n_mfcc=13, melkwargs={"n_mels": 40})(torch.rand(2, 1, 1600)).shape
        torch.Size([2, 9, 13])
    """

    sample_rate: int = 16000
    n_mfcc: int = 40
    _: KW_ONLY
    norm: str | None = "ortho"
    log_mels: bool = False
    melkwargs: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        self._check(self.n_mfcc, self._mel.n_mels)

    @property
    def _mel(self) -> MelSpectrogram:
        return MelSpectrogram(self.sample_rate, **(self.melkwargs or {}))

    def apply(self, x: Any, draws: Draws) -> Any:
        bands = self._mel.apply(x, draws)
        return self._coefficients(bands, self.n_mfcc, draws, log=self.log_mels)


@dataclass(frozen=True)
class LFCC(_Cepstra):
    """Linear-frequency cepstral coefficients.

    Input and output: as of ``MFCC``.

    Args:
        sample_rate: of the input, in Hz.
        n_filter: how many triangles of equal width lie between f_min and f_max.
        f_min, f_max: in Hz; f_max None takes half the sample rate.
        n_lfcc: how many coefficients.
        norm, log_lf: as ``norm`` and ``log_mels`` of ``MFCC``.
        speckwargs: further arguments of ``Spectrogram``.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> LFCC(n_lfcc=20)(torch.rand(2, 1, 1600)).shape
        torch.Size([2, 9, 20])
    """

    sample_rate: int = 16000
    n_filter: int = 128
    f_min: float = 0.0
    f_max: float | None = None
    n_lfcc: int = 40
    _: KW_ONLY
    norm: str | None = "ortho"
    log_lf: bool = False
    speckwargs: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        self._check(self.n_lfcc, self.n_filter)

    def apply(self, x: Any, draws: Draws) -> Any:
        bins = Spectrogram(**(self.speckwargs or {})).apply(x, draws)
        values = bins.values if isinstance(bins, Ragged) else bins
        top = float(self.sample_rate // 2 if self.f_max is None else self.f_max)
        bank = linear_fbanks(values.shape[-1], self.f_min, top, self.n_filter, self.sample_rate)
        done = values @ bank.to(values)
        bands = bins.with_values(done) if isinstance(bins, Ragged) else done
        return self._coefficients(bands, self.n_lfcc, draws, log=self.log_lf)


@lru_cache(maxsize=16)
def _dct(
    count: int, bands: int, norm: str | None, device: torch.device, dtype: torch.dtype
) -> torch.Tensor:
    with torch.inference_mode(False):  # a cached inference tensor could not be trained through
        return create_dct(count, bands, norm).to(device=device, dtype=dtype)
