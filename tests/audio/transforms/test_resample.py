"""Resample, against torchaudio, scipy and the sine it should have kept."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.signal import resample_poly
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms
from support.peers import torchaudio_or_skip

from domainkit.audio.transforms import Resample
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

RATES = [(16000, 8000), (8000, 16000), (44100, 16000), (16000, 44100), (48000, 16000), (3, 7)]


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lowpass_filter_width": 16, "rolloff": 0.9475},
        {"resampling_method": "sinc_interp_kaiser"},
        {"resampling_method": "sinc_interp_kaiser", "beta": 8.6, "lowpass_filter_width": 64},
    ],
)
def test_equals_torchaudio(rates: tuple[int, int], options: dict[str, object]) -> None:
    torchaudio = torchaudio_or_skip()
    x = torch.stack(waveforms([1237] * 2, channels=2))
    truth = torchaudio.functional.resample(x, *rates, **options)
    ours = Resample(*rates, **options)(x)  # type: ignore[arg-type]
    assert ours.shape == truth.shape
    torch.testing.assert_close(ours, truth, rtol=0, atol=1e-5)


@pytest.mark.parametrize("rates", RATES[:5])
@pytest.mark.parametrize("device", DEVICES)
def test_same_result_in_any_batch(rates: tuple[int, int], device: str) -> None:
    items = waveforms((900, 512, 900, 1, 37), channels=2)
    assert_batch_invariant(Resample(*rates), items, atol=1e-6, device=device)


def test_length_is_rounded_up() -> None:
    lengths = (0, 1, 440, 441, 442, 8821)
    out = Resample(44100, 16000)(Ragged.from_list(waveforms(lengths)))
    assert out.lengths.tolist() == [math.ceil(16000 * n / 44100) for n in lengths]


def test_channels_may_differ_from_item_to_item() -> None:
    one, two = waveforms([300])[0], waveforms([200], channels=2)[0]
    out = Resample(16000, 8000)(Ragged.from_list([one, two]))
    assert out.host_shapes.tolist() == [[1, 150], [2, 100]]
    torch.testing.assert_close(out[1], Resample(16000, 8000)(two[None])[0], rtol=0, atol=1e-7)


@pytest.mark.parametrize("rates", [(48000, 16000), (44100, 16000), (16000, 22050)])
def test_a_sine_below_both_limits_is_the_same_sine(rates: tuple[int, int]) -> None:
    def sine(rate: int) -> torch.Tensor:
        return torch.sin(2 * math.pi * 500 * torch.arange(rate // 10, dtype=torch.float64) / rate)

    ours = Resample(*rates, lowpass_filter_width=32)(sine(rates[0])[None, None])[0, 0]
    truth = sine(rates[1])
    inside = slice(100, -100)  # near the ends the filter sees the silence outside
    assert (ours[inside] - truth[inside]).abs().max() < 1e-3


def test_what_the_new_freq_cannot_hold_is_removed() -> None:
    alias = torch.sin(2 * math.pi * 7000 * torch.arange(16000.0, dtype=torch.float64) / 16000)[
        None, None
    ]
    out = Resample(16000, 8000, lowpass_filter_width=64)(alias)
    assert out[..., 500:-500].abs().max() < 1e-3


def test_agrees_with_another_design_on_smooth_sound() -> None:
    t = torch.arange(4800, dtype=torch.float64) / 48000
    x = torch.sin(2 * math.pi * 300 * t) + 0.5 * torch.cos(2 * math.pi * 1100 * t)
    truth = torch.from_numpy(resample_poly(x.numpy(), 1, 3))
    ours = Resample(48000, 16000, lowpass_filter_width=32)(x[None, None])[0, 0]
    assert (ours - truth)[100:-100].abs().max() < 5e-3


def test_the_same_rate_changes_nothing() -> None:
    x = Ragged.from_list(waveforms())
    assert Resample(8000, 8000)(x) is x


def test_is_linear_so_its_gradient_is_its_transpose() -> None:
    x = torch.randn(1, 1, 23, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Resample(3, 2), (x,))
    ragged = Ragged.from_list([x[0], x[0, :, :7]])
    Resample(3, 2)(ragged).values.square().sum().backward()
    assert x.grad is not None and bool(x.grad.abs().min() > 0)


def test_a_filter_made_in_inference_mode_can_be_trained_through() -> None:
    transform = Resample(11, 13)
    with torch.inference_mode():
        transform(torch.zeros(1, 1, 50))
    x = torch.randn(1, 1, 50, requires_grad=True)
    transform(x).square().sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"orig_freq": 0, "new_freq": 8000}, "orig_freq is a whole number >= 1, got 0"),
        ({"orig_freq": 8000, "new_freq": 16000.0}, "new_freq is a whole number"),
        ({"orig_freq": 8000, "new_freq": 4000, "rolloff": 1.5}, r"rolloff in \(0, 1\]"),
        (
            {"orig_freq": 8000, "new_freq": 4000, "resampling_method": "linear"},
            "one of sinc_interp_hann, sinc_interp_kaiser, high_quality, got 'linear'",
        ),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(TransformError, match=message):
        Resample(**arguments)  # type: ignore[arg-type]
