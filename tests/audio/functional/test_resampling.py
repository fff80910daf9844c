"""Resampling against torchaudio, soxr, the direct sum of its own definition, and sines."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soxr
import torch
from support.recordings import speech

from domainkit.audio import functional as F
from domainkit.audio.functional._high_quality import BETA, CUTOFF, ZEROS
from domainkit.errors import TransformError

torchaudio = pytest.importorskip("torchaudio")

RATES = [(48000, 16000), (44100, 16000), (16000, 44100), (8000, 16000), (7, 5), (1, 31), (97, 3)]


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("length", [0, 1, 5, 1237])
@pytest.mark.parametrize(
    "options",
    [{}, {"resampling_method": "sinc_interp_kaiser", "lowpass_filter_width": 32, "rolloff": 0.9}],
    ids=["hann", "kaiser"],
)
def test_is_torchaudios(rates, length, options):
    x = noise(2, 3, length)
    mine = F.resample(x, *rates, **options)
    if not length:
        assert mine.shape == (2, 3, 0)
        return
    theirs = torchaudio.functional.resample(x, *rates, **options)
    # torchaudio keeps beta in single precision
    atol = 1e-7 if options else 1e-12
    torch.testing.assert_close(mine, theirs, rtol=0, atol=atol)


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.1, 1.3])
def test_speed_is_torchaudios(factor):
    x, lengths = noise(3, 900), torch.tensor([900, 451, 1])
    mine, n = F.speed(x, 8000, factor, lengths)
    theirs, m = torchaudio.functional.speed(x, 8000, factor, lengths)
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
    assert torch.equal(n, m)
    assert F.speed(x, 8000, factor)[1] is None


@pytest.mark.parametrize("rates", [(3, 1), (441, 160), (160, 441), (2, 5), (1000, 999)])
def test_the_long_filter_is_the_sum_that_it_stands_for(rates):
    o, n = rates
    x = noise(20 * ZEROS * max(o, n) // min(o, n) if max(o, n) < 100 else 20000)
    mine = F.resample(x[None], o, n, resampling_method="high_quality")[0]
    low = min(o, n)
    picked = np.linspace(0, len(mine) - 1, 41).astype(int)
    t = np.arange(len(x)) / o
    for m in picked:
        crossings = (t - m / n) * low * CUTOFF
        inside = np.abs(crossings) < ZEROS
        window = np.i0(BETA * np.sqrt(1 - (crossings[inside] / ZEROS) ** 2)) / np.i0(BETA)
        weights = np.sinc(crossings[inside]) * window * (low * CUTOFF / o)
        # the sum's filter is not quite nothing beyond the limit, and gain 1 up to its ripple
        assert abs(float(mine[m]) - weights @ x.numpy()[inside]) < 2e-5


def level(x: torch.Tensor) -> float:
    """Loudness of the middle against a sine of amplitude 1, in decibels."""
    middle = x[len(x) // 4 : -len(x) // 4]
    return 10 * math.log10(max(2 * float(middle.square().mean()), 1e-30))


@pytest.mark.parametrize(("orig", "new"), [(48000, 16000), (44100, 16000), (16000, 48000)])
def test_the_band_that_both_hold_is_kept_and_the_rest_is_not(orig, new):
    t = torch.arange(2 * orig, dtype=torch.float64) / orig

    def through(hz: float) -> float:
        tone = torch.sin(2 * math.pi * hz * t)
        return level(F.resample(tone, orig, new, resampling_method="high_quality"))

    for hz in (20, 1000, 4000, 7000, 7440):
        assert abs(through(hz)) < 0.01, hz
    assert abs(through(7500)) < 0.1
    if orig > new:
        for hz in (8000, 8100, 9000, 12000, 15999, 20000):
            assert through(hz) < -110, hz


@pytest.mark.parametrize("rate", [16000, 11025, 6000])
def test_speech_is_soxrs(rate):
    x = torch.cat(speech()).double()
    mine = F.resample(x, 8000, rate, resampling_method="high_quality").numpy()
    theirs = soxr.resample(x.numpy(), 8000, rate, quality="VHQ")
    size = min(len(mine), len(theirs))
    window = np.hanning(size)
    # the two fall off differently in the last tenth of the band
    kept = int(0.9 * min(rate, 8000) / rate * (size // 2))
    mine, theirs = mine[:size], theirs[:size]
    error, truth = (np.fft.rfft(v * window)[:kept] for v in (mine - theirs, theirs))
    assert np.linalg.norm(error) < 1e-4 * np.linalg.norm(truth)


def test_a_row_is_the_same_alone_and_beside_others():
    x = noise(9, 30000).float()
    for method in ("sinc_interp_hann", "high_quality"):
        whole = F.resample(x, 441, 160, resampling_method=method)
        torch.testing.assert_close(
            whole[3:4, :3000],
            F.resample(x[3:4, :12000], 441, 160, resampling_method=method)[:, :3000],
            rtol=0,
            atol=2e-6,
        )


def test_both_have_gradients():
    x = noise(1, 23).requires_grad_()
    for method in ("sinc_interp_hann", "high_quality"):
        assert torch.autograd.gradcheck(
            lambda v, m=method: F.resample(v, 3, 2, resampling_method=m), (x,)
        )


def test_half_precision_is_worked_on_in_single():
    x = noise(2, 1000).clamp(-1, 1)
    out = F.resample(x.half(), 3, 1)
    assert out.dtype == torch.float16
    torch.testing.assert_close(out.double(), F.resample(x, 3, 1), rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda x: F.resample(x, 3, 2, rolloff=0.8, resampling_method="high_quality"), "its own"),
        (lambda x: F.resample(x, 0, 2), "orig_freq is a whole number >= 1, got 0"),
        (lambda x: F.resample(x.long(), 3, 2), "divide int16"),
        (lambda x: F.speed(x, 8000, 0.0), "factor is a number above 0, got 0.0"),
    ],
)
def test_what_is_wrong_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call(torch.zeros(10))
