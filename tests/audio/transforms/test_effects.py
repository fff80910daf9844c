"""Effects: each against the function of torchaudio that it stands for; lengths; wrong words."""

from __future__ import annotations

import math
import pickle

import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms

from domainkit.audio import functional as F
from domainkit.audio.transforms import Effects
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

torchaudio = pytest.importorskip("torchaudio")
A, TT = torchaudio.functional, torchaudio.transforms
RATE = 16000
ITEMS = waveforms((3000, 1601, 3000, 799, 2400), channels=2)


def octaves(width: float, hertz: float) -> float:
    """Q by the cookbook: 1/Q = 2 sinh(ln 2 / 2 * width * w / sin w)."""
    w = 2 * math.pi * hertz / RATE
    return 1 / (2 * math.sinh(math.log(2) / 2 * width * w / math.sin(w)))


def slope(s: float, db: float) -> float:
    a = 10 ** (db / 40)
    return 1 / math.sqrt((a + 1 / a) * (1 / s - 1) + 2)


CASES = {
    "gain -3": lambda x: A.gain(x, -3.0),
    "gain": lambda x: x,
    "vol 0.5": TT.Vol(0.5),
    "vol 20dB": TT.Vol(20.0, "db"),
    "vol -6 dB": TT.Vol(-6.0, "db"),
    "vol 4 power": TT.Vol(4.0, "power"),
    "lowpass 3000": lambda x: A.lowpass_biquad(x, RATE, 3000.0),
    "lowpass -2 3k 0.5": lambda x: A.lowpass_biquad(x, RATE, 3000.0, 0.5),
    "lowpass 3k 1o": lambda x: A.lowpass_biquad(x, RATE, 3000.0, octaves(1, 3000)),
    "highpass 300 600h": lambda x: A.highpass_biquad(x, RATE, 300.0, 0.5),
    "highpass .3k 2q": lambda x: A.highpass_biquad(x, RATE, 300.0, 2.0),
    "bandpass 1k 500": lambda x: A.bandpass_biquad(x, RATE, 1000.0, 2.0),
    "bandpass -c 1k 4q": lambda x: A.bandpass_biquad(x, RATE, 1000.0, 4.0, True),
    "bandreject 1k 0.25k": lambda x: A.bandreject_biquad(x, RATE, 1000.0, 4.0),
    "band 1k": lambda x: A.band_biquad(x, RATE, 1000.0, 2.0),
    "band -n 1k 3q": lambda x: A.band_biquad(x, RATE, 1000.0, 3.0, True),
    "band 1k 1o": lambda x: A.band_biquad(x, RATE, 1000.0, math.sqrt(2)),
    "allpass 700 350": lambda x: A.allpass_biquad(x, RATE, 700.0, 2.0),
    "bass 6": lambda x: A.bass_biquad(x, RATE, 6.0, 100, slope(0.5, 6)),
    "bass -4 200 0.8q": lambda x: A.bass_biquad(x, RATE, -4.0, 200, 0.8),
    "treble 6 2k": lambda x: A.treble_biquad(x, RATE, 6.0, 2000, slope(0.5, 6)),
    "treble -9 2k 0.9": lambda x: A.treble_biquad(x, RATE, -9.0, 2000, slope(0.9, -9)),
    "equalizer 1k 2 6": lambda x: A.equalizer_biquad(x, RATE, 1000.0, 6.0, 2.0),
    "equalizer 1k 1o -6": lambda x: A.equalizer_biquad(x, RATE, 1000.0, -6.0, octaves(1, 1000)),
    "contrast": A.contrast,
    "contrast 20": lambda x: A.contrast(x, 20.0),
    "dcshift 0.3": lambda x: A.dcshift(x, 0.3),
    "dcshift -0.3 0.05": lambda x: A.dcshift(x, -0.3, 0.05),
    "overdrive": A.overdrive,
    "overdrive 5 40": lambda x: A.overdrive(x, 5, 40),
    "phaser": lambda x: A.phaser(x, RATE),
    "phaser 0.8 0.7 4 0.5 1 -t": lambda x: A.phaser(x, RATE, 0.8, 0.7, 4.0, 0.5, 1.0, False),
    "flanger": lambda x: A.flanger(x, RATE),
    "flanger 1 3 20 60 1 triangle 50 quadratic": lambda x: A.flanger(
        x, RATE, 1.0, 3.0, 20.0, 60.0, 1.0, 50.0, "triangular", "quadratic"
    ),
    "fade t 0.05 0 0.02": TT.Fade(800, 320, "linear"),
    "fade q 0.05 -0": TT.Fade(800, 800, "quarter_sine"),
    "fade h 100s": TT.Fade(100, 0, "half_sine"),
    "fade h 100s 2000s 50s": lambda x: TT.Fade(100, 50, "half_sine")(x[..., :2000]),
    "trim 0.01 0.05": lambda x: x[..., 160:960],
    "trim 0.01 =0.05": lambda x: x[..., 160:800],
    "trim 0.01 -0.05": lambda x: x[..., 160:-800],
    "trim -100s": lambda x: x[..., -100:],
    "trim 0:00.01": lambda x: x[..., 160:],
    "trim 10": lambda x: x[..., :0],
    "pad 0.01 50s": lambda x: torch.nn.functional.pad(x, (160, 50)),
    "pad 0.01": lambda x: torch.nn.functional.pad(x, (160, 0)),
    "reverse": lambda x: x.flip(-1),
    "norm": lambda x: x / x.abs().max(),
    "norm -6": lambda x: A.gain(x / x.abs().max(), -6.0),
    "gain -n -6": lambda x: A.gain(x / x.abs().max(), -6.0),
    "speed 1.25": lambda x: A.speed(x, RATE, 1.25)[0],
    "speed 1200c": lambda x: A.speed(x, RATE, 2.0)[0],
    "rate -q 8k": lambda x: A.resample(x, RATE, 8000),
    "rate -l 22050": lambda x: A.resample(x, RATE, 22050),
    "rate 8k": lambda x: F.resample(x, RATE, 8000, resampling_method="high_quality"),
}


