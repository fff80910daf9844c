"""Mel filter banks: triangles on a scale that follows the ear.

Two scales are in use. HTK's is mel = 2595 log10(1 + f / 700) (O'Shaughnessy, 1987). Slaney's
(Auditory Toolbox, 1998) is linear up to 1000 Hz (200 / 3 Hz a mel) and logarithmic above, where 27
mel multiply the frequency by 6.4.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

__all__ = ["mel_filters", "mel_peaks"]

LINEAR_HZ = 200.0 / 3.0  # Hz per mel below the break
BREAK_HZ = 1000.0
BREAK_MEL = BREAK_HZ / LINEAR_HZ
LOG_STEP = np.log(6.4) / 27.0


def mel_peaks(n_mels: int, f_min: float, f_max: float, mel_scale: str) -> np.ndarray:
    """The corners of the triangles in Hz, float64 [n_mels + 2]: band m peaks at number m + 1.

    Example:
        >>> mel_peaks(3, 0.0, 800.0, "slaney")
        array([  0., 200., 400., 600., 800.])
    """
    low, high = _to_mel(np.array([f_min, f_max]), mel_scale)
    return _to_hz(np.linspace(low, high, n_mels + 2), mel_scale)


@torch.compiler.assume_constant_result  # numpy's numbers are constants of a graph
def mel_filters(
    design: tuple[int, int, int, float, float, str, str],
    device: torch.device,
    dtype: torch.dtype,
) -> torch.Tensor:
    """The bank [n_fft // 2 + 1, n_mels] that turns a spectrum's bins into bands.

    Args:
        design: sample_rate, n_fft, n_mels, f_min, f_max, mel_scale, norm, as ``LogMel`` has them.
        device, dtype: of the bank; it is computed in float64 on the host and kept.
    """
    return _made(design, device, dtype)


@lru_cache(maxsize=32)
def _made(
    design: tuple[int, int, int, float, float, str, str],
    device: torch.device,
    dtype: torch.dtype,
) -> torch.Tensor:
    sample_rate, n_fft, n_mels, f_min, f_max, mel_scale, norm = design
    bins = np.arange(n_fft // 2 + 1)[:, None] * (sample_rate / n_fft)
    corners = mel_peaks(n_mels, f_min, f_max, mel_scale)
    left, peak, right = corners[:-2], corners[1:-1], corners[2:]
    bank = np.minimum((bins - left) / (peak - left), (right - bins) / (right - peak))
    bank = np.maximum(bank, 0.0)
    if norm == "slaney":  # every triangle gets the area 1 Hz
        bank *= 2.0 / (right - left)
    with torch.inference_mode(False):  # a cached inference tensor could not be trained through
        return torch.from_numpy(bank).to(device=device, dtype=dtype)


def _to_mel(hz: np.ndarray, scale: str) -> np.ndarray:
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    above = np.log(np.maximum(hz, BREAK_HZ) / BREAK_HZ) / LOG_STEP
    return np.where(hz < BREAK_HZ, hz / LINEAR_HZ, BREAK_MEL + above)


def _to_hz(mel: np.ndarray, scale: str) -> np.ndarray:
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    above = BREAK_HZ * np.exp(LOG_STEP * np.maximum(mel - BREAK_MEL, 0.0))
    return np.where(mel < BREAK_MEL, mel * LINEAR_HZ, above)
