"""Convolution, decibels, mu-law and noise against torchaudio, numpy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from domainkit.audio import functional as F
from domainkit.audio.functional.convolution import _quick_length
from domainkit.errors import TransformError

torchaudio = pytest.importorskip("torchaudio")


def sound(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64) - 0.5


@pytest.mark.parametrize("name", ["convolve", "fftconvolve"])
@pytest.mark.parametrize("mode", ["full", "valid", "same"])
@pytest.mark.parametrize(
    ("x", "y"),
    [((1,), (1,)), ((7,), (3,)), ((3,), (8,)), ((2, 90), (2, 90)), ((3, 2, 50), (1, 2, 71))],
    ids=str,
)
def test_convolution_is_torchaudios(name, mode, x, y):
    x, y = sound(*x), sound(*y, seed=1)
    theirs = getattr(torchaudio.functional, name)(x, y, mode)
    torch.testing.assert_close(getattr(F, name)(x, y, mode), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("taps", [1, 63, 64, 65, 700, 5000])
def test_long_signals_are_numpys_sums(taps):
    x, y = sound(2, 30_000), sound(2, taps, seed=1)
    for function in (F.convolve, F.fftconvolve):
        for a, b in ((x, y), (y, x)):
            done = function(a, b)
            truth = [np.convolve(i, j) for i, j in zip(a.numpy(), b.numpy(), strict=True)]
            torch.testing.assert_close(done, torch.from_numpy(np.stack(truth)), rtol=0, atol=1e-9)
    single = F.fftconvolve(x.float(), y.float()).double()
    exact = F.fftconvolve(x, y)
    assert float((single - exact).abs().max()) < 1e-5 * float(exact.abs().max())


def test_convolution_has_gradients():
    x, y = sound(2, 9000).requires_grad_(), sound(2, 90, seed=1).requires_grad_()
    F.fftconvolve(x, y).square().sum().backward()
    mine = (x.grad, y.grad)
    theirs = torch.autograd.grad(torchaudio.functional.fftconvolve(x, y).square().sum(), (x, y))
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b)
    assert torch.autograd.gradcheck(F.convolve, (sound(6).requires_grad_(), y[:, :3].detach()))


def test_lengths_of_transforms_are_the_next_with_small_factors():
    small = sorted(2**a * 3**b * 5**c for a in range(13) for b in range(8) for c in range(6))
    for least in range(1, 3000):
        assert _quick_length(least) == next(n for n in small if n >= least)


@pytest.mark.parametrize("shape", [(40,), (9, 8), (2, 9, 8), (4, 2, 9, 8), (3, 4, 2, 9, 8)])
@pytest.mark.parametrize("top_db", [None, 3.0])
def test_decibels_are_torchaudios(shape, top_db):
    x = sound(*shape).square()
    given = (10.0, 1e-3, 0.5)
    if len(shape) > 1 or top_db is None:
        theirs = torchaudio.functional.amplitude_to_DB(x, *given, top_db)
        torch.testing.assert_close(F.amplitude_to_DB(x, *given, top_db), theirs)
    for power in (0.5, 1.0):
        theirs = torchaudio.functional.DB_to_amplitude(x * 40, 2.0, power)
        torch.testing.assert_close(F.DB_to_amplitude(x * 40, 2.0, power), theirs)
    torch.testing.assert_close(F.gain(x, -6.0), torchaudio.functional.gain(x, -6.0))


def test_a_quiet_item_of_a_batch_keeps_its_own_floor():
    x = sound(2, 1, 9, 8).square()
    x[1] *= 1e-6
    both = F.amplitude_to_DB(x, 10.0, 1e-12, 0.0, 20.0)
    for i in range(2):
        alone = F.amplitude_to_DB(x[i : i + 1], 10.0, 1e-12, 0.0, 20.0)
        torch.testing.assert_close(both[i : i + 1], alone)


@pytest.mark.parametrize("levels", [2, 16, 256])
def test_mu_law_is_torchaudios(levels):
    x = torch.cat([torch.tensor([-1.0, 0.0, 1.0]).double(), sound(500) * 2])
    codes = F.mu_law_encoding(x, levels)
    assert torch.equal(codes, torchaudio.functional.mu_law_encoding(x, levels))
    back = F.mu_law_decoding(codes, levels)
    torch.testing.assert_close(back, torchaudio.functional.mu_law_decoding(codes, levels))
    assert torch.equal(F.mu_law_encoding(back, levels), codes)


def test_noise_has_the_ratio_that_was_asked_for():
    x, noise, snr = sound(3, 2, 400), sound(3, 2, 400, seed=1), sound(3, 2, seed=2) * 40
    lengths = torch.tensor([[400, 300], [1, 7], [399, 200]])
    for n in (None, lengths):
        theirs = torchaudio.functional.add_noise(x, noise, snr, n)
        inside = torch.arange(400) < (400 if n is None else n[..., None])
        expected = torch.where(inside, theirs, x)  # nothing leaks behind an end
        torch.testing.assert_close(F.add_noise(x, noise, snr, n), expected)
    added = F.add_noise(x, noise, snr) - x
    ratio = 10 * (x.square().sum(-1) / added.square().sum(-1)).log10()
    torch.testing.assert_close(ratio, snr)
    assert torch.equal(F.add_noise(x, noise * 0, snr), x)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: F.convolve(torch.ones(3), torch.ones(2), "wrap"), "one of full, valid, same"),
        (lambda: F.convolve(torch.ones(3), torch.ones(0)), "a sample at least"),
        (lambda: F.fftconvolve(torch.ones(3, 9), torch.ones(2, 9)), r"got \(3, 9\) and \(2, 9\)"),
        (lambda: F.mu_law_encoding(torch.ones(3), 1), "whole number >= 2, got 1"),
        (lambda: F.gain(torch.ones(3, dtype=torch.int16)), "divide int16 samples by 32768"),
        (lambda: F.add_noise(torch.ones(3), torch.ones(2), torch.tensor(1.0)), "cut or repeat it"),
        (lambda: F.add_noise(torch.ones(2, 3), torch.ones(2, 3), torch.ones(3)), "snr has one"),
    ],
)
def test_wrong_input_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
