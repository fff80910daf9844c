"""Kaldi's features against torchaudio, kaldi-native-fbank and closed forms."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from support.peers import torchaudio_or_skip

from domainkit.audio import functional as F
from domainkit.errors import TransformError

torchaudio_or_skip()
from torchaudio.compliance import kaldi  # noqa: E402

FRAMES = [
    {},
    {"snip_edges": False},
    {"window_type": "hanning"},
    {"window_type": "hamming"},
    {"window_type": "rectangular", "snip_edges": False},
    {"window_type": "blackman"},
    {"window_type": "blackman", "blackman_coeff": 0.4},
    {"remove_dc_offset": False, "preemphasis_coefficient": 0.0},
    {"remove_dc_offset": False, "window_type": "hamming", "preemphasis_coefficient": 0.5},
    {"round_to_power_of_two": False, "subtract_mean": True},
    {"sample_frequency": 8000.0, "frame_length": 32.0, "frame_shift": 12.5},
    {"frame_length": 10.0, "frame_shift": 25.0, "snip_edges": False},
    {"energy_floor": 0.0, "raw_energy": False},
]
OWN = {
    "spectrogram": [{}],
    "fbank": [
        {"num_mel_bins": 40, "low_freq": 60.0, "high_freq": -400.0},
        {"use_log_fbank": False, "use_power": False},
        {"use_energy": True},
        {"use_energy": True, "htk_compat": True, "subtract_mean": True},
        {"vtln_warp": 0.9, "high_freq": -100.0},
        {"vtln_warp": 1.15, "vtln_low": 80.0, "vtln_high": 7000.0},
    ],
    "mfcc": [
        {"num_ceps": 20, "num_mel_bins": 30},
        {"htk_compat": True, "cepstral_lifter": 0.0},
        {"use_energy": True, "htk_compat": True},
        {"use_energy": True, "vtln_warp": 1.1},
    ],
}
CASES = [
    (name, {**frames, **own})
    for name, owns in OWN.items()
    for frames, own in [*((f, {}) for f in FRAMES), *(({}, own) for own in owns)]
]


def sound(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.05 + 0.1 * torch.randn(*shape, generator=generator, dtype=torch.float64)


@contextmanager
def in_float64() -> Iterator[None]:
    """torchaudio makes its filters in the default dtype."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def ours(name: str, x: torch.Tensor, **setting) -> torch.Tensor:
    return getattr(F, f"kaldi_{name}")(x, **setting)


@pytest.mark.parametrize(("name", "setting"), CASES, ids=str)
def test_numbers_are_torchaudios(name, setting):
    x = sound(3, 4000)
    with in_float64():
        truth = torch.stack([getattr(kaldi, name)(row[None], **setting) for row in x])
    done = ours(name, x, **setting)
    torch.testing.assert_close(done, truth, rtol=0, atol=1e-9)
    single = torch.stack([getattr(kaldi, name)(row[None].float(), **setting) for row in x])
    # a single bin may be nearly empty, and then its logarithm tells of rounding
    worst = (ours(name, x.float(), **setting) - single)[..., 1:].abs().max()
    assert float(worst) < (1e-2 if name == "spectrogram" else 1e-3)


@pytest.mark.parametrize("name", OWN)
def test_arguments_are_torchaudios(name):
    theirs = inspect.signature(getattr(kaldi, name)).parameters
    mine = inspect.signature(getattr(F, f"kaldi_{name}")).parameters
    assert [*mine] == [
        "waveform",
        "lengths",
        *(n for n in theirs if n not in ("waveform", "channel")),
    ]
    for argument in theirs.keys() - {"waveform", "channel"}:
        assert mine[argument].default == theirs[argument].default


