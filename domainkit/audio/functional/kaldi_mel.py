"""Kaldi's mel filters and cosine transform, with the warping of the frequency axis (VTLN).

The scale is mel = 1127 ln(1 + f / 700), and a band is a triangle on it (not on the axis in Hz). The
axis is warped for a speaker's vocal tract length by three straight lines (L. Lee and R. Rose, "A
frequency warping approach to speaker normalization", 1998).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from domainkit.audio.functional.checks import check_whole
from domainkit.errors import TransformError

__all__ = ["MelDesign", "cepstral_matrix", "mel_bank"]


@dataclass(frozen=True)
class MelDesign:
    """A bank of mel filters: torchaudio's arguments, checked."""

    op: str
    num_mel_bins: int
    padded: int  # length of the Fourier transform
    sample_frequency: float
    low_freq: float
    high_freq: float  # 0 or less: that much below half the sample frequency
    vtln_low: float
    vtln_high: float  # the same
    vtln_warp: float

    def __post_init__(self) -> None:
        check_whole(self.op, "num_mel_bins", self.num_mel_bins, 4)
        half = self.sample_frequency / 2
        if not 0 <= self.low_freq < self.high <= half:
            raise TransformError(
                f"{self.op} needs 0 <= low_freq < high_freq <= {half:g} Hz, got "
                f"{self.low_freq:g} and {self.high:g}"
            )
        if not self.vtln_warp > 0:
            raise TransformError(f"{self.op}: vtln_warp is above 0, got {self.vtln_warp}")
        if self.vtln_warp != 1.0 and not (
            self.low_freq < self.vtln_low < self.warp_high < self.high
        ):
            raise TransformError(
                f"{self.op} needs low_freq < vtln_low < vtln_high < high_freq, got "
                f"{self.low_freq:g}, {self.vtln_low:g}, {self.warp_high:g} and {self.high:g}"
            )

    @property
    def high(self) -> float:
        return self.high_freq if self.high_freq > 0 else self.high_freq + self.sample_frequency / 2

    @property
    def warp_high(self) -> float:
        return self.vtln_high if self.vtln_high >= 0 else self.vtln_high + self.sample_frequency / 2


def mel_bank(design: MelDesign, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """[padded // 2 + 1, num_mel_bins]; the bin at half the sample frequency counts nowhere."""
    numbers = (
        design.num_mel_bins, design.padded, float(design.sample_frequency), float(design.low_freq),
        float(design.high_freq), float(design.vtln_low), float(design.vtln_high),
        float(design.vtln_warp),
    )  # fmt: skip
    return _bank(design.op, numbers, device, dtype)


@torch.compiler.assume_constant_result  # numpy's numbers are constants of a graph
def _bank(
    op: str,
    numbers: tuple[int, int, float, float, float, float, float, float],
    device: torch.device,
    dtype: torch.dtype,
) -> torch.Tensor:
    return _made_bank(MelDesign(op, *numbers), device, dtype)


@lru_cache(maxsize=32)
def _made_bank(design: MelDesign, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    bins = np.arange(design.padded // 2) * (design.sample_frequency / design.padded)
    low, high = _to_mel(np.array([design.low_freq, design.high]))
    corners = low + np.arange(design.num_mel_bins + 2) * ((high - low) / (design.num_mel_bins + 1))
    if design.vtln_warp != 1.0:
        corners = _to_mel(_warped(_to_hz(corners), design))
    left, peak, right = corners[:-2], corners[1:-1], corners[2:]
    mel = _to_mel(bins)[:, None]
    bank = np.minimum((mel - left) / (peak - left), (right - mel) / (right - peak))
    bank = np.pad(np.maximum(bank, 0.0), ((0, 1), (0, 0)))
    with torch.inference_mode(False):  # a cached inference tensor could not be trained through
        return torch.from_numpy(bank).to(device=device, dtype=dtype)


@torch.compiler.assume_constant_result
def cepstral_matrix(
    num_mel_bins: int, num_ceps: int, lifter: float, device: torch.device, dtype: torch.dtype
) -> torch.Tensor:
    """[num_mel_bins, num_ceps]: the orthonormal cosine transform, its columns liftered.

    Column k is multiplied by 1 + Q / 2 sin(pi k / Q) for a lifter Q above 0.
    """
    return _made_matrix(num_mel_bins, num_ceps, lifter, device, dtype)


@lru_cache(maxsize=32)
def _made_matrix(
    num_mel_bins: int, num_ceps: int, lifter: float, device: torch.device, dtype: torch.dtype
) -> torch.Tensor:
    place = np.arange(num_mel_bins)[:, None] + 0.5
    order = np.arange(num_ceps)
    matrix = np.sqrt(2.0 / num_mel_bins) * np.cos(np.pi / num_mel_bins * place * order)
    matrix[:, 0] = np.sqrt(1.0 / num_mel_bins)
    if lifter:
        matrix *= 1.0 + 0.5 * lifter * np.sin(np.pi * order / lifter)
    with torch.inference_mode(False):
        return torch.from_numpy(matrix).to(device=device, dtype=dtype)


def _warped(hz: np.ndarray, design: MelDesign) -> np.ndarray:
    """f / warp in the middle; straight lines from there to the fixed ends of the bank."""
    low, high = design.low_freq, design.high
    bend_low = design.vtln_low * max(1.0, design.vtln_warp)
    bend_high = design.warp_high * min(1.0, design.vtln_warp)
    if not low < bend_low < bend_high < high:
        raise TransformError(
            f"{design.op}: vtln_warp={design.vtln_warp:g} moves the bends of the axis to "
            f"{bend_low:g} and {bend_high:g} Hz: keep it nearer to 1"
        )
    inner = np.array([bend_low, bend_high]) / design.vtln_warp
    warped = np.interp(hz, [low, bend_low, bend_high, high], [low, *inner, high])
    return np.where((hz < low) | (hz > high), hz, warped)


def _to_mel(hz: np.ndarray) -> np.ndarray:
    return 1127.0 * np.log1p(hz / 700.0)


def _to_hz(mel: np.ndarray) -> np.ndarray:
    return 700.0 * np.expm1(mel / 1127.0)
