"""Spectrograms, banks, deltas, means, masks, phases, pitch: torchaudio, librosa, scipy."""

from __future__ import annotations

import math
import warnings
from typing import Any

import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.signal
import torch
from support.peers import torchaudio_or_skip
from support.recordings import sound

from domainkit.audio import functional as F
from domainkit.errors import TransformError

RATE = 16000
T = torch.arange(12000, dtype=torch.float64) / RATE
SOUNDS = {
    "noise": 0.1 * torch.randn(2, 12000, generator=torch.Generator().manual_seed(0)).double(),
    "sines": torch.stack([torch.sin(2 * math.pi * f * T) for f in (217.3, 441.7)]),
    "recording": torch.from_numpy(sound(12000, 2, RATE)).double().T.contiguous(),
}
HOW: tuple[Any, ...] = (torch.hann_window(300, dtype=torch.float64), 400, 100, 300)


@pytest.fixture(params=SOUNDS)
def x(request: pytest.FixtureRequest) -> torch.Tensor:
    return SOUNDS[request.param]


@pytest.fixture
def theirs() -> Any:
    return torchaudio_or_skip().functional


@pytest.fixture
def exact() -> Any:
    """Banks have torch's default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def equal(mine: torch.Tensor, truth: Any, atol: float = 1e-9) -> None:
    torch.testing.assert_close(mine, torch.as_tensor(truth), rtol=1e-9, atol=atol)


@pytest.mark.parametrize(
    "given",
    [
        {"power": 2.0, "normalized": False},
        {"power": None, "normalized": True},
        {"power": 1.0, "normalized": "frame_length", "pad_mode": "constant"},
        {"power": 0.7, "normalized": "window", "center": False},
        {"power": 2.0, "normalized": False, "onesided": False, "pad_mode": "circular"},
        {"power": 2.0, "normalized": False, "pad_mode": "replicate"},
    ],
    ids=str,
)
def test_spectrogram_is_torchaudios(x, theirs, given):
    equal(F.spectrogram(x, 7, *HOW, **given), theirs.spectrogram(x, 7, *HOW, **given))
    single = F.spectrogram(x[0], 7, *HOW, **given)
    equal(single, F.spectrogram(x[None], 7, *HOW, **given)[0, 0])


def test_spectrogram_is_librosas(x):
    truth = librosa.stft(x.numpy(), n_fft=400, hop_length=100, win_length=300, pad_mode="reflect")
    equal(F.spectrogram(x, 0, *HOW, None, False), truth)
    centroid = librosa.feature.spectral_centroid(
        S=np.abs(truth), sr=RATE, n_fft=400, hop_length=100
    )
    equal(F.spectral_centroid(x, RATE, 0, *HOW), centroid[:, 0], 1e-6)


@pytest.mark.parametrize("normalized", [False, True, "frame_length"])
@pytest.mark.parametrize("length", [None, 12000, 11000])
def test_the_inverse_is_torchaudios(x, theirs, normalized, length):
    spectrum = F.spectrogram(x, 7, *HOW, None, normalized)
    mine = F.inverse_spectrogram(spectrum, length, 7, *HOW, normalized)
    equal(mine, theirs.inverse_spectrogram(spectrum, length, 7, *HOW, normalized))
    if length is not None:
        equal(mine, x[:, :length])


def test_centroids_are_torchaudios_and_silence_has_none(x, theirs):
    equal(F.spectral_centroid(x, RATE, 7, *HOW), theirs.spectral_centroid(x, RATE, 7, *HOW))
    assert not F.spectral_centroid(torch.zeros(2, 999).double(), RATE, 0, *HOW).any()


@pytest.mark.parametrize("power", [0.7, 1.0, 2.0])
def test_spectrograms_have_gradients(power):
    how = (torch.hann_window(8).double(), 8, 4, 8)
    x = SOUNDS["noise"][:1, :30].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda y: F.spectrogram(y, 2, *how, power, False), (x,))
    silence = torch.zeros(30, dtype=torch.float64, requires_grad=True)
    F.spectrogram(silence, 0, *how, power, False).sum().backward()
    assert silence.grad is not None and not silence.grad.any()


@pytest.mark.parametrize("n", [10, 40, 128])
@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("norm", [None, "slaney"])
@pytest.mark.filterwarnings("ignore:.*mel filterbank:UserWarning", "ignore:.*bands lie between")
def test_mel_banks_are_torchaudios_and_librosas(theirs, exact, n, scale, norm):
    mine = F.melscale_fbanks(201, 20.0, 7600.0, n, RATE + 1, norm, scale)
    equal(mine, theirs.melscale_fbanks(201, 20.0, 7600.0, n, RATE + 1, norm, scale))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        truth = librosa.filters.mel(
            sr=RATE, n_fft=400, n_mels=n, fmin=20, fmax=7600,
            htk=scale == "htk", norm=norm, dtype=np.float64,
        )  # fmt: skip
    equal(F.melscale_fbanks(201, 20.0, 7600.0, n, RATE, norm, scale), truth.T)
    equal(
        F.linear_fbanks(201, 20.0, 7600.0, n, RATE),
        theirs.linear_fbanks(201, 20.0, 7600.0, n, RATE),
    )


def test_a_band_without_a_bin_is_warned_of():
    with pytest.warns(UserWarning, match="of 128 bands lie between two bins"):
        F.melscale_fbanks(201, 0.0, 8000.0, 128, RATE)


@pytest.mark.parametrize("norm", [None, "ortho"])
def test_cosines_are_scipys(theirs, exact, norm):
    x = SOUNDS["noise"][0, :40]
    equal(x @ F.create_dct(13, 40, norm), scipy.fft.dct(x.numpy(), norm=norm)[:13])
    equal(F.create_dct(13, 40, norm), theirs.create_dct(13, 40, norm))


@pytest.mark.parametrize("win_length", [3, 6, 9])
def test_deltas_are_torchaudios_and_scipys(x, theirs, win_length):
    equal(F.compute_deltas(x, win_length), theirs.compute_deltas(x, win_length))
    odd = win_length - 1 + win_length % 2
    truth = scipy.signal.savgol_filter(x.numpy(), odd, 1, deriv=1, mode="nearest")
    equal(F.compute_deltas(x, win_length), truth)


@pytest.mark.parametrize("norm_vars", [False, True])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"center": True},
        {"cmn_window": 50, "min_cmn_window": 20},
        {"cmn_window": 51, "center": True},
        {"cmn_window": 1000, "min_cmn_window": 500},
        {"cmn_window": 40, "min_cmn_window": 100},
    ],
    ids=str,
)
def test_moving_means_are_torchaudios(x, theirs, given, norm_vars):
    bins = F.spectrogram(x, 0, *HOW, 2.0, False).clamp(min=1e-3).log().transpose(1, 2)
    mine = F.sliding_window_cmn(bins, **given, norm_vars=norm_vars)
    # theirs sums numbers that are not centred: it loses places where bands hardly vary
    truth = theirs.sliding_window_cmn(
        bins - bins.mean(1, keepdim=True), **given, norm_vars=norm_vars
    )
    moving = torch.isfinite(truth) & (truth.abs() < 50)
    assert bool(mine.isfinite().all())
    if norm_vars:
        moving &= _spread(bins, **given) > 1e-4
    torch.testing.assert_close(mine[moving], truth[moving], rtol=1e-6, atol=1e-6)
    assert float(moving.double().mean()) > 0.3


def _spread(bins: torch.Tensor, **given: Any) -> torch.Tensor:
    """The standard deviation of each frame's window, from the window itself."""
    from domainkit.audio.functional.moving_mean import window_bounds

    n = bins.shape[1]
    size, least = given.get("cmn_window", 600), given.get("min_cmn_window", 100)
    first, last = window_bounds(n, torch.tensor([n]), size, least, given.get("center", False))
    windows = [bins[:, first[0, t] : last[0, t]] for t in range(n)]
    return torch.stack([w.std(1, correction=0) for w in windows], 1)


