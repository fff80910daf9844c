"""LogMel, against torchaudio and librosa, on sounds whose spectrum is known, and in batches."""

from __future__ import annotations

import math
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms
from support.peers import torchaudio_or_skip

from domainkit.audio.transforms import LogMel
from domainkit.audio.transforms.mel import mel_peaks
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

SETTINGS: list[dict[str, Any]] = [
    {"n_mels": 40},
    {"n_mels": 40, "mel_scale": "htk", "norm": "none", "pad_mode": "reflect"},
    {"n_mels": 64, "n_fft": 512, "win_length": 400, "hop_length": 123, "f_min": 60.0},
    {"n_mels": 40, "power": 1.0, "f_max": 7600.0, "pad_mode": "reflect"},
]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("length", [4000, 4001, 401])
def test_equals_torchaudio(setting: dict[str, Any], length: int) -> None:
    torchaudio = torchaudio_or_skip()
    x = torch.stack(waveforms([length] * 3))
    ours = LogMel(16000, **setting)(x)
    theirs = {
        "n_fft": 400,
        "hop_length": 160,
        "pad_mode": "constant",
        "mel_scale": "slaney",
    } | setting
    norm = theirs.pop("norm", "slaney")
    reference = torchaudio.transforms.MelSpectrogram(
        16000, norm=None if norm == "none" else norm, **theirs
    )
    truth = reference(x[:, 0]).clamp(min=1e-10).log().transpose(1, 2)
    assert ours.shape == truth.shape
    torch.testing.assert_close(ours, truth, rtol=0, atol=5e-4)


@pytest.mark.parametrize("setting", SETTINGS)
def test_equals_librosa(setting: dict[str, Any]) -> None:
    x = waveforms([4001], dtype=torch.float64)[0]
    ours = LogMel(16000, **setting)(x[None])[0]
    s = {"n_fft": 400, "hop_length": 160, "pad_mode": "constant", "norm": "slaney"} | setting
    truth = librosa.feature.melspectrogram(
        y=x[0].numpy(), sr=16000, n_fft=s["n_fft"], hop_length=s["hop_length"],
        win_length=s.get("win_length"), n_mels=s["n_mels"], power=s.get("power", 2.0),
        fmin=s.get("f_min", 0.0), fmax=s.get("f_max"), htk=s.get("mel_scale") == "htk",
        norm=None if s["norm"] == "none" else s["norm"], pad_mode=s["pad_mode"], dtype=np.float64,
    )  # fmt: skip
    np.testing.assert_allclose(ours.numpy(), np.log(np.maximum(truth, 1e-10)).T, rtol=0, atol=1e-6)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("device", DEVICES)
def test_same_result_in_any_batch(setting: dict[str, Any], device: str) -> None:
    # another device has another Fourier transform: there the bound is torchaudio's
    atol = 1e-5 if device == "cpu" else 5e-4
    assert_batch_invariant(LogMel(16000, **setting), waveforms(), atol=atol, device=device)


def test_nothing_leaks_over_a_samples_end() -> None:
    quiet, loud = torch.zeros(1, 1600), torch.ones(1, 1600)
    out = LogMel(16000, n_mels=40)(Ragged.from_list([loud, quiet, loud]))
    assert bool((out[1] == math.log(1e-10)).all())


def test_the_layout() -> None:
    out = LogMel(16000)(Ragged.from_list(waveforms((1599, 1600, 0))))
    assert (out.host_shapes.tolist(), out.inner, out.item_ndim) == ([[10], [11], [1]], (80,), 2)
    assert LogMel(16000)(torch.zeros(2, 1, 1600)).shape == (2, 11, 80)
    batch = LogMel(16000)({"audio": torch.zeros(2, 1, 1600), "label": torch.tensor([0, 1])})
    assert batch["audio"].shape == (2, 11, 80) and batch["label"].tolist() == [0, 1]


