"""Speeds of a batch: torchaudio's, the laws of the draw, and the same alone as in company."""

from __future__ import annotations

import math

import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms
from support.peers import torchaudio_or_skip

from domainkit.audio.transforms import RandomSpeed, Speed, SpeedPerturbation
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

ITEMS = waveforms((900, 512, 900, 1, 37), channels=2)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "transform",
    [Speed(8000, 1.1), SpeedPerturbation((0.9, 1.0, 1.3)), RandomSpeed(0.5, 2.0, p=0.7)],
    ids=lambda t: type(t).__name__,
)
def test_same_result_in_any_batch(transform, device):
    assert_batch_invariant(transform, ITEMS, atol=2e-6, device=device)


def test_speed_is_torchaudios():
    torchaudio = torchaudio_or_skip()
    out = Speed(16000, 0.9)(Ragged.from_list(ITEMS))
    for mine, item in zip(out, ITEMS, strict=True):
        theirs, _ = torchaudio.transforms.Speed(16000, 0.9)(item)
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


def test_what_is_drawn():
    count = 2000
    x, draws = torch.zeros(count, 1, 100), Draws(seed=1, epoch=0, ids=torch.arange(count))
    x[:, :, 50] = 1
    lengths = RandomSpeed(0.5, 2.0, p=0.25)(x, draws).lengths
    changed = float((lengths != 100).float().mean())
    assert abs(changed - 0.25) < 0.04
    assert int(lengths.min()) >= 50 and int(lengths.max()) <= 200
    # 100 / factor < 80: factor > 1.25, half of the range
    assert abs(float((lengths[lengths != 100] < 80).float().mean()) - 0.5) < 0.07
    three = SpeedPerturbation((0.8, 1.0, 1.25))(x, draws).lengths
    shares = [float((three == n).float().mean()) for n in (125, 100, 80)]
    assert max(abs(share - 1 / 3) for share in shares) < 0.04


def test_what_is_not_chosen_is_kept_bit_by_bit():
    x = Ragged.from_list(ITEMS)
    assert RandomSpeed(p=0.0)(x) is x
    out = RandomSpeed(0.5, 0.6, p=0.5)(x, Draws(seed=3, epoch=0, ids=torch.arange(5)))
    same = [torch.equal(a, b) for a, b in zip(out, x, strict=True)]
    assert 0 < sum(same) < 5


def test_a_tone_rises_with_its_speed():
    t = torch.arange(8000) / 8000
    x = torch.sin(2 * math.pi * 440 * t).expand(3, 1, -1)
    out = RandomSpeed(1.25, 1.25, p=1.0)(x).dense()
    spectrum = torch.fft.rfft(out[0, 0]).abs()
    assert out.shape == (3, 1, 6400) and int(spectrum.argmax()) == round(440 * 1.25 * 0.8)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Speed(8000, 0), "factor is a number above 0, got 0"),
        (lambda: SpeedPerturbation(()), "at least one"),
        (lambda: SpeedPerturbation((1.0, 9.0)), "got 9.0"),
        (lambda: RandomSpeed(1.1, 0.9), "min_factor <= max_factor"),
        (lambda: RandomSpeed(p=1.5), "p in"),
    ],
)
def test_what_is_wrong_is_told(make, told):
    with pytest.raises(TransformError, match=told):
        make()
