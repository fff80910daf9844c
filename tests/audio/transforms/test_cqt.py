"""CQT against sums at the full rate, librosa and tones, alone and in batches."""

from __future__ import annotations

import warnings
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms

from domainkit.audio.transforms import CQT
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

SMALL: dict[str, Any] = {"sample_rate": 8000, "hop_length": 64, "f_min": 110.0, "n_bins": 60}
SETTINGS: list[dict[str, Any]] = [
    {},
    SMALL,
    {**SMALL, "n_bins": 50, "bins_per_octave": 24},
    {**SMALL, "n_bins": 62, "filter_scale": 0.5, "power": 2.0},
    {**SMALL, "hop_length": 75, "n_bins": 62},
]


def design(op: CQT) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and lengths of the windows in samples, from the papers' definitions."""
    hertz = op.f_min * 2.0 ** (np.arange(op.n_bins) / op.bins_per_octave)
    spread = 2.0 ** (2 / op.bins_per_octave)
    q = op.filter_scale * (spread + 1) / (spread - 1)
    return hertz, q * op.sample_rate / hertz


def summed(op: CQT, x: np.ndarray, frame: int) -> np.ndarray:
    """One frame, every bin a sum over the samples at the full rate."""
    at = (np.arange(len(x)) - frame * op.hop_length)[:, None]
    hertz, size = design(op)
    room = np.arange(-int(size[0]), int(size[0]) + 1)[:, None]

    def window(n: np.ndarray) -> np.ndarray:
        return np.where(np.abs(n) < size / 2, 0.5 + 0.5 * np.cos(2 * np.pi * n / size), 0.0)

    waves = window(at) * np.exp(-2j * np.pi * hertz * at / op.sample_rate)
    return np.abs((x[:, None] * waves).sum(0)) * np.sqrt(size) / window(room).sum(0)


