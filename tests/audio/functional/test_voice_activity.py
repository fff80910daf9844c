"""``vad`` against torchaudio on synthetic voices; many recordings at once; wrong input."""

from __future__ import annotations

import math

import pytest
import torch

from domainkit.audio import functional as F
from domainkit.audio.functional.voice_activity import VoiceActivity
from domainkit.errors import TransformError

torchaudio = pytest.importorskip("torchaudio")
CASES = [(seed, rate) for rate in (8000, 16000) for seed in range(8)]


def voice(seed: int, rate: int, seconds: float = 4.0) -> torch.Tensor:
    """[C, T]: a glottal tone that comes and goes, from some moment on, in some noise."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.arange(int(seconds * rate)) / rate
    pitch = 100 + 80 * torch.rand(1, generator=generator) * (1 + 0.1 * torch.sin(6 * math.pi * t))
    phase = 2 * math.pi * (pitch / rate).cumsum(0)
    tone = sum(torch.sin(k * phase) / k for k in range(1, 25))
    begin = (0.2, 0.9, 1.7, 2.5)[seed % 4]
    sound = 0.2 * tone * torch.sin(5.4 * math.pi * t + seed).clamp(min=0) * (t > begin)
    channels = 1 + seed % 2
    noise = torch.randn(channels, len(t), generator=generator) * 10 ** -(2 + seed % 3)
    return sound * torch.rand(channels, 1, generator=generator) + noise


@pytest.mark.parametrize(("seed", "rate"), CASES)
def test_it_cuts_where_torchaudio_does(seed, rate):
    x = voice(seed, rate)
    for given in ({}, {"trigger_level": 5.0, "allowed_gap": 0.1, "search_time": 0.5}):
        theirs = torchaudio.functional.vad(x, rate, **given)
        assert torch.equal(F.vad(x, rate, **given), theirs)


def test_many_recordings_are_heard_each_on_its_own():
    voices = [voice(2 * seed, 8000) for seed in range(6)]
    lengths = torch.tensor([v.shape[-1] - 1000 * i for i, v in enumerate(voices)])
    batch = torch.stack(voices)
    starts = VoiceActivity(8000).starts(batch, lengths)
    for x, n, start in zip(voices, lengths.tolist(), starts.tolist(), strict=True):
        assert F.vad(x[:, :n], 8000).shape[-1] == n - start
    assert len(set(starts.tolist())) > 2


def test_shorter_than_a_window_and_silence_leave_nothing():
    assert F.vad(torch.randn(20), 8000).shape == (0,)
    assert F.vad(torch.zeros(2, 20000), 8000).shape == (2, 0)


def test_wrong_input_is_told():
    with pytest.raises(TransformError, match="no band is left"):
        F.vad(torch.zeros(1, 900), 8000, hp_filter_freq=5000.0)
    with pytest.raises(TransformError, match="must be at least 1"):
        F.vad(torch.zeros(1, 900), 8000, measure_freq=1e6)
    with pytest.raises(TransformError, match="floating numbers"):
        F.vad(torch.zeros(1, 900).int(), 8000)
