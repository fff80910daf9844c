"""Gain and RandomGain: decibels by their definition, draws by their distribution."""

from __future__ import annotations

import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms

from domainkit.audio.transforms import Gain, RandomGain
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged


def draws(n: int) -> Draws:
    return Draws(seed=0, epoch=0, ids=torch.arange(n))


@pytest.mark.parametrize(("db", "factor"), [(0.0, 1.0), (20.0, 10.0), (-40.0, 0.01)])
def test_gain_is_a_factor_of_ten_per_twenty_decibels(db: float, factor: float) -> None:
    x = torch.tensor([[[0.5, -0.25, 1.0]]], dtype=torch.float64)
    torch.testing.assert_close(Gain(db)(x), x * factor)
    ragged = Gain(db)(Ragged.from_list([x[0], x[0, :, :2]]))
    torch.testing.assert_close(ragged[1], x[0, :, :2] * factor)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("transform", [Gain(-3.0), RandomGain(-12.0, 6.0, p=0.6)])
def test_same_result_in_any_batch(transform: Gain | RandomGain, device: str) -> None:
    assert_batch_invariant(transform, waveforms(channels=2), atol=1e-6, device=device)


def test_random_gain_draws_decibels_uniformly_in_a_share_p_of_the_samples() -> None:
    n = 4000
    out = RandomGain(-10.0, 5.0, p=0.25)(torch.ones(n, 1, 1), draws(n)).flatten()
    changed = out[out != 1]
    assert abs(len(changed) / n - 0.25) < 4 * (0.25 * 0.75 / n) ** 0.5
    db = 20 * changed.log10()
    assert db.min() >= -10.001 and db.max() <= 5.001
    # of a uniform distribution: mean and standard deviation, four standard errors wide
    assert abs(db.mean() + 2.5) < 4 * 15 / 12**0.5 / len(db) ** 0.5
    assert abs(db.std() - 15 / 12**0.5) < 0.4


def test_random_gain_is_one_factor_per_sample() -> None:
    x = torch.rand(8, 2, 50) + 0.1
    ratio = RandomGain(-6.0, 6.0, p=1.0)(x, draws(8)) / x
    torch.testing.assert_close(ratio, ratio[:, :1, :1].expand_as(ratio))
    assert len(ratio[:, 0, 0].unique()) == 8


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_p_of_zero_and_one(p: float) -> None:
    out = RandomGain(3.0, 6.0, p=p)(torch.ones(500, 1, 1), draws(500))
    assert bool((out == 1).all()) if p == 0 else bool((out > 1.41).all())


def test_wrong_arguments() -> None:
    with pytest.raises(TransformError, match="min_db <= max_db"):
        RandomGain(3.0, -3.0)
    with pytest.raises(TransformError, match=r"p in \[0, 1\], got 1\.5"):
        RandomGain(p=1.5)
