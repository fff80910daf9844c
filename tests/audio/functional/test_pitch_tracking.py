"""Pitch by Kaldi's method: tones, glides, the path against trying all, and librosa on speech."""

from __future__ import annotations

import math

import librosa
import numpy as np
import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms
from support.recordings import speech

from domainkit.audio import functional as F
from domainkit.audio.functional import _numba_pitch_path
from domainkit.audio.transforms import KaldiPitch
from domainkit.errors import TransformError

RATE = 16000
SECOND = torch.arange(RATE, dtype=torch.float64) / RATE


def voice(hz: torch.Tensor | float) -> torch.Tensor:
    """Five harmonics of a pitch that may change."""
    phase = 2 * math.pi * torch.cumsum(torch.as_tensor(hz).expand(RATE) / RATE, 0)
    return sum((torch.sin(k * phase) / k for k in range(1, 6)), torch.zeros(RATE))


@pytest.mark.parametrize("hz", [60.0, 97.0, 150.0, 233.3, 390.0])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 32768.0])
def test_a_voice_is_as_high_as_it_is(hz, scale):
    out = F.kaldi_pitch(scale * voice(hz), RATE)
    assert out.shape == (98, 2)
    middle = out[5:-5]
    # lags lie half a per cent apart
    assert float((middle[:, 1] / hz - 1).abs().max()) < 0.01
    assert float(middle[:, 0].min()) > 0.95


def test_a_glide_is_followed():
    hz = 100 * 3 ** (SECOND * 1.0)
    out = F.kaldi_pitch(voice(hz), RATE)
    centre = (torch.arange(98) * 160 + 200).clamp(max=RATE - 1)
    assert float((out[5:-5, 1] / hz[centre][5:-5] - 1).abs().median()) < 0.02


def test_noise_is_not_voiced_and_the_pitch_goes_on_through_it():
    generator = torch.Generator().manual_seed(0)
    x = voice(180.0)
    x[6000:9000] = 0.3 * torch.randn(3000, generator=generator, dtype=torch.float64)
    out = F.kaldi_pitch(x, RATE)
    assert float(out[40:52, 0].median()) < 0.7 < float(out[5:30, 0].min())
    assert float((out[5:-5, 1].diff().abs()).max()) < 60


def test_speech_is_where_librosa_hears_it():
    x = torch.cat(speech(3))
    mine = F.kaldi_pitch(x, 8000, min_f0=80.0, max_f0=400.0)
    theirs, voiced, sure = librosa.pyin(
        x.numpy(), sr=8000, fmin=80, fmax=400, frame_length=512, hop_length=80
    )
    # frame f of ours begins at sample 80 f, theirs is centred there
    at = np.arange(len(mine)) + 1
    at = at[at < len(theirs)]
    clear = voiced[at] & (sure[at] > 0.5)
    ratio = mine[: len(at), 1].numpy()[clear] / theirs[at][clear]
    assert clear.sum() > 100
    assert np.mean(np.abs(np.log(ratio)) < 0.05) > 0.85
    assert (
        mine[: len(at), 0].numpy()[clear].mean() > mine[: len(at), 0].numpy()[~clear].mean() + 0.1
    )


@pytest.mark.parametrize("step", [0.0, 0.01, 0.5])
def test_the_path_is_the_best_of_all(step):
    cost = np.random.default_rng(0).standard_normal((3, 30, 17))
    frames = np.array([30, 1, 12])
    path = _numba_pitch_path.best(cost, frames, step)
    change = step * np.subtract.outer(np.arange(17), np.arange(17)) ** 2
    for b, count in enumerate(frames):
        total = cost[b, 0]
        for t in range(1, count):
            total = (total[None] + change).min(1) + cost[b, t]
        taken = path[b, :count]
        mine = cost[b, np.arange(count), taken].sum() + step * (np.diff(taken) ** 2).sum()
        assert mine == pytest.approx(total.min(), abs=1e-9)
        assert not path[b, count:].any()


@pytest.mark.parametrize("device", DEVICES)
def test_same_result_in_any_batch(device):
    items = [*waveforms((4000, 1601, 4000, 799, 2400)), voice(150.0).float()[None, :4000]]
    assert_batch_invariant(KaldiPitch(RATE), items, atol=1e-5, device=device)


def test_what_is_too_short_has_no_frame():
    assert F.kaldi_pitch(torch.zeros(2, 100), RATE).shape == (2, 0, 2)
    assert F.kaldi_pitch(torch.zeros(2, 0), RATE).shape == (2, 0, 2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"min_f0": 500.0}, "0 < min_f0 < max_f0"),
        ({"lowpass_cutoff": 3000.0}, "below half of both rates"),
        ({"frame_shift": 0.0}, "have no sample"),
        ({"delta_pitch": 0.0}, "delta_pitch > 0"),
    ],
)
def test_what_is_wrong_is_told(arguments, told):
    with pytest.raises(TransformError, match=told):
        F.kaldi_pitch(torch.zeros(1000), RATE, **arguments)
