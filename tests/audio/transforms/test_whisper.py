"""Whisper's features against librosa's spectra and the published steps, for each of a batch."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms
from support.recordings import speech

from domainkit.audio.transforms import WhisperLogMel
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

ITEMS = [*waveforms((4000, 1601, 4000, 799)), speech(1)[0][None]]


def published(x: np.ndarray, n_mels: int) -> np.ndarray:
    """The steps of the paper, by librosa, frames first."""
    stft = librosa.stft(x, n_fft=400, hop_length=160, window="hann", pad_mode="reflect")
    bank = librosa.filters.mel(sr=16000, n_fft=400, n_mels=n_mels)
    log = np.log10(np.maximum(bank @ np.abs(stft[:, :-1]) ** 2, 1e-10))
    return ((np.maximum(log, log.max() - 8) + 4) / 4).T


@pytest.mark.parametrize("n_mels", [80, 128])
def test_own_lengths(n_mels):
    out = WhisperLogMel(n_mels, None)(Ragged.from_list(ITEMS))
    for mine, item in zip(out, ITEMS, strict=True):
        want = published(item[0].numpy(), n_mels)
        assert mine.shape == want.shape
        np.testing.assert_allclose(mine.numpy(), want, atol=2e-4)


@pytest.mark.parametrize("length", [1000, 8000])
def test_padded_or_cut(length):
    out = WhisperLogMel(length=length)(Ragged.from_list(ITEMS))
    for mine, item in zip(out, ITEMS, strict=True):
        x = librosa.util.fix_length(item[0].numpy(), size=length)
        np.testing.assert_allclose(mine.numpy(), published(x, 80), atol=2e-4)


@pytest.mark.parametrize("samples", [0, 4599, 4600, 4601, 4759, 4761, 4999, 5001])
def test_frames_behind_all_sound_are_silence(samples):
    x = waveforms([samples])[0]
    filled = librosa.util.fix_length(x[0].numpy(), size=5000)
    done = WhisperLogMel(length=5000)(x[None])[0]
    np.testing.assert_allclose(done.numpy(), published(filled, 80), atol=2e-4)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_is_transformers(n_mels):
    transformers = pytest.importorskip("transformers")
    items = waveforms((40_000, 480_000, 480_700))
    theirs = transformers.WhisperFeatureExtractor(feature_size=n_mels)
    given = {"sampling_rate": 16000, "return_tensors": "np"}
    want = theirs([item[0].numpy() for item in items], **given)["input_features"]
    done = WhisperLogMel(n_mels)(Ragged.from_list(items)).dense()
    np.testing.assert_allclose(done.transpose(1, 2).numpy(), want, rtol=0, atol=2e-4)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("length", [None, 3000])
def test_same_result_in_any_batch(length, device):
    items = waveforms((4000, 1601, 4000, 799, 2400))
    assert_batch_invariant(WhisperLogMel(length=length), items, atol=1e-5, device=device)


def test_gradients_reach_the_recording():
    x = torch.stack(ITEMS[:1]).requires_grad_()
    WhisperLogMel(length=None)(x).square().sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all()) and float(x.grad.norm()) > 0


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: WhisperLogMel(200), "in 1..128, got 200"),
        (lambda: WhisperLogMel(length=100), "above 200 or None, got 100"),
        (lambda: WhisperLogMel(length=None)(torch.zeros(1, 1, 150)), "more than 200 samples"),
        (lambda: WhisperLogMel()(torch.zeros(1, 2, 900)), "put Mono before it"),
    ],
)
def test_what_is_wrong_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
