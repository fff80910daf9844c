"""Random filters: torchaudio's designs, the range of the draw, alone as in company."""

from __future__ import annotations

import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms
from support.peers import torchaudio_or_skip

from domainkit.audio.transforms import RandomFilter
from domainkit.audio.transforms._cookbook import KINDS, coefficients
from domainkit.draws import Draws
from domainkit.errors import TransformError

THEIRS = {
    "lowpass": "lowpass_biquad",
    "highpass": "highpass_biquad",
    "bandpass": "bandpass_biquad",
    "bandstop": "bandreject_biquad",
    "peak": "equalizer_biquad",
    "lowshelf": "bass_biquad",
    "highshelf": "treble_biquad",
}


@pytest.mark.parametrize("device", DEVICES)
def test_same_result_in_any_batch(device):
    items = waveforms((900, 512, 900, 1, 37), channels=2)
    assert_batch_invariant(RandomFilter(16000, p=0.7), items, atol=2e-6, device=device)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_torchaudios(kind):
    F = torchaudio_or_skip().functional
    x = 0.01 * torch.stack(waveforms((700, 700), dtype=torch.float64))
    given = (
        (x, 16000, 5.0, 900.0, 0.8)
        if kind in ("lowshelf", "highshelf")
        else (x, 16000, 900.0, 5.0, 0.8)
        if kind == "peak"
        else (x, 16000, 900.0, 0.8)
    )
    mine = RandomFilter(
        16000, (kind,), min_hz=900, max_hz=900, min_q=0.8, max_q=0.8, min_db=5, max_db=5, p=1.0
    )(x)
    torch.testing.assert_close(mine, getattr(F, THEIRS[kind])(*given), rtol=0, atol=1e-9)


def test_each_recording_has_a_filter_of_its_own():
    x = torch.zeros(300, 1, 400, dtype=torch.float64)
    x[:, :, 0] = 1
    out = RandomFilter(8000, p=0.5)(x, Draws(4, 0, torch.arange(300)))[:, 0]
    changed = (out != x[:, 0]).any(1)
    assert abs(float(changed.float().mean()) - 0.5) < 0.1
    first = out[changed][:, :3]
    assert len(torch.unique((first * 1e9).round(), dim=0)) == int(changed.sum())
    # nothing is clipped: a shelf of +12 dB lifts an impulse
    assert float(out.max()) > 1.5


def test_all_designs_are_stable():
    generator = torch.Generator().manual_seed(0)
    u = torch.rand(4, 4000, generator=generator)
    kind = torch.arange(4000) % len(KINDS)
    given = (50 + 3900 * u[0], 0.3 + 9 * u[1], 80 * u[2] - 40, 8000)
    _, a = coefficients(kind, *given)
    # both poles lie within the unit circle (the stability triangle)
    assert bool((a[:, 2].abs() < 1).all() and (a[:, 1].abs() < 1 + a[:, 2]).all())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"kinds": ("comb",)}, "kinds are of lowpass"),
        ({"kinds": ()}, "a list of kinds"),
        ({"max_hz": 8000.0}, "max_hz < sample_rate / 2 = 8000"),
        ({"min_q": 0.0}, "0 < min_q"),
        ({"p": 2.0}, "p in"),
    ],
)
def test_what_is_wrong_is_told(arguments, told):
    with pytest.raises(TransformError, match=told):
        RandomFilter(16000, **arguments)