@pytest.mark.parametrize("frequency", [250.0, 1000.0, 3000.0, 6500.0])
@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_a_sine_peaks_in_its_own_band(frequency: float, scale: str) -> None:
    tone = torch.sin(2 * math.pi * frequency * torch.arange(8000) / 16000)[None, None]
    out = LogMel(16000, n_fft=1024, n_mels=40, mel_scale=scale, norm="none")(tone)
    centres = mel_peaks(40, 0.0, 8000.0, scale)[1:-1]
    nearest = int(np.abs(centres - frequency).argmin())
    assert abs(int(out[0, 25].argmax()) - nearest) <= 1


def test_an_impulse_has_a_flat_spectrum() -> None:
    # its power is the window's value squared (1, in the middle of frame 5) in every bin, so a band
    # holds the sum of its filter
    x = torch.zeros(1, 1, 1600, dtype=torch.float64)
    x[..., 800] = 1.0
    out = LogMel(16000, n_mels=40, norm="none")(x)[0, 5]
    bank = librosa.filters.mel(sr=16000, n_fft=400, n_mels=40, norm=None, dtype=np.float64)
    np.testing.assert_allclose(out.numpy(), np.log(bank.sum(1)), rtol=0, atol=1e-12)


def test_the_floor_bounds_silence() -> None:
    out = LogMel(16000, floor=1e-6)(torch.zeros(1, 1, 800))
    assert bool((out == torch.tensor(1e-6).log()).all())


def test_twice_as_loud_is_log_four_more() -> None:
    x = torch.stack(waveforms([2000]))
    difference = LogMel(16000)(2 * x) - LogMel(16000)(x)
    torch.testing.assert_close(difference, torch.full_like(difference, math.log(4)))


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_gradients_reach_the_waveform(power: float) -> None:
    transform = LogMel(8000, n_fft=32, hop_length=16, n_mels=4, power=power)
    x = 0.1 * torch.randn(1, 1, 70, dtype=torch.float64)
    x.requires_grad_()
    assert torch.autograd.gradcheck(transform, (x,))
    transform(Ragged.from_list([x[0], x[0, :, :40]])).values.sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all()) and float(x.grad.abs().sum()) > 0


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_gradients_of_silence_are_finite(power: float) -> None:
    x = torch.zeros(1, 1, 800, requires_grad=True)
    LogMel(16000, power=power)(x).sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all())


def test_filters_made_in_inference_mode_can_be_trained_through() -> None:
    with torch.inference_mode():
        transform = LogMel(16000, n_mels=37)
        transform(torch.zeros(1, 1, 800))
    x = torch.stack(waveforms([800])).requires_grad_()
    transform(x).sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all())


def test_bands_without_a_bin_are_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"\d+ of 128 bands lie between two bins"):
        LogMel(16000, n_mels=128, mel_scale="htk")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_mels": 0}, "n_mels is a whole number above 0, got 0"),
        ({"n_fft": 401}, "n_fft is even, got 401"),
        ({"win_length": 401}, r"1 <= win_length <= n_fft \(400\), got 401"),
        ({"f_max": 9000.0}, "sample_rate / 2 = 8000 Hz, got 0 and 9000"),
        ({"f_min": 5000.0, "f_max": 4000.0}, "f_min < f_max"),
        ({"mel_scale": "bark"}, "mel_scale is 'htk' or 'slaney', got 'bark'"),
        ({"pad_mode": "edge"}, "pad_mode is 'constant' or 'reflect', got 'edge'"),
        ({"floor": 0.0}, "power and floor above 0"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TransformError, match=message):
        LogMel(16000, **arguments)


def test_wrong_input() -> None:
    with pytest.raises(TransformError, match="one channel, got 2: put Mono before it"):
        LogMel(16000)(torch.zeros(1, 2, 800))
    with pytest.raises(TransformError, match="one channel, got 2: put Mono before it"):
        LogMel(16000)(Ragged.from_list(waveforms([800], channels=2)))
    with pytest.raises(TransformError, match="more than 200 samples, got 200"):
        LogMel(16000, pad_mode="reflect")(Ragged.from_list(waveforms([800, 200])))
