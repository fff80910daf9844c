"""Filters against torchaudio, scipy and closed forms; gradients; wrong input."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest
import scipy.signal
import torch

from domainkit.audio import functional as F
from domainkit.audio.functional import recursion as module
from domainkit.errors import TransformError

torchaudio = pytest.importorskip("torchaudio")
RATE = 16000
DESIGNS: list[tuple[str, dict[str, Any]]] = [
    ("allpass_biquad", {"central_freq": 900.0, "Q": 1.3}),
    ("band_biquad", {"central_freq": 900.0, "Q": 1.3}),
    ("band_biquad", {"central_freq": 900.0, "noise": True}),
    ("bandpass_biquad", {"central_freq": 900.0}),
    ("bandpass_biquad", {"central_freq": 900.0, "Q": 2.0, "const_skirt_gain": True}),
    ("bandreject_biquad", {"central_freq": 900.0, "Q": 0.5}),
    ("bass_biquad", {"gain": 7.0}),
    ("bass_biquad", {"gain": -7.0, "central_freq": 300.0, "Q": 1.1}),
    ("equalizer_biquad", {"center_freq": 2500.0, "gain": 5.0}),
    ("equalizer_biquad", {"center_freq": 2500.0, "gain": -9.0, "Q": 3.0}),
    ("highpass_biquad", {"cutoff_freq": 300.0}),
    ("lowpass_biquad", {"cutoff_freq": 3000.0, "Q": 1.4}),
    ("treble_biquad", {"gain": 6.0}),
    ("treble_biquad", {"gain": -6.0, "central_freq": 1500.0, "Q": 0.5}),
]


def sound(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(3), dtype=dtype) - 0.5


@pytest.mark.parametrize("shape", [(700,), (2, 700), (3, 2, 700)], ids=str)
@pytest.mark.parametrize(("name", "given"), DESIGNS, ids=lambda v: v if isinstance(v, str) else "")
def test_designs_are_torchaudios(name, given, shape):
    x = sound(*shape) / 4
    theirs = getattr(torchaudio.functional, name)(x, RATE, **given)
    mine = getattr(F, name)(x, RATE, **given)
    assert mine.shape == x.shape and mine.dtype == x.dtype
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-10)
    single = getattr(F, name)(x.float(), RATE, **given)
    torch.testing.assert_close(single.double(), theirs, rtol=0, atol=3e-4)


@pytest.mark.parametrize("rate", [44100, 48000])
def test_curves_of_discs_and_records(rate):
    x = sound(2, 900) / 8
    for name in ("deemph_biquad", "riaa_biquad"):
        theirs = getattr(torchaudio.functional, name)(x, rate)
        torch.testing.assert_close(getattr(F, name)(x, rate), theirs, rtol=0, atol=1e-9)
    tone = torch.sin(2 * math.pi * 1000 * torch.arange(rate, dtype=torch.float64) / rate) / 4
    steady = F.riaa_biquad(tone, rate)[rate // 2 :]
    assert abs(float(steady.abs().max()) - 0.25) < 1e-3  # 0 dB at 1 kHz


def test_a_tone_is_scaled_by_the_response():
    t = torch.arange(RATE, dtype=torch.float64) / RATE
    for tone in (200.0, 1000.0, 5000.0):
        wave = torch.sin(2 * math.pi * tone * t) / 2
        steady = F.lowpass_biquad(wave, RATE, 1000.0)[RATE // 2 :]
        w0 = 2 * math.pi * 1000 / RATE
        alpha, cos = math.sin(w0) / 2 / 0.707, math.cos(w0)
        b, a = [(1 - cos) / 2, 1 - cos, (1 - cos) / 2], [1 + alpha, -2 * cos, 1 - alpha]
        _, (h,) = scipy.signal.freqz(b, a, [tone], fs=RATE)
        # the energy of many whole periods
        assert math.isclose(
            float(steady.square().mean()), abs(h) ** 2 / 8, rel_tol=1e-3, abs_tol=1e-9
        )


@pytest.mark.parametrize("order", [0, 1, 2, 3, 6])
@pytest.mark.parametrize("clamp", [True, False])
def test_lfilter_is_scipys_and_torchaudios(order, clamp):
    generator = np.random.default_rng(order)
    poles = generator.uniform(-0.9, 0.9, order)
    a, b = np.atleast_1d(np.poly(poles)) * 2.0, generator.normal(size=order + 1)
    x = sound(3, 400)
    mine = F.lfilter(x, torch.tensor(a), torch.tensor(b), clamp=clamp)
    truth = torch.from_numpy(scipy.signal.lfilter(b, a, x.numpy()))
    torch.testing.assert_close(mine, truth.clamp(-1, 1) if clamp else truth, rtol=1e-9, atol=1e-9)
    both = F.filtfilt(x, torch.tensor(a), torch.tensor(b), clamp=clamp)
    theirs = torchaudio.functional.filtfilt(x, torch.tensor(a), torch.tensor(b), clamp=clamp)
    torch.testing.assert_close(both, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("batching", [True, False])
def test_banks_of_filters(batching):
    a = torch.tensor([[1.0, -0.5, 0.2], [2.0, 0.3, 0.1], [1.0, 0.0, -0.4]], dtype=torch.float64)
    b = torch.tensor([[0.3, 0.2, 0.1], [1.0, -1.0, 0.5], [0.0, 0.1, 0.9]], dtype=torch.float64)
    x = sound(2, 3, 100)
    mine = F.lfilter(x, a, b, batching=batching)
    theirs = torchaudio.functional.lfilter(x, a, b, batching=batching)
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", [1, 2, 255, 256, 257, 1000])
@pytest.mark.parametrize("order", [1, 2, 5])
def test_the_form_for_other_devices_is_the_same_recursion(length, order):
    a = torch.from_numpy(np.poly(np.linspace(-0.8, 0.95, order)))[None, 1:].repeat(2, 1)
    x = sound(3, 2, length)
    by_blocks = module._in_blocks(x, a)
    torch.testing.assert_close(by_blocks, module._run(x, a), rtol=1e-9, atol=1e-9)


def test_a_resonance_rings_on_for_ever():
    # poles on the unit circle: an impulse becomes a cosine that does not fade
    w = 0.3
    a = torch.tensor([1.0, -2 * math.cos(w), 1.0], dtype=torch.float64)
    b = torch.tensor([1.0, -math.cos(w), 0.0], dtype=torch.float64)
    impulse = torch.zeros(5000, dtype=torch.float64)
    impulse[0] = 1
    expected = torch.cos(w * torch.arange(5000, dtype=torch.float64))
    torch.testing.assert_close(F.lfilter(impulse, a, b, clamp=False), expected, rtol=0, atol=1e-9)


def test_gradients_reach_signal_and_coefficients():
    x = sound(2, 2, 12).requires_grad_()
    a = torch.tensor([[1.5, -0.5, 0.2], [1.0, 0.3, 0.1]], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([[0.3, 0.2, 0.1], [1.0, -1.0, 0.5]], dtype=torch.float64, requires_grad=True)

    def run(*given: torch.Tensor) -> torch.Tensor:
        return F.lfilter(*given, clamp=False)

    assert torch.autograd.gradcheck(run, (x, a, b))
    assert torch.autograd.gradgradcheck(run, (x, a, b))
    cut = torch.tensor(900.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: F.lowpass_biquad(x, RATE, f), (cut,), eps=1e-3)


def test_nothing_is_written_into_what_was_given():
    x, a, b = sound(2, 50), torch.tensor([1.0, -0.5]), torch.tensor([1.0, 0.0])
    kept = x.clone()
    F.lfilter(x, a.double(), b.double())
    F.filtfilt(x, a.double(), b.double())
    assert torch.equal(x, kept)
    assert F.lfilter(x[:, :0], a.double(), b.double()).shape == (2, 0)


def test_what_wants_a_gradient_is_filtered_alike():
    x = sound(3, 500)
    for design in (lambda v: F.lowpass_biquad(v, RATE, 900.0), F.deemphasis):
        wanted = design(x.clone().requires_grad_())
        assert wanted.requires_grad
        torch.testing.assert_close(wanted.detach(), design(x), rtol=0, atol=1e-12)
    broken = x.clone()
    broken[1, 100] = math.nan
    done = F.lowpass_biquad(broken, RATE, 900.0)
    assert torch.equal(done[[0, 2]], F.lowpass_biquad(x, RATE, 900.0)[[0, 2]])
    assert bool(done[1, 100:].isnan().all()) and not bool(done[1, :100].isnan().any())


def test_a_low_cut_off_is_exact_in_float32():
    x = sound(2, 48000)
    exact = F.lowpass_biquad(x, 48000, 20.0)
    single = F.lowpass_biquad(x.float(), 48000, 20.0).double()
    assert float((single - exact).abs().max()) < 1e-5 * float(exact.abs().max())


def test_what_is_infinite_stays_in_its_place():
    x = torch.tensor([math.inf, 0.0, 0.0])
    assert F.lfilter(x, torch.tensor([1.0, -0.5]), torch.tensor([1.0, 0.0])).tolist()[0] == 1
    assert F.biquad(x, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0).tolist()[0] == 1


def test_emphasis_is_undone():
    x = sound(2, 300)
    done = F.preemphasis(x, 0.9)
    torch.testing.assert_close(done, torchaudio.functional.preemphasis(x, 0.9))
    torch.testing.assert_close(F.deemphasis(done, 0.9), x)
    theirs = torchaudio.functional.deemphasis(x)
    torch.testing.assert_close(F.deemphasis(x).clamp(-1, 1), theirs)
    assert float(F.deemphasis(x).abs().max()) > 1


SHARED = sorted(name for name in F.__all__ if hasattr(torchaudio.functional, name))


@pytest.mark.parametrize("name", SHARED)
def test_arguments_are_torchaudios(name):
    mine, theirs = (inspect.signature(getattr(m, name)) for m in (F, torchaudio.functional))
    pairs = [[(p.name, p.default) for p in s.parameters.values()] for s in (mine, theirs)]
    assert pairs[0] == pairs[1]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: F.lowpass_biquad(torch.zeros(9).int(), RATE, 9.0), "floating numbers, got int32"),
        (lambda: F.lowpass_biquad([0.0], RATE, 9.0), "got list"),
        (lambda: F.highpass_biquad(torch.zeros(9), RATE, 8000.0), r"in \(0, 8000\) Hz.*got 8000"),
        (lambda: F.bass_biquad(torch.zeros(9), RATE, 3.0, Q=0), "Q must be above 0"),
        (lambda: F.riaa_biquad(torch.zeros(9), 22050), "must be one of 44100.*got 22050: resample"),
        (lambda: F.lfilter(torch.zeros(9), torch.ones(3), torch.ones(2)), "fill the shorter up"),
        (
            lambda: F.lfilter(torch.zeros(9), torch.ones(2, 3), torch.ones(2, 3)),
            r"\[..., 2, T\], got \(9,\): batching=False",
        ),
    ],
)
def test_wrong_input_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
