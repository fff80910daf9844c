"""Mel filter banks, against librosa and torchaudio."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from support.peers import torchaudio_or_skip

from domainkit.audio.transforms.mel import mel_filters, mel_peaks

CPU = torch.device("cpu")


DESIGNS = [
    (rate, n_fft, n_mels, f_min, f_max, scale, norm)
    for rate, n_fft, n_mels, f_min, f_max in (
        (16000, 400, 40, 0.0, 8000.0),
        (8000, 256, 32, 60.0, 3800.0),
        (22050, 2048, 128, 0.0, 11025.0),
    )
    for scale in ("slaney", "htk")
    for norm in ("slaney", "none")
]


@pytest.mark.parametrize("design", DESIGNS)
def test_equals_librosa(design: tuple[int, int, int, float, float, str, str]) -> None:
    rate, n_fft, n_mels, f_min, f_max, scale, norm = design
    truth = librosa.filters.mel(
        sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max,
        htk=scale == "htk", norm=None if norm == "none" else norm, dtype=np.float64,
    )  # fmt: skip
    ours = mel_filters(design, CPU, torch.float64)
    np.testing.assert_allclose(ours.numpy(), truth.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("design", DESIGNS)
def test_equals_torchaudio(design: tuple[int, int, int, float, float, str, str]) -> None:
    torchaudio = torchaudio_or_skip()
    rate, n_fft, n_mels, f_min, f_max, scale, norm = design
    wanted = None if norm == "none" else norm
    truth = torchaudio.functional.melscale_fbanks(
        n_fft // 2 + 1, f_min, f_max, n_mels, rate, wanted, scale
    )
    ours = mel_filters(design, CPU, torch.float32)
    torch.testing.assert_close(ours, truth, rtol=0, atol=2e-4)  # its bank is made in float32


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_corners_equal_librosa(scale: str) -> None:
    truth = librosa.mel_frequencies(42, fmin=20.0, fmax=7600.0, htk=scale == "htk")
    np.testing.assert_allclose(mel_peaks(40, 20.0, 7600.0, scale), truth, rtol=1e-12)


def test_a_bank_is_kept_per_design_and_dtype() -> None:
    design = (16000, 400, 40, 0.0, 8000.0, "htk", "none")
    assert mel_filters(design, CPU, torch.float32) is mel_filters(design, CPU, torch.float32)
    assert mel_filters(design, CPU, torch.float64).dtype == torch.float64