@pytest.mark.parametrize("words", CASES)
def test_each_is_the_function_that_it_stands_for(words):
    chain = Effects.from_sox([words.split()], RATE)
    for item in ITEMS[:2]:
        x = item.double()
        out, truth = chain(x[None])[0], CASES[words](x.clone())
        # torchaudio's filters of rates, fades and tables of flangers are made in float32
        loose = words.split()[0] in ("speed", "rate", "flanger", "fade")
        torch.testing.assert_close(out, truth, rtol=0, atol=1e-5 if loose else 1e-10)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("words", CASES)
def test_same_result_in_any_batch(words, device):
    assert_batch_invariant(Effects([words.split()], RATE), ITEMS, atol=1e-5, device=device)


def test_a_chain_runs_in_order_and_follows_the_rate():
    chain = Effects.from_sox(
        [["gain", -6], ["rate", "-q", "8000"], ["lowpass", "3k"], ["trim", "0.1"], ["reverse"]],
        RATE,
    )
    x = ITEMS[0].double()
    want = A.lowpass_biquad(A.resample(A.gain(x, -6.0), RATE, 8000), 8000, 3000.0)
    torch.testing.assert_close(chain(x[None])[0], want[:, 800:].flip(-1), rtol=0, atol=1e-5)
    assert chain.new_sample_rate == 8000 and Effects([], RATE).new_sample_rate == RATE


def test_nothing_leaks_through_a_long_chain():
    words = "dcshift 0.2/reverse/lowpass 2k/speed 0.8/norm -1/fade 0.02 0 0.03/pad 20s 30s/reverse"
    chain = [*(one.split() for one in words.split("/")), ["rate", "12k"], ["bass", "5"]]
    assert_batch_invariant(Effects(chain, RATE), ITEMS, atol=1e-5)
    mixed = [*ITEMS, *waveforms((2000, 3100))]  # two channels and one
    together = Effects(chain, RATE)(Ragged.from_list(mixed))
    for item, out in zip(mixed, together, strict=True):
        alone = Effects(chain, RATE)(item[None])[0]
        torch.testing.assert_close(out, alone, rtol=0, atol=1e-5)


