"""Resampling on load: soxr's numbers, and a sine that is a sine of the other rate."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import soxr
import torch
from support.recordings import encoded

from domainkit.audio import load, save
from domainkit.audio.codec import encode_wav


@pytest.mark.parametrize("goal", [8000, 22050, 48000])
def test_it_is_soxr_on_the_part(goal: int) -> None:
    data = encoded("FLAC", "PCM_16", 16000, 2)
    part, _ = load(data, 5000, 20_000)
    made, rate = load(data, 5000, 20_000, sample_rate=goal)
    truth = soxr.resample(np.ascontiguousarray(part.numpy().T), 16000, goal, quality="HQ")
    assert rate == goal and made.is_contiguous()
    assert np.array_equal(made.numpy().T, truth)
    ints, _ = load(data, 5000, 20_000, sample_rate=goal, dtype=torch.int16)
    assert torch.equal(ints, (made * 32768).round().clamp(-32768, 32767).to(torch.int16))


@pytest.mark.parametrize(("rate", "goal"), [(44100, 16000), (16000, 44100), (48000, 8000)])
def test_a_sine_stays_one(rate: int, goal: int) -> None:
    hertz = 0.9 * min(rate, goal) / 2
    wave = 0.5 * torch.sin(2 * math.pi * hertz * torch.arange(rate, dtype=torch.float64) / rate)
    made, _ = load(encode_wav(wave[None], rate), sample_rate=goal)
    assert made.shape == (1, goal)
    true = 0.5 * torch.sin(2 * math.pi * hertz * torch.arange(goal, dtype=torch.float64) / goal)
    middle = slice(goal // 4, -goal // 4)
    assert (made[0] - true)[middle].abs().max() < 6e-4  # 0.01 dB of 0.5


def test_what_would_alias_is_gone() -> None:
    rate, goal = 48000, 16000
    wave = 0.5 * torch.sin(2 * math.pi * 9000 * torch.arange(rate, dtype=torch.float64) / rate)

    file = io.BytesIO()
    save(file, wave[None], rate, format="wav")
    made, _ = load(file.getvalue(), sample_rate=goal)
    assert made[0, goal // 4 : -goal // 4].abs().max() < 0.5 * 10 ** (-100 / 20)


def test_the_same_rate_changes_nothing() -> None:
    data = encoded("WAV", "PCM_16", 16000)
    assert torch.equal(load(data, sample_rate=16000)[0], load(data)[0])
