"""Speeds of any ratio: sines at their new pitch, the limits, and both ways of reading."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.interpolate import CubicSpline
from support.recordings import speech

from domainkit.audio import functional as F
from domainkit.errors import TransformError


def tone(w: float, count: int = 12000) -> torch.Tensor:
    return torch.sin(w * torch.arange(count, dtype=torch.float64))


@pytest.mark.parametrize("factor", [0.125, 0.5, 0.93, 1.0, math.pi / 3, 1.7, 3.3, 8.0])
@pytest.mark.parametrize("trained", [False, True], ids=["compiled", "torch"])
def test_a_sine_is_read_between_its_samples(factor, trained):
    for part in (0.05, 0.4, 0.8, 0.92):
        w = part * math.pi / max(factor, 1.0)
        x = tone(w, 24000)[None].requires_grad_(trained)
        out, lengths = F.vary_speed(x, torch.tensor([factor], dtype=torch.float64))
        assert lengths.tolist() == [math.ceil(24000 / factor)] == [out.shape[1]]
        truth = torch.sin(w * factor * torch.arange(out.shape[1], dtype=torch.float64))
        edge = int(200 * max(1, 1 / factor))
        assert float((out[0] - truth)[edge:-edge].detach().abs().max()) < 10 ** (-78 / 20)


def test_what_the_new_speed_cannot_hold_is_removed():
    for factor in (1.1, 2.0, 5.0):
        x = tone(1.01 * math.pi / factor)[None]
        out, _ = F.vary_speed(x, torch.tensor([factor]))
        assert float(out[0, 400:-400].abs().max()) < 1e-5


def test_speech_is_a_splines_where_it_is_slow():
    x = F.lowpass_biquad(torch.cat(speech()).double(), 8000, 150.0)
    out, _ = F.vary_speed(x[None], torch.tensor([1.07], dtype=torch.float64))
    places = 1.07 * torch.arange(out.shape[1])
    truth = torch.from_numpy(CubicSpline(range(len(x)), x.numpy())(places.numpy()))
    error = (out[0] - truth)[100:-100]
    assert float(error.norm() / truth.norm()) < 2e-3


def test_each_has_its_own_speed_and_length():
    x = torch.stack([tone(0.3), tone(0.5), tone(0.2)])[:, None].repeat(1, 2, 1)
    lengths = torch.tensor([12000, 5000, 1])
    inside = torch.arange(12000) < lengths[:, None, None]
    x = torch.where(inside, x, 0)
    factors = torch.tensor([0.7, 1.9, 1.0])
    out, after = F.vary_speed(x, factors, lengths)
    assert after.tolist() == [math.ceil(12000 / 0.7), math.ceil(5000 / 1.9), 1]
    for i, n in enumerate(lengths.tolist()):
        alone, _ = F.vary_speed(x[i : i + 1, :, :n], factors[i : i + 1])
        assert alone.shape[2] == int(after[i])
        torch.testing.assert_close(out[i, :, : after[i]], alone[0], rtol=0, atol=1e-7)


def test_it_has_gradients():
    x = tone(0.3, 40)[None].requires_grad_()
    factor = torch.tensor([1.3])
    assert torch.autograd.gradcheck(lambda v: F.vary_speed(v, factor)[0], (x,))


@pytest.mark.parametrize(
    ("factor", "told"),
    [
        (torch.tensor([9.0]), "in \\[1/8, 8\\]"),
        (torch.tensor([math.nan]), "in"),
        (torch.ones(2), "factor for each"),
    ],
)
def test_what_is_wrong_is_told(factor, told):
    with pytest.raises(TransformError, match=told):
        F.vary_speed(torch.zeros(1, 10), factor)