@pytest.mark.parametrize("shape", [(20, 30), (3, 20, 30), (2, 3, 20, 30)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_masks_are_torchaudios_number_by_number(theirs, shape, dtype):
    x = torch.ones(shape, dtype=dtype)
    for axis in (len(shape) - 2, len(shape) - 1):
        for p in (1.0, 0.3, 0.01, 0.0):
            for seed in range(4):
                results = []
                for module in (F, theirs):
                    torch.manual_seed(seed)
                    done = [module.mask_along_axis(x, 13, 2.0, axis, p)]
                    if len(shape) > 2:
                        done.append(module.mask_along_axis_iid(x, 13, 2.0, axis, p))
                    results.append([*done, torch.rand(1)])
                assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("rate", [0.8, 1.0, 1.3, 2.0])
def test_vocoder_is_torchaudios_and_librosas(x, theirs, rate):
    spectrum = F.spectrogram(x, 0, *HOW, None, False)
    advance = torch.linspace(0, math.pi * 100, 201, dtype=torch.float64)[:, None]
    mine = F.phase_vocoder(spectrum, rate, advance)
    equal(mine, theirs.phase_vocoder(spectrum, rate, advance))
    truth = librosa.phase_vocoder(spectrum.numpy(), rate=rate, hop_length=100, n_fft=400)
    equal(mine, truth, 1e-8)


def test_griffinlim_is_torchaudios_and_librosas(x, theirs):
    bins = F.spectrogram(x, 0, *HOW, 2.0, False)
    given = (*HOW, 2.0, 10, 0.99)
    mine = F.griffinlim(bins, *given, None, False)
    equal(mine, theirs.griffinlim(bins, *given, None, False), 1e-8)
    truth = librosa.griffinlim(
        bins.sqrt().numpy(), n_iter=10, hop_length=100, win_length=300, n_fft=400,
        init=None, pad_mode="reflect",
    )  # fmt: skip
    equal(mine, truth, 1e-4)
    results = []
    for module in (F, theirs):
        torch.manual_seed(3)
        results.append(module.griffinlim(bins, *HOW, 2.0, 5, 0.5, 12050, True))
    equal(*results, 1e-8)


@pytest.mark.parametrize(
    "given",
    [{}, {"win_length": 7, "freq_low": 100, "freq_high": 1000, "frame_time": 0.02}],
    ids=str,
)
def test_pitch_is_torchaudios(x, theirs, given):
    truth = theirs.detect_pitch_frequency(x, RATE, **given).double()  # it gives float32
    mine = F.detect_pitch_frequency(x, RATE, **given)
    torch.testing.assert_close(mine, truth, rtol=1e-6, atol=0)


@pytest.mark.parametrize("hertz", [100.0, 217.3, 250.0, 400.0])
def test_pitch_of_a_tone(hertz):
    found = F.detect_pitch_frequency(torch.sin(2 * math.pi * hertz * T), RATE)
    lag = RATE / found[15:-15]  # whole samples
    assert float((lag - RATE / hertz).abs().max()) <= 1.0


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: F.spectrogram(torch.ones(9).int(), 0, *HOW, 2.0, False), "divide int16"),
        (lambda: F.spectrogram(torch.ones(200), 0, *HOW, 2.0, False), "needs 201 samples, got 200"),
        (lambda: F.spectrogram(torch.ones(900), 0, *HOW, 2.0, "loud"), "got 'loud'"),
        (lambda: F.spectrogram(torch.ones(900), 0, HOW[0], 400, 100, 400, 2.0, False), "window"),
        (lambda: F.inverse_spectrogram(torch.ones(201, 9), None, 0, *HOW, False), "use griffinlim"),
        (lambda: F.inverse_spectrogram(torch.ones(9, 9) * 1j, None, 0, *HOW, False), "201 bins"),
        (lambda: F.melscale_fbanks(201, 9.0, 9.0, 4, RATE), "0 <= f_min < f_max"),
        (lambda: F.melscale_fbanks(201, 0.0, 9.0, 4, RATE, "area"), "norm is 'slaney' or None"),
        (lambda: F.create_dct(4, 9, "whole"), "norm is 'ortho' or None"),
        (lambda: F.compute_deltas(torch.ones(9), 2), "whole number >= 3, got 2"),
        (lambda: F.sliding_window_cmn(torch.ones(9)), r"\[..., T, M\], got \(9,\)"),
        (lambda: F.mask_along_axis(torch.ones(9, 9), 3, 0.0, 2), "axis is one of the last two"),
        (lambda: F.mask_along_axis_iid(torch.ones(9, 9), 3, 0.0, 1), "3 dimensions at least"),
        (lambda: F.griffinlim(torch.ones(9, 9), *HOW, 2.0, 3, 0.9, None, False), "201 bins"),
        (lambda: F.griffinlim(torch.ones(201, 9), *HOW, 2.0, 3, 1.0, None, False), "momentum"),
        (lambda: F.phase_vocoder(torch.ones(9, 9), 2.0, torch.ones(9, 1)), "takes complex"),
        (lambda: F.detect_pitch_frequency(torch.ones(900), RATE), "needs 16 frames"),
    ],
)
def test_wrong_input_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
