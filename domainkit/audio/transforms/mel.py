"""Mel filter banks and windows as transforms want them: made once for each device."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from domainkit.audio.functional.filter_banks import hertz_to_mel, mel_to_hertz, triangles
from domainkit.audio.functional.framing import centred_window

__all__ = ["hann_window", "mel_filters", "mel_peaks"]


def mel_peaks(n_mels: int, f_min: float, f_max: float, mel_scale: str) -> np.ndarray:
    """The corners of the triangles in Hz, float64 [n_mels + 2]: band m peaks at number m + 1.

    Example:
        >>> mel_peaks(3, 0.0, 800.0, "slaney")
        array([  0., 200., 400., 600., 800.])
    """
    low, high = hertz_to_mel(np.array([f_min, f_max]), mel_scale)
    return mel_to_hertz(np.linspace(low, high, n_mels + 2), mel_scale)


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
    bins = np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
    bank = triangles(bins, mel_peaks(n_mels, f_min, f_max, mel_scale), area=norm == "slaney")
    with torch.inference_mode(False):  # a cached inference tensor could not be trained through
        return torch.from_numpy(bank).to(device=device, dtype=dtype)


@torch.compiler.assume_constant_result
def hann_window(
    n_fft: int, win_length: int, device: torch.device, dtype: torch.dtype
) -> torch.Tensor:
    """The periodic Hann window in the middle of n_fft samples, as ``torch.stft`` places it."""
    return _made_window(n_fft, win_length, device, dtype)


@lru_cache(maxsize=32)
def _made_window(
    n_fft: int, win_length: int, device: torch.device, dtype: torch.dtype
) -> torch.Tensor:
    with torch.inference_mode(False):  # a cached inference tensor could not be trained through
        window = torch.hann_window(win_length, dtype=torch.float64)
        return centred_window(window, n_fft).to(device=device, dtype=dtype)
