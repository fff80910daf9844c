"""Mel filter banks, against librosa and torchaudio."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from support.peers import torchaudio_or_skip

from domainkit.audio.transforms.mel import mel_filters, mel_peaks

CPU = torch.device("cpu")


@pytest.mark.parametrize("scale", ["slaney", "htk"])
@pytest.mark.parametrize("norm", ["slaney", "none"])
@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels", "f_min", "f_max"),
    [
        (16000, 400, 40, 0.0, 8000.0),
        (8000, 256, 32, 60.0, 3800.0),
        (22050, 2048, 128, 0.0, 11025.0),
    ],
)
def test_equals_librosa_and_torchaudio(
    scale: str, norm: str, rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float
) -> None:
    ours = mel_filters((rate, n_fft, n_mels, f_min, f_max, scale, norm), CPU, torch.float64)
    wanted = None if norm == "none" else norm
    truth = librosa.filters.mel(
        sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max,
        htk=scale == "htk", norm=wanted, dtype=np.float64,
    )  # fmt: skip
    np.testing.assert_allclose(ours.numpy(), truth.T, rtol=0, atol=1e-12)
    torchaudio = torchaudio_or_skip()
    bank = torchaudio.functional.melscale_fbanks(
        n_fft // 2 + 1, f_min, f_max, n_mels, rate, wanted, scale
    )
    torch.testing.assert_close(ours.float(), bank, rtol=0, atol=2e-4)


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_corners_equal_librosa(scale: str) -> None:
    truth = librosa.mel_frequencies(42, fmin=20.0, fmax=7600.0, htk=scale == "htk")
    np.testing.assert_allclose(mel_peaks(40, 20.0, 7600.0, scale), truth, rtol=1e-12)


def test_a_bank_is_kept_per_design_and_dtype() -> None:
    design = (16000, 400, 40, 0.0, 8000.0, "htk", "none")
    assert mel_filters(design, CPU, torch.float32) is mel_filters(design, CPU, torch.float32)
    assert mel_filters(design, CPU, torch.float64).dtype == torch.float64
