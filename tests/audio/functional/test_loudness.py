"""Loudness against torchaudio, the standard's own cases and closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from domainkit.audio import functional as F
from domainkit.audio.functional.program_loudness import k_weighting
from domainkit.errors import TransformError

RATES = [8000, 11025, 16000, 22050, 44100, 48000, 96000]


def tones(*parts: tuple[float, float], rate: int = 48000, hertz: float = 1000.0) -> torch.Tensor:
    """Parts of (dBFS, seconds) of a tone, one behind the other."""
    made = []
    for level, seconds in parts:
        t = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
        made.append(10 ** (level / 20) * torch.sin(2 * math.pi * hertz * t))
    return torch.cat(made)


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("rate", [8000, 44100])
def test_loudness_is_torchaudios(rate, channels):
    torchaudio = pytest.importorskip("torchaudio")
    generator = torch.Generator().manual_seed(channels)
    x = torch.rand(2, channels, 2 * rate, generator=generator, dtype=torch.float64) - 0.5
    x[..., rate // 2 : rate] *= 1e-5  # for the gates
    torch.testing.assert_close(F.loudness(x, rate), torchaudio.functional.loudness(x, rate))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("channel", range(3))
def test_a_tone_of_full_scale_is_3_01_below(rate, channel):
    """BS.1770-4: 0 dBFS, 997 Hz in one of the front channels."""
    x = torch.zeros(3, 2 * rate, dtype=torch.float64)
    x[channel] = tones((0.0, 2.0), rate=rate, hertz=997.0)
    assert abs(float(F.loudness_r128(x, rate)) + 3.01) < 0.005


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [  # EBU Tech 3341, table 1, cases 1 to 5
        ([(-23.0, 20.0)], -23.0),
        ([(-33.0, 20.0)], -33.0),
        ([(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)], -23.0),
        ([(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)], -23.0),
        ([(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)], -23.0),
    ],
    ids=["1", "2", "3", "4", "5"],
)
def test_cases_of_the_broadcasters(parts, wanted):
    stereo = tones(*parts).expand(2, -1)
    assert abs(float(F.loudness_r128(stereo, 48000)) - wanted) < 0.1


def test_the_case_of_five_channels():
    levels = (-28.0, -28.0, -24.0, -30.0, -30.0)  # case 6
    x = torch.stack([tones((level, 20.0)) for level in levels])
    loud = F.loudness_r128(x, 48000)
    assert abs(float(loud) + 23.0) < 0.1
    boom = 5 * torch.ones_like(x[:1])
    six = torch.cat([x[:3], boom, x[3:]])
    torch.testing.assert_close(F.loudness_r128(six, 48000), loud)


@pytest.mark.parametrize("rate", [r for r in RATES if r != 48000])
def test_the_weighting_is_that_of_48_khz_at_any_rate(rate):
    f = torch.logspace(0, math.log10(min(rate / 2, 20000) * 0.999), 500, dtype=torch.float64)

    def response(given: int) -> torch.Tensor:
        z = torch.exp(-2j * math.pi * f / given)
        total = torch.ones_like(f)
        for b, a in k_weighting(given):
            top, low = (c[0] + c[1] * z + c[2] * z * z for c in (b, a))
            total = total * (top / low).abs()
        return 20 * total.log10()

    error = (response(rate) - response(48000)).abs().max()
    assert float(error) < (0.03 if rate < 16000 else 0.003)


def test_lengths_count_and_what_is_behind_does_not():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 2, 24000, generator=generator) / 10
    lengths = torch.tensor([24000, 16001, 6400, 3000, 0])
    both = F.loudness_r128(x, 16000, lengths)
    for i, n in enumerate(lengths.tolist()[:-1]):
        torch.testing.assert_close(both[i], F.loudness_r128(x[i, :, :n], 16000))
        peak = F.true_peak(x, 16000, lengths)[i]
        torch.testing.assert_close(peak, F.true_peak(x[i, :, :n], 16000))
    assert float(both[-1]) == -math.inf and float(F.loudness_r128(x[0] * 0, 16000)) == -math.inf
    louder = F.loudness_r128(x * 2, 16000, lengths)[:4]
    torch.testing.assert_close(louder - both[:4], torch.full((4,), 20 * math.log10(2)))


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5])
def test_true_peak_sees_what_lies_between_samples(rate, phase):
    # EBU Tech 3341: within +0.2 and -0.4 dB of the tone's amplitude
    n = torch.arange(rate // 2, dtype=torch.float64)
    tone = 0.5 * torch.sin((n + phase) * (math.pi / 2)) * torch.hann_window(len(n)).double()
    peak = float(F.true_peak(tone[None], rate))
    assert -0.4 < peak + 6.02 < 0.2


def test_gradients():
    x = (torch.rand(1, 900, dtype=torch.float64) - 0.5).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: F.loudness_r128(v, 2000), (x,))


def test_wrong_input_is_told():
    for name in ("loudness", "loudness_r128", "true_peak"):
        with pytest.raises(TransformError, match=r"mono is waveform\[None\]"):
            getattr(F, name)(torch.zeros(900), 2000)
    with pytest.raises(TransformError, match=r"0\.4 s.*got 90"):
        F.loudness(torch.zeros(1, 90), 2000)
    with pytest.raises(TransformError, match="1 to 5 channels, got 6"):
        F.loudness(torch.zeros(6, 900), 2000)
    with pytest.raises(TransformError, match="1 to 6 channels, got 7"):
        F.loudness_r128(torch.zeros(7, 900), 2000)
    with pytest.raises(TransformError, match=r"one number per recording, \(3,\), got \(2,\)"):
        F.loudness_r128(torch.zeros(3, 1, 900), 2000, torch.tensor([1, 2]))