def test_fades_of_sox_alone():
    x = torch.ones(1, 1, 2000, dtype=torch.float64)
    level = 20 * Effects([["fade", "101s"]], RATE)(x)[0, 0, :101].log10()
    torch.testing.assert_close(level, torch.linspace(-100, 0, 101, dtype=torch.float64))
    curve = Effects([["fade", "p", "101s"]], RATE)(x)[0, 0, :101]
    torch.testing.assert_close(curve, 1 - torch.linspace(1, 0, 101, dtype=torch.float64) ** 2)


def test_silence_and_nothing_go_through_all_of_them():
    for words in CASES:
        chain = Effects([words.split()], RATE)
        assert bool(chain(torch.zeros(2, 1, 1600)).isfinite().all())
        assert len(chain(torch.zeros(2, 1, 0))) == 2
        after_nothing = Effects([["trim", "0", "0"], words.split()], RATE)
        assert len(after_nothing(torch.ones(2, 1, 1600))) == 2


def test_it_prints_compares_and_pickles():
    chain = Effects.from_sox([["gain", "-3"], ["fade", "q", "0.1"]], RATE)
    again = pickle.loads(pickle.dumps(chain))
    assert again == chain == Effects((("gain", -3), ["fade", "q", 0.1]), RATE)
    assert hash(again) == hash(chain)
    x = ITEMS[0][None]
    assert torch.equal(again(x), chain(x)) and "gain" in repr(chain)


def test_gradients():
    x = ITEMS[0][None, :1, :24].double().requires_grad_()
    chain = Effects([["lowpass", "3k"], ["reverse"], ["fade", "0.001"], ["rate", "12k"]], RATE)
    assert torch.autograd.gradcheck(chain, (x,))


@pytest.mark.parametrize(
    ("effects", "told"),
    [
        ([["echo", "1"]], "no effect 'echo'; known are allpass, band, .* vol"),
        ([["lowpass"]], r"lowpass takes 1 to 2 arguments, as in 'lowpass \[-2\] freq"),
        ([["reverse", "1"]], "reverse takes 0 arguments"),
        ([["lowpass", "-1", "3k"]], "no filters of one pole"),
        ([["gain", "-b", "3"]], r"as in 'gain \[-n\]"),
        ([["gain", "loud"]], "'loud' is no number"),
        ([["lowpass", "3m"]], "no frequency such as 440 or 3k"),
        ([["lowpass", "9k"]], "half of sample_rate"),
        ([["lowpass", "3k", "2s"]], "'2s' is no width"),
        ([["lowpass", "9k", "1o"]], "must lie in"),
        ([["bass", "12", "100", "9s"]], "too steep"),
        ([["trim", "soon"]], "no time such as"),
        ([["vol", "3dB", "power"]], "no volume"),
        ([["flanger", "0", "2", "0", "71", "0.5", "square"]], "sinusoidal or triangular"),
        ([["fade", "q"]], "one to three times"),
        ([["rate", "0.5"]], "whole number of Hz"),
        ([["contrast", "101"]], "0..100"),
        ([["speed", "0"]], "above 0"),
        (["gain", "-3"], "list of lists"),
        ([[]], "list of lists"),
    ],
    ids=lambda v: str(v)[:30],
)
def test_what_is_wrong_is_told(effects, told):
    with pytest.raises(TransformError, match=told):
        Effects.from_sox(effects, RATE)


def test_a_wrong_rate_is_told_and_names_are_listed():
    with pytest.raises(TransformError, match="sample_rate"):
        Effects([], 0)
    assert set(Effects.known()) == {words.split()[0] for words in CASES}
