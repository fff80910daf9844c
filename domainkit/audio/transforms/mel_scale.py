"""``MelScale`` and ``InverseMelScale``: from the bins of a spectrum to bands, and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from domainkit.audio.functional.filter_banks import melscale_fbanks
from domainkit.audio.transforms._base import FeatureTransform, Result
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["InverseMelScale", "MelScale"]


class _Scale(FeatureTransform):
    n_stft: int
    n_mels: int
    sample_rate: int
    f_min: float
    f_max: float | None
    norm: str | None
    mel_scale: str

    def __post_init__(self) -> None:
        self._bank()  # says what is wrong, and which bands stay empty

    def _bank(self) -> torch.Tensor:
        """[n_stft, n_mels]"""
        top = float(self.sample_rate // 2 if self.f_max is None else self.f_max)
        how = (self.n_mels, self.sample_rate, self.norm, self.mel_scale)
        return _made(self.n_stft, self.f_min, top, *how)

    def _check(self, x: torch.Tensor, wanted: int) -> None:
        if x.shape[2] != wanted:
            raise TransformError(
                f"{type(self).__name__} takes {wanted} numbers in a frame, got {x.shape[2]}"
            )


@lru_cache(maxsize=16)
def _made(*how: Any) -> torch.Tensor:
    with torch.inference_mode(False):  # a cached inference tensor could not be trained through
        return melscale_fbanks(*how)


@dataclass(frozen=True)
class MelScale(_Scale):
    """Sum the bins of a ``Spectrogram`` over mel bands.

    Input: float32 or float64 features, dense [B, T, n_stft] or ``Ragged`` items. Output: the same
    with n_mels.

    Args:
        n_mels: bands.
        sample_rate: in Hz.
        f_min, f_max: in Hz; f_max None takes half the sample rate.
        n_stft: bins, n_fft // 2 + 1.
        norm: None or "slaney".
        mel_scale: "htk" or "slaney".

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> MelScale(n_stft=201, n_mels=40)(torch.rand(2, 7, 201)).shape
        torch.Size([2, 7, 40])
    """

    n_mels: int = 128
    sample_rate: int = 16000
    f_min: float = 0.0
    f_max: float | None = None
    n_stft: int = 201
    norm: str | None = None
    mel_scale: str = "htk"

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        self._check(x, self.n_stft)
        return x @ self._bank().to(x)


@dataclass(frozen=True)
class InverseMelScale(_Scale):
    """Bins that give these bands: the least squares, and nothing below 0.

    Input: float32 or float64 features, dense [B, T, n_mels] or ``Ragged`` items. Output: the same
    with n_stft. Arguments and Raises are those of ``MelScale``.

    Example:
        >>> bands = MelScale(n_stft=33, n_mels=8)(torch.rand(1, 5, 33))
        >>> InverseMelScale(n_stft=33, n_mels=8)(bands).shape
        torch.Size([1, 5, 33])
    """

    n_stft: int = 201
    n_mels: int = 128
    sample_rate: int = 16000
    f_min: float = 0.0
    f_max: float | None = None
    norm: str | None = None
    mel_scale: str = "htk"

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        self._check(x, self.n_mels)
        back = torch.linalg.pinv(self._bank().double())  # [n_mels, n_stft], the shortest solution
        return (x @ back.to(x)).clamp(min=0)
