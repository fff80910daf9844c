"""Pitch: a tone comes out where it should, as loud and as long; and the laws of the draw."""

from __future__ import annotations

import math

import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms

from domainkit.audio import functional as F
from domainkit.audio.transforms import PitchShift, RandomPitch
from domainkit.draws import Draws
from domainkit.errors import TransformError

RATE = 16000
SECOND = torch.arange(RATE, dtype=torch.float64) / RATE


def peak(x: torch.Tensor) -> float:
    """Hz of the strongest tone."""
    spectrum = torch.fft.rfft(x * torch.hann_window(len(x), dtype=x.dtype), 1 << 19).abs()
    return int(spectrum.argmax()) * RATE / (1 << 19)


@pytest.mark.parametrize("steps", [-12, -7, -1, 0.25, 1, 4, 7, 12])
@pytest.mark.parametrize("hz", [110.0, 440.0, 1234.5, 3000.0])
def test_a_tone_is_where_it_should_be_and_as_loud(steps, hz):
    tone = torch.sin(2 * math.pi * hz * SECOND)
    out = F.pitch_shift(tone, RATE, steps)
    assert out.shape == tone.shape
    middle = slice(2000, -2000)
    assert peak(out[middle]) == pytest.approx(hz * 2 ** (steps / 12), rel=1e-3)
    level = 20 * math.log10(float(out[middle].norm() / tone[middle].norm()))
    assert abs(level) < 0.5


def test_what_goes_beyond_the_limit_is_left_out():
    tone = torch.sin(2 * math.pi * 5000 * SECOND)
    assert float(F.pitch_shift(tone, RATE, 12)[2000:-2000].abs().max()) < 0.02


def test_bursts_stay_in_time():
    x = torch.zeros(RATE, dtype=torch.float64)
    for start in (1000, 6000, 11000):
        x[start : start + 3000] = torch.sin(2 * math.pi * 500 * SECOND[:3000])
    for steps in (-5, 5):
        loud = F.pitch_shift(x, RATE, steps).square().unfold(0, 400, 200).sum(1)
        own = x.square().unfold(0, 400, 200).sum(1)
        assert float((loud * own).sum() / (loud.norm() * own.norm())) > 0.97


def test_no_steps_change_nothing_and_gradients_reach_the_waveform():
    x = torch.randn(2, 3000, requires_grad=True)
    assert F.pitch_shift(x, RATE, 0) is x
    F.pitch_shift(x, RATE, 3).square().sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all()) and float(x.grad.norm()) > 0


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "transform", [PitchShift(RATE, 3), RandomPitch(RATE, p=0.7)], ids=["fixed", "drawn"]
)
def test_same_result_in_any_batch(transform, device):
    items = waveforms((3000, 1512, 3000, 1, 637), channels=2)
    assert_batch_invariant(transform, items, atol=1e-5, device=device)


def test_what_is_drawn():
    count = 60
    x = torch.sin(2 * math.pi * 1000 * SECOND[:3000]).expand(count, 1, -1)
    out = RandomPitch(RATE, -3.0, 5.0, p=0.6)(x, Draws(1, 0, torch.arange(count)))[:, 0]
    changed = (out != x[:, 0]).any(1)
    assert abs(float(changed.double().mean()) - 0.6) < 0.17
    steps = torch.tensor([12 * math.log2(peak(row[500:-500]) / 1000) for row in out[changed]])
    assert -3.1 < float(steps.min()) < -2 and 4 < float(steps.max()) < 5.1
    assert abs(float(steps.mean()) - 1) < 0.8
    assert float((steps * 8 - (steps * 8).round()).abs().max()) < 0.25


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: PitchShift(0, 3), "sample_rate is a whole number >= 1"),
        (lambda: RandomPitch(RATE, 3.0, 1.0), "min_semitones <= max_semitones"),
        (lambda: RandomPitch(RATE, p=3.0), "p in"),
        (lambda: F.pitch_shift(torch.zeros(9), RATE, 2, n_fft=3), "n_fft is a whole number >= 4"),
    ],
)
def test_what_is_wrong_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
