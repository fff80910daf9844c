"""Rooms: time, energy, the bank's own fading, and the same alone as in company."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms

from domainkit.audio.transforms import RandomRoomResponse
from domainkit.audio.transforms._rooms import BEFORE, rooms
from domainkit.audio.transforms.room_response import ROOMS, _simulated
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

OWN = Ragged.from_list([torch.tensor([0.0, 0.1, 2.0, 0.5]), torch.tensor([1.0])])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("bank", [None, OWN], ids=["simulated", "own"])
def test_same_result_in_any_batch(bank, device):
    items = waveforms((3000, 1512, 3000, 1, 637), channels=2)
    transform = RandomRoomResponse(8000, 0.1, 0.2, bank, p=0.7)
    assert_batch_invariant(transform, items, atol=1e-5, device=device)


def test_a_given_response_is_convolved_and_its_peak_stays_in_time():
    x = torch.stack(waveforms((500, 500), dtype=torch.float64))
    response = OWN[0].double()
    out = RandomRoomResponse(8000, responses=response[None], p=1.0)(x)
    for mine, item in zip(out, x, strict=True):
        wet = np.convolve(item[0].numpy(), response.numpy())[2 : 2 + 500]
        wet *= float(item.norm()) / np.linalg.norm(wet)
        np.testing.assert_allclose(mine[0].numpy(), wet, atol=1e-9)


def test_the_simulated_rooms_fade_as_long_as_they_were_asked_to():
    for shortest, longest in ((0.1, 0.2), (0.3, 0.5)):
        bank, direct = _simulated(16000, shortest, longest, torch.device("cpu"))
        assert len(bank) == ROOMS
        left = bank.double().square().flip(1).cumsum(1).flip(1)
        decibels = 10 * (left / left[:, :1]).log10()
        # Schroeder's curve between -5 and -25 dB, as ISO 3382 takes it
        at = [(decibels < level).float().argmax(1) for level in (-5, -25)]
        seconds = 3 * (at[1] - at[0]) / 16000
        assert shortest / 2 < float(seconds.median()) < longest * 1.3
        # the direct sound is the first that is heard: 0.5 m to 17 m away
        first = (bank.abs() > 0.2 * bank.abs().amax(1, keepdim=True)).float().argmax(1)
        assert bool(((first - direct).abs() <= 2).float().mean() > 0.9)
        assert set(direct.tolist()) == {BEFORE}


def test_what_is_drawn():
    count = 400
    x = torch.zeros(count, 1, 2000)
    x[:, :, 300] = 1
    out = RandomRoomResponse(8000, p=0.3)(x, Draws(2, 0, torch.arange(count)))
    changed = (out != x).any(2)[:, 0]
    assert abs(float(changed.float().mean()) - 0.3) < 0.08
    assert len(torch.unique(out[changed][:, 0, 300:330], dim=0)) > 40
    assert torch.allclose(out.square().sum(2), torch.ones(count, 1), atol=1e-4)
    assert float(out[changed][:, 0, :255].abs().max()) < 0.02  # nothing comes early


def test_silence_stays_silent_and_gradients_pass():
    x = torch.zeros(2, 1, 400)
    assert torch.equal(RandomRoomResponse(8000, p=1.0)(x), x)
    x = torch.randn(2, 1, 400, requires_grad=True)
    RandomRoomResponse(8000, p=1.0)(x).square().sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"sample_rate": 0}, "sample_rate is a whole number above 0"),
        ({"min_reverberation": 0.9}, "0.05 <= min_reverberation <= max"),
        ({"max_reverberation": math.inf}, "<= 2 seconds, got 0.1 and inf"),
        ({"responses": torch.zeros(4)}, "a Ragged of items"),
        ({"p": 3.0}, "p in"),
    ],
)
def test_what_is_wrong_is_told(arguments, told):
    with pytest.raises(TransformError, match=told):
        RandomRoomResponse(**{"sample_rate": 8000, **arguments})


def test_rooms_decay_in_the_time_that_was_asked_for():
    for seconds in (0.2, 0.5, 1.0):
        bank = rooms(16000, 16, (seconds, seconds), ((3.0, 3.0, 2.5), (10.0, 8.0, 4.0))).double()
        left = bank.square().flip(1).cumsum(1).flip(1)
        decibels = 10 * (left / left[:, :1]).log10()
        at = [(decibels > level).sum(1) for level in (-5, -25)]
        times = 3 * (at[1] - at[0]) / 16000
        assert abs(float(times.median()) / seconds - 1) < 0.15


def test_rooms_are_the_same_every_time_and_differ_from_each_other():
    sizes = ((3.0, 3.0, 2.5), (10.0, 8.0, 4.0))
    bank = rooms(8000, 8, (0.2, 0.4), sizes)
    assert torch.equal(bank, rooms.__wrapped__(8000, 8, (0.2, 0.4), sizes))
    assert bank.shape == (8, 3240) and bank.dtype == torch.float32
    assert not torch.allclose(bank[0], bank[1])
