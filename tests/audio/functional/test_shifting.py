"""pitch_shift: tones by their closed form, and the law of one row and many."""

from __future__ import annotations

import math

import pytest
import torch
from support.recordings import sound

from domainkit.audio import functional as F
from domainkit.audio.functional.shifting import plan_shift
from domainkit.errors import TransformError

RATE = 16000


def tone(hertz: float, seconds: float = 2.0) -> torch.Tensor:
    t = torch.arange(int(seconds * RATE), dtype=torch.float64) / RATE
    return torch.sin(2 * math.pi * hertz * t)


def frequency(x: torch.Tensor) -> float:
    """Of the loudest tone, in Hz: a parabola through the peak of a long spectrum."""
    count = 1 << 18
    window = torch.hann_window(len(x), dtype=x.dtype)
    bins = torch.fft.rfft(x * window, count).abs()
    k = int(bins.argmax())
    a, b, c = bins[k - 1 : k + 2].log().tolist()
    return (k + (a - c) / (2 * (a - 2 * b + c))) * RATE / count


@pytest.mark.parametrize("n_steps", [-12, -7, -4, -1, 1, 3, 4, 5, 7, 11, 12, 0.5])
@pytest.mark.parametrize("hertz", [220.0, 1000.3, 2500.0])
def test_a_tone_comes_out_higher_and_as_loud(n_steps, hertz):
    x = tone(hertz)
    y = F.pitch_shift(x, RATE, n_steps)
    assert y.shape == x.shape
    inner = y[6000:-6000]
    assert frequency(inner) == pytest.approx(hertz * 2 ** (n_steps / 12), rel=1e-3)
    level = 20 * math.log10(float(inner.square().mean().sqrt()) * 2**0.5)
    assert abs(level) < 0.1  # decibels


def test_other_settings():
    x = tone(440.0)
    window = torch.hamming_window(700, dtype=torch.float64)
    y = F.pitch_shift(x, RATE, 5, 24, n_fft=1024, win_length=700, hop_length=175, window=window)
    assert frequency(y[6000:-6000]) == pytest.approx(440 * 2 ** (5 / 24), rel=1e-3)
    assert torch.equal(F.pitch_shift(x, RATE, 0), x)


def test_what_lies_above_the_highest_frequency_is_left_out():
    y = F.pitch_shift(tone(5000.0), RATE, 12)
    assert float(y[4000:-4000].abs().max()) < 1e-3


def test_rows_do_not_know_each_other():
    x = torch.from_numpy(sound(12000, 3, RATE)).double().T.contiguous()
    both = F.pitch_shift(x.view(3, 1, -1), RATE, 3)
    for i in range(3):
        torch.testing.assert_close(both[i, 0], F.pitch_shift(x[i], RATE, 3), rtol=0, atol=1e-12)
    longer = F.pitch_shift(torch.nn.functional.pad(x, (0, 5000)), RATE, 3)
    torch.testing.assert_close(longer[:, :12000], both[:, 0], rtol=0, atol=1e-10)
    single = F.pitch_shift(x.float(), RATE, 3).double()
    assert float((single - both[:, 0]).abs().max()) < 1e-2  # quiet bins have phases by chance


@pytest.mark.parametrize("n_steps", [-4, 4])
def test_a_long_tone_keeps_its_loudness(n_steps):
    """In a minute its bins must not fall out of step: it was 12 dB softer at the end."""
    y = F.pitch_shift(tone(300.0, 60.0).float(), RATE, n_steps)[8000:-8000]
    loudness = y.unfold(0, 1600, 1600).square().mean(1)
    assert float(loudness.max() / loudness.min()) < 1.05


def test_gradients_are_finite():
    x = torch.cat([tone(300.0, 0.2), torch.zeros(900)]).requires_grad_()
    F.pitch_shift(x, RATE, 4).square().sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all()) and float(x.grad.abs().sum()) > 0


@pytest.mark.parametrize("steps", range(-14, 15))
def test_plans_are_near_the_ratio(steps):
    plan = plan_shift(2 ** (steps / 12), 512)
    assert abs(plan.size / plan.new_size / 2 ** (steps / 12) - 1) < 5e-4
    assert plan.size >= 512 and plan.new_size / plan.new_hop == pytest.approx(4, rel=0.6)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: F.pitch_shift(torch.ones(9).int(), RATE, 4), "divide int16"),
        (lambda: F.pitch_shift(torch.ones(9), RATE, 4, 0), "bins_per_octave is a whole number"),
        (lambda: F.pitch_shift(torch.ones(9), RATE, 4, n_fft=2), "n_fft is a whole number >= 4"),
        (lambda: F.pitch_shift(torch.ones(9), RATE, 4, win_length=600), "at most|1 to n_fft"),
        (lambda: F.pitch_shift(torch.ones(9), RATE, 900), "fewer steps"),
    ],
)
def test_wrong_input_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
