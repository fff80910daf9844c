"""Crops: which samples, how often, and what a short recording is filled with."""

from __future__ import annotations

import pytest
import torch
from support.audio_batches import DEVICES

from domainkit.audio.transforms import CenterCrop, RandomCrop
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

LENGTHS = (20, 7, 5, 4, 1)


def ramps() -> Ragged:
    return Ragged.from_list([torch.arange(1.0, n + 1).expand(2, -1) for n in LENGTHS])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("mode", ["zeros", "repeat"])
def test_a_piece_is_its_recordings_own(mode, device):
    x = ramps().to(device)
    draws = Draws(0, 0, torch.arange(5))
    out = RandomCrop(5, mode)(x, draws).cpu()
    assert out.shape == (5, 2, 5)
    for i, n in enumerate(LENGTHS):
        start = int(out[i, 0, 0])
        truth = torch.arange(start, start + 5)
        if n < 5:
            assert start == 1
            truth = torch.tensor(
                [(k % n) + 1 if mode == "repeat" or k < n else 0 for k in range(5)]
            )
        assert out[i].tolist() == [truth.tolist()] * 2
        alone = RandomCrop(5, mode)(ramps()[[i]], Draws(0, 0, torch.tensor([i])))
        assert torch.equal(alone[0], out[i])


def test_every_place_is_as_probable():
    x = torch.arange(10.0).expand(6000, 1, -1)
    first = RandomCrop(4)(x, Draws(3, 0, torch.arange(6000)))[:, 0, 0]
    shares = torch.bincount(first.long()) / 6000
    assert len(shares) == 7 and float((shares - 1 / 7).abs().max()) < 0.02


def test_the_middle():
    out = CenterCrop(5)(ramps())
    assert out[:, 0].tolist() == [
        [8, 9, 10, 11, 12], [2, 3, 4, 5, 6], [1, 2, 3, 4, 5], [1, 2, 3, 4, 0], [1, 0, 0, 0, 0],
    ]  # fmt: skip
    assert CenterCrop(3)(torch.zeros(2, 1, 0)).tolist() == [[[0, 0, 0]]] * 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [((0,), "num_samples is a whole number above 0"), ((3, "wrap"), "'zeros' or 'repeat'")],
)
def test_what_is_wrong_is_told(arguments, told):
    with pytest.raises(TransformError, match=told):
        RandomCrop(*arguments)
