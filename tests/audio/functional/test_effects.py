"""Effects against torchaudio, closed forms and their laws; gradients; wrong input."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from domainkit.audio import functional as F
from domainkit.audio.functional import delay_line
from domainkit.errors import TransformError

torchaudio = pytest.importorskip("torchaudio")
RATE = 16000
EFFECTS: list[tuple[str, dict[str, Any]]] = [
    ("contrast", {}),
    ("contrast", {"enhancement_amount": 0.0}),
    ("dcshift", {"shift": 0.3}),
    ("dcshift", {"shift": -0.3}),
    ("dcshift", {"shift": 0.3, "limiter_gain": 0.1}),
    ("dcshift", {"shift": -0.6, "limiter_gain": 0.05}),
    ("dcshift", {"shift": 0.0, "limiter_gain": 0.1}),
    ("overdrive", {}),
    ("overdrive", {"gain": 3, "colour": 50}),
    ("phaser", {"sample_rate": RATE}),
    (
        "phaser",
        {"sample_rate": 8000, "sinusoidal": False, "delay_ms": 5, "mod_speed": 2.0, "decay": 0.9},
    ),
    ("flanger", {"sample_rate": RATE}),
    ("flanger", {"sample_rate": RATE, "regen": 60.0, "delay": 3.0}),
    ("flanger", {"sample_rate": 8000, "regen": -60.0, "modulation": "triangular"}),
    (
        "flanger",
        {"sample_rate": 8000, "regen": 50.0, "interpolation": "quadratic", "phase": 80.0},
    ),
    ("flanger", {"sample_rate": 8000, "depth": 10, "speed": 10, "width": 100.0, "phase": 0.0}),
]


def sound(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(*shape, generator=generator, dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize("shape", [(2, 900), (2, 3, 900)], ids=str)
@pytest.mark.parametrize(("name", "given"), EFFECTS, ids=lambda v: v if isinstance(v, str) else "")
def test_effects_are_torchaudios(name, given, shape):
    x = sound(*shape)
    kept = x.clone()
    mine = getattr(F, name)(x, **given)
    assert torch.equal(x, kept)
    # a table in float32 makes flangers differ by its last bit
    theirs = getattr(torchaudio.functional, name)(x.clone(), **given)
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-6 if name == "flanger" else 1e-12)
    single = getattr(F, name)(x.float(), **given)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), mine, rtol=0, atol=1e-5)


def test_one_channel_may_come_without_its_dimension():
    x = sound(700)
    assert torch.equal(F.flanger(x, RATE), F.flanger(x[None], RATE)[0])
    assert torch.equal(F.phaser(x, RATE), F.phaser(x[None], RATE)[0])


@pytest.mark.parametrize("length", [1, 255, 256, 700])
@pytest.mark.parametrize("shortest", [1, 3, 300])
def test_the_delay_line_for_other_devices_is_the_same_recursion(length, shortest):
    generator = torch.Generator().manual_seed(length)
    x = sound(3, 2, length)
    delays = torch.randint(shortest, shortest + 40, (2, 3, length), generator=generator)
    weights = torch.rand(2, 3, length, generator=generator, dtype=torch.float64) / 3
    quick = delay_line.feed_back(x, delays, weights, -0.9)
    by_blocks = delay_line._in_blocks(x, delays, weights * -0.9)
    torch.testing.assert_close(by_blocks, quick, rtol=1e-10, atol=1e-10)
    plain = x.clone()
    for t in range(length):
        for k in range(3):
            for c in range(2):
                at = t - int(delays[c, k, t])
                if at >= 0:
                    plain[:, c, t] += -0.9 * weights[c, k, t] * plain[:, c, at]
    torch.testing.assert_close(quick, plain, rtol=1e-10, atol=1e-10)


def test_a_still_flanger_is_a_comb():
    # without depth the delay is 5 ms: notches where half a period is 5 ms
    t = torch.arange(4 * RATE, dtype=torch.float64) / RATE
    for hertz, loud in ((100.0, 0.0), (200.0, 1.0)):
        tone = torch.sin(2 * math.pi * hertz * t) / 2
        done = F.flanger(tone[None], RATE, delay=5.0, depth=0.0, width=100.0)
        torch.testing.assert_close(done[0, RATE:], loud * tone[RATE:], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["contrast", "overdrive", "phaser", "flanger"])
def test_gradients(name):
    given = {"regen": 50.0} if name == "flanger" else {}
    more = (8000,) if name in ("phaser", "flanger") else ()
    x = (sound(2, 60) / 4).requires_grad_()
    call = getattr(F, name)
    if name == "overdrive":
        given = {"gain": 0.0}
    assert torch.autograd.gradcheck(lambda v: call(v, *more, **given), (x,))


@pytest.mark.parametrize(("law", "variance"), [("TPDF", 1 / 6), ("RPDF", 1 / 12), ("GPDF", 1 / 4)])
def test_dither_makes_the_error_independent(law, variance):
    torch.manual_seed(0)
    count = 200_000
    for level in (0.0, 0.25, 0.5):
        x = torch.full((count,), level / 32768, dtype=torch.float64)
        out = F.dither(x, law) * 32768
        assert torch.equal(out, out.round())
        error = out - level
        # of independent draws; a sound's mean comes through whatever its level is
        assert abs(float(error.mean())) < 5 * math.sqrt(0.4 / count)
        if law != "RPDF":  # a uniform leaves the variance dependent on the level
            assert abs(float(error.var()) - variance - 1 / 12) < 0.01
    assert not torch.equal(F.dither(x, law), F.dither(x, law))


def test_shaped_noise_lies_high():
    torch.manual_seed(0)
    x = torch.rand(1 << 16, dtype=torch.float64) * 1e-2
    plain, shaped = (F.dither(x, noise_shaping=s) - x for s in (False, True))
    spectra = [torch.fft.rfft(e).abs().square() for e in (plain, shaped)]
    low, high = (
        [float(s[part].mean()) for s in spectra] for part in (slice(1, 2000), slice(-2000, None))
    )
    assert low[1] < low[0] / 50 and high[1] > 3 * high[0]
    # the errors add up to a single one: nothing is lost over time
    assert float((shaped.cumsum(-1) * 32768).abs().max()) < 1.5 + 1e-6


def test_dither_stays_within_16_bits():
    out = F.dither(torch.tensor([[-2.0, -1.0, 1.0, 3.0]]))
    assert float(out.min()) == -1 and float(out.max()) == 1 - 2**-15


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda x: F.contrast(x, 101), "0..100, got 101"),
        (lambda x: F.dcshift(x, 3.0), "-2..2, got 3"),
        (lambda x: F.overdrive(x, colour=-1), "colour is in 0..100"),
        (lambda x: F.dither(x, "PDF"), "one of TPDF, RPDF, GPDF"),
        (lambda x: F.flanger(x, RATE, delay=31), "delay is in 0..30"),
        (lambda x: F.flanger(x, RATE, regen=99), "regen is in -95..95"),
        (lambda x: F.flanger(x, RATE, modulation="square"), "sinusoidal or triangular"),
        (lambda x: F.phaser(x, RATE, decay=1.0), "decay is in 0..0.99"),
        (lambda x: F.phaser(x, RATE, delay_ms=0), "no sample at 16000"),
        (lambda x: F.overdrive(x.int()), "floating numbers, got int32"),
    ],
)
def test_wrong_input_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call(torch.zeros(2, 9))
