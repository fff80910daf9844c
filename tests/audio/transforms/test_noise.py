"""Noise: its ratio, its source, its laws, and the same alone as in company."""

from __future__ import annotations

import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms

from domainkit.audio.transforms import RandomNoise
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

ITEMS = waveforms((900, 512, 900, 1, 37), channels=2)
BANK = Ragged.from_list([torch.arange(1.0, 6.0), -torch.arange(1.0, 2000.0)])


def ratio(clean: torch.Tensor, noisy: torch.Tensor) -> torch.Tensor:
    return 10 * (clean.square().sum() / (noisy - clean).square().sum()).log10()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("bank", [None, BANK], ids=["white", "bank"])
def test_same_result_in_any_batch(bank, device):
    assert_batch_invariant(RandomNoise(noises=bank, p=0.7), ITEMS, atol=1e-6, device=device)


@pytest.mark.parametrize("bank", [None, BANK], ids=["white", "bank"])
def test_the_ratio_is_the_one_that_was_drawn(bank):
    clean = Ragged.from_list([item for item in ITEMS if item.shape[1] > 1])
    noisy = RandomNoise(7.0, 7.0, bank, p=1.0)(clean)
    for a, b in zip(clean, noisy, strict=True):
        assert abs(float(ratio(a, b)) - 7) < 1e-3
        assert torch.allclose((b - a)[0], (b - a)[1], atol=1e-6)  # channels hear the same noise


def test_what_is_drawn():
    count = 1500
    clean, draws = torch.ones(count, 1, 64), Draws(seed=2, epoch=0, ids=torch.arange(count))
    noisy = RandomNoise(0.0, 30.0, p=0.4)(clean, draws)
    snr = torch.stack([ratio(a, b) for a, b in zip(clean, noisy, strict=True)])
    changed = torch.isfinite(snr)
    assert abs(float(changed.float().mean()) - 0.4) < 0.04
    assert abs(float(snr[changed].mean()) - 15) < 1.2
    assert float(snr[changed].min()) < 1 and float(snr[changed].max()) > 29
    white = (noisy - clean)[changed][:, 0]
    white = white / white.std(1, keepdim=True)
    assert abs(float((white[:, 1:] * white[:, :-1]).mean())) < 0.02
    assert abs(float(white.pow(4).mean()) - 3) < 0.2


def test_pieces_of_the_bank_begin_anywhere_and_go_round():
    clean = torch.zeros(200, 1, 10, dtype=torch.float64)
    clean[:, :, 0] = 1
    noise = RandomNoise(0.0, 0.0, BANK, p=1.0)(clean, Draws(1, 0, torch.arange(200))) - clean
    short = noise[noise[:, 0, 0] > 0][:, 0]
    assert 60 < len(short) < 140
    starts = (short / short.min(1, keepdim=True).values).round()
    assert set(starts[:, 0].tolist()) == {1.0, 2.0, 3.0, 4.0, 5.0}
    for row in starts:
        assert torch.equal(row, (row[0] - 1 + torch.arange(10)) % 5 + 1)


def test_silence_stays_silent():
    x = torch.zeros(3, 1, 50)
    assert torch.equal(RandomNoise(p=1.0)(x), x)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"min_snr_db": 9.0, "max_snr_db": 1.0}, "min_snr_db <= max_snr_db"),
        ({"p": -0.1}, "p in"),
        ({"noises": torch.zeros(3)}, "Ragged of items"),
        ({"noises": Ragged.from_list([torch.zeros(0)])}, "a sample in each"),
    ],
)
def test_what_is_wrong_is_told(arguments, told):
    with pytest.raises(TransformError, match=told):
        RandomNoise(**arguments)


def test_missing_channels_do_not_count_and_silence_has_gradients():
    one, two = waveforms((800, 900))[0], waveforms((900,), channels=2)[0]
    noise = RandomNoise(10.0, 10.0, p=1.0)
    both = noise(Ragged.from_list([one, two]), Draws(1, 0, torch.arange(2)))
    alone = noise(one[None], Draws(1, 0, torch.arange(1)))
    torch.testing.assert_close(both[0], alone[0], rtol=0, atol=1e-6)
    assert abs(float(ratio(two, both[1])) - 10) < 1e-3
    x = torch.stack([one, torch.zeros_like(one)]).requires_grad_()
    RandomNoise(10.0, 10.0, p=1.0)(x).sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all())