def librosas(op: CQT, x: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a short signal is short
        return np.abs(
            librosa.cqt(
                x, sr=op.sample_rate, hop_length=op.hop_length, fmin=op.f_min, n_bins=op.n_bins,
                bins_per_octave=op.bins_per_octave, filter_scale=op.filter_scale, sparsity=0,
            )
        ).T  # fmt: skip


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_equals_sums_at_the_full_rate(setting: dict[str, Any]) -> None:
    op = CQT(**setting)
    (x,) = waveforms((2 * op.sample_rate + 17,), dtype=torch.float64)
    out = op(x[None])[0].numpy()
    assert out.shape == (1 + x.shape[1] // op.hop_length, op.n_bins)
    for frame in (0, 1, len(out) // 2, len(out) - 2, len(out) - 1):
        truth = summed(op, x[0].numpy(), frame) ** op.power
        assert np.abs(out[frame] - truth).max() < 1e-3 * out.max()
    single = op(x[None].float())[0].numpy()
    assert np.abs(single - out).max() < 2e-6 * out.max()


def test_equals_librosa_where_it_halves_no_rate() -> None:
    op = CQT(hop_length=441)
    (x,) = waveforms((30000,), dtype=torch.float64)
    out, truth = op(x[None])[0].numpy(), librosas(op, x[0].numpy())
    assert out.shape == truth.shape
    far = np.abs(out - truth).max(0) / truth.max()
    # where windows are short, librosa's lie a notable part of theirs off centre
    assert far[:24].max() < 1e-3 and far.max() < 2e-2


@pytest.mark.parametrize("setting", [{}, {"n_bins": 168, "bins_per_octave": 24}], ids=str)
def test_equals_librosa_inside(setting: dict[str, Any]) -> None:
    op = CQT(**setting)
    (x,) = waveforms((66000,), dtype=torch.float64)
    out, truth = op(x[None])[0].numpy(), librosas(op, x[0].numpy())
    assert out.shape == truth.shape
    edge = 1 + int(design(op)[1][0]) // op.hop_length
    assert np.abs(out - truth)[edge:-edge].max() < 2e-2 * truth.max()
    assert np.abs(out - truth).max() < 0.15 * truth.max()


@pytest.mark.parametrize("setting", [{}, SMALL, {**SMALL, "hop_length": 75}], ids=str)
def test_a_tone_at_a_bin_peaks_there_with_its_amplitude(setting: dict[str, Any]) -> None:
    op = CQT(**setting)
    hertz, size = design(op)
    time = torch.arange(int(1.2 * size[0])) / op.sample_rate
    tones = 0.3 * torch.sin(2 * torch.pi * torch.from_numpy(hertz)[:, None] * time)
    middle = op(tones[:, None])[:, len(time) // op.hop_length // 2]
    assert middle.argmax(1).tolist() == list(range(op.n_bins))
    peaks = middle.diagonal().numpy()
    np.testing.assert_allclose(peaks, 0.15 * np.sqrt(size), rtol=5e-3)


def test_an_octave_up_is_twelve_bins_up() -> None:
    op = CQT(**SMALL)
    time = torch.arange(8000, dtype=torch.float64) / 8000
    low, high = (torch.sin(2 * torch.pi * f * time)[None, None] for f in (333.0, 666.0))
    half = 2**0.5  # windows are half as long, and magnitudes go with the root
    torch.testing.assert_close(
        op(high)[0, 62, 20:50] * half, op(low)[0, 62, 8:38], rtol=0, atol=5e-3
    )


@pytest.mark.parametrize("setting", SETTINGS[1:], ids=str)
@pytest.mark.parametrize("device", DEVICES)
def test_same_result_in_any_batch(setting: dict[str, Any], device: str) -> None:
    assert_batch_invariant(CQT(**setting), waveforms(), atol=1e-5, device=device)


def test_nothing_leaks_over_a_samples_end() -> None:
    quiet, loud = torch.zeros(1, 1600), torch.ones(1, 1600)
    out = CQT(**SMALL)(Ragged.from_list([loud, quiet, loud]))
    assert not out[1].any()


def test_the_layout() -> None:
    op = CQT(**SMALL)
    out = op(Ragged.from_list(waveforms((127, 128, 0))))
    assert (out.host_shapes.tolist(), out.inner) == ([[2], [3], [1]], (60,))
    assert op(torch.zeros(2, 1, 640)).shape == (2, 11, 60)
    assert op(torch.zeros(0, 1, 640)).shape == (0, 11, 60)
    assert CQT(**{**SMALL, "n_bins": 1})(torch.zeros(2, 1, 0)).shape == (2, 1, 1)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_gradients(power: float) -> None:
    op = CQT(8000, 32, 900.0, 14, power=power)
    (x,) = waveforms((100,), dtype=torch.float64)
    x = x[None].requires_grad_()
    assert torch.autograd.gradcheck(op, (x,))
    op(Ragged.from_list([x[0], x[0, :, :70]])).values.sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all()) and float(x.grad.norm()) > 0
    silence = torch.zeros(1, 1, 200, requires_grad=True)
    op(silence).sum().backward()
    assert silence.grad is not None and bool(silence.grad.isfinite().all())


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: CQT(n_bins=0), "n_bins is a whole number >= 1, got 0"),
        (lambda: CQT(hop_length=51.2), "hop_length is a whole number >= 1, got 51.2"),
        (lambda: CQT(f_min=0.0), "f_min is above 0, got 0.0"),
        (lambda: CQT(filter_scale=-1.0), "filter_scale is above 0"),
        (lambda: CQT(6000), "84 bins reach 3951.1 Hz, .* sample_rate / 2 = 3000 Hz"),
        (lambda: CQT()(torch.zeros(1, 2, 800)), "one channel, got 2: put Mono before it"),
        (lambda: CQT()(torch.zeros(1, 800)), r"waveforms \[B, C, T\], got \[1, 800\]"),
        (lambda: CQT()(torch.zeros(1, 1, 800).short()), "float32 or float64, got int16"),
    ],
)
def test_wrong_input_is_told(make: Any, told: str) -> None:
    with pytest.raises(TransformError, match=told):
        make()