@pytest.mark.parametrize("snip", [True, False])
@pytest.mark.parametrize("window", ["povey", "hamming", "hanning", "rectangular", "blackman"])
def test_numbers_are_kaldi_native_fbanks(snip, window):
    native = pytest.importorskip("kaldi_native_fbank")
    x = sound(5000).float()
    for name in ("Fbank", "Mfcc"):
        options = getattr(native, f"{name}Options")()
        options.frame_opts.dither = 0.0
        options.frame_opts.snip_edges = snip
        options.frame_opts.window_type = window
        options.use_energy = name == "Mfcc"
        online = getattr(native, f"Online{name}")(options)
        online.accept_waveform(16000, x.numpy())
        online.input_finished()
        truth = np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])
        setting = {"snip_edges": snip, "window_type": window, "energy_floor": 0.0}
        done = ours(name.lower(), x, use_energy=name == "Mfcc", **setting)
        np.testing.assert_allclose(done.numpy(), truth, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("setting", [{}, {"snip_edges": False}, {"subtract_mean": True}], ids=str)
def test_lengths_are_as_if_alone(name, setting):
    sizes = [4000, 401, 400, 399, 170, 1, 0]
    x = sound(7, 4000)
    done = ours(name, x, lengths=torch.tensor(sizes), **setting)
    counts = F.kaldi_num_frames(torch.tensor(sizes), snip_edges=setting.get("snip_edges", True))
    for row, n, frames, out in zip(x, sizes, counts.tolist(), done, strict=True):
        alone = ours(name, row[:n], **setting)
        assert len(alone) == frames
        torch.testing.assert_close(out[:frames], alone, rtol=0, atol=1e-12)
        assert not out[frames:].any()


def test_leading_dimensions_are_kept():
    x = sound(2, 3, 1000)
    done = F.kaldi_fbank(x, lengths=torch.full((2, 3), 900))
    assert done.shape == (2, 3, 4, 23)
    torch.testing.assert_close(done[1, 2, :4], F.kaldi_fbank(x[1, 2, :900]))
    assert F.kaldi_fbank(x[..., :100]).shape == (2, 3, 0, 23)
    assert F.kaldi_mfcc(x[:0], snip_edges=False).shape == (0, 3, 6, 13)


def test_a_short_waveform_is_mirrored_more_than_once():
    x = sound(90)
    around = torch.cat([x.flip(0), x] * 4)[150:550]
    first = F.kaldi_fbank(x, snip_edges=False, use_energy=True)
    torch.testing.assert_close(first, F.kaldi_fbank(around, use_energy=True)[:1])


def test_what_is_shorter_than_min_duration_has_no_frames():
    x = sound(2, 1600)
    done = F.kaldi_fbank(x, lengths=torch.tensor([1600, 1599]), min_duration=0.1)
    assert done[0].abs().amin() > 0 and not done[1].any()
    assert len(kaldi.fbank(x[:1, :1599], min_duration=0.1)) == 0


def test_dither_is_drawn_at_every_call():
    silence = torch.zeros(3, 4000)
    torch.manual_seed(0)
    first, second = (F.kaldi_fbank(silence, dither=0.5) for _ in range(2))
    assert not torch.equal(first, second) and not torch.equal(first[0], first[1])
    # a filter's noise has the energy of 4000 others: its mean over frames is known
    flat = {"remove_dc_offset": False, "preemphasis_coefficient": 0.0, "window_type": "rectangular"}
    energy = F.kaldi_spectrogram(torch.zeros(1, 160_000), dither=2.0, **flat)[..., 0].exp()
    assert abs(float(energy.mean()) / (400 * 4.0) - 1) < 0.01


def test_large_batches_are_cut_into_blocks():
    x = sound(5, 200_000).float()
    whole = F.kaldi_fbank(x, num_mel_bins=8)
    torch.testing.assert_close(
        whole[3, 700:720], F.kaldi_fbank(x[3, 112_000:], num_mel_bins=8)[:20]
    )
    many = sound(900, 900).float()
    torch.testing.assert_close(F.kaldi_fbank(many)[800], F.kaldi_fbank(many[800]))


@pytest.mark.parametrize("frequency", [300.0, 1000.0, 5000.0])
def test_a_sine_peaks_in_its_own_band(frequency):
    tone = torch.sin(2 * math.pi * frequency / 16000 * torch.arange(16000))
    low, high, here = (1127 * math.log1p(f / 700) for f in (20.0, 8000.0, frequency))
    band = (here - low) / (high - low) * 41 - 1
    assert abs(int(F.kaldi_fbank(tone, num_mel_bins=40)[50].argmax()) - band) < 1


def test_twice_as_loud_is_log_four_more():
    x = sound(2000)
    difference = F.kaldi_fbank(2 * x) - F.kaldi_fbank(x)
    torch.testing.assert_close(difference, torch.full_like(difference, math.log(4)))


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("setting", [{}, {"window_type": "hamming", "snip_edges": False}], ids=str)
def test_gradients_reach_the_waveform(name, setting):
    setting = {"frame_length": 4.0, "frame_shift": 2.0, "energy_floor": 0.0, **setting}
    if name != "spectrogram":
        setting |= {"num_mel_bins": 4, "use_energy": True}
    if name == "mfcc":
        setting |= {"num_ceps": 3}
    x, lengths = sound(2, 150).requires_grad_(), torch.tensor([150, 100])
    assert torch.autograd.gradcheck(lambda x: ours(name, x, lengths=lengths, **setting), (x,))


@pytest.mark.parametrize("power", [True, False])
def test_gradients_of_silence_are_finite(power):
    x = torch.zeros(800, requires_grad=True)
    F.kaldi_fbank(x, use_power=power, use_energy=True).sum().backward()
    assert bool(x.grad.isfinite().all())


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: F.kaldi_fbank(torch.ones(9, dtype=torch.int16)), "divide int16 samples by 32768"),
        (lambda: F.kaldi_fbank(torch.ones(9), frame_shift=0.01), "1 sample apart"),
        (lambda: F.kaldi_fbank(torch.ones(9), window_type="kaiser"), "window_type is one of"),
        (lambda: F.kaldi_fbank(torch.ones(9), dither=-1.0), "dither is >= 0"),
        (lambda: F.kaldi_fbank(torch.ones(9), preemphasis_coefficient=2.0), r"in \[0, 1\], got 2"),
        (lambda: F.kaldi_fbank(torch.ones(9), num_mel_bins=3), "whole number >= 4, got 3"),
        (lambda: F.kaldi_fbank(torch.ones(9), high_freq=9000.0), "<= 8000 Hz, got 20 and 9000"),
        (lambda: F.kaldi_fbank(torch.ones(9), vtln_warp=0.0), "vtln_warp is above 0"),
        (lambda: F.kaldi_fbank(torch.ones(9), vtln_warp=1.1, vtln_low=5.0), "low_freq < vtln_low"),
        (lambda: F.kaldi_fbank(torch.ones(900), vtln_warp=90.0), "keep it nearer to 1"),
        (lambda: F.kaldi_mfcc(torch.ones(9), num_ceps=24), "num_ceps <= num_mel_bins"),
        (
            lambda: F.kaldi_spectrogram(
                torch.ones(9), sample_frequency=1000.0, round_to_power_of_two=False
            ),
            "an even number of samples a frame, got 25",
        ),
        (lambda: F.kaldi_fbank(torch.ones(2, 9), lengths=torch.ones(2)), "one whole number per"),
        (lambda: F.kaldi_fbank(torch.ones(2, 9), lengths=torch.tensor([9])), r"int64 \(1,\)"),
    ],
)
def test_wrong_input_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
