"""The classes that torchaudio has too: its numbers, and the same alone as in a batch."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, features, waveforms
from support.peers import torchaudio_or_skip
from support.recordings import speech

from domainkit.audio import transforms as t
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

ITEMS = waveforms((1600, 512, 1600, 701, 403), dtype=torch.float64)
BINS = [item.abs() for item in features((40, 17, 40, 3, 25), bands=201)]
MELS = [item.abs() for item in features((40, 17, 40, 3, 25), bands=128)]

# name -> arguments, of waveforms in
OF_WAVEFORMS = [
    ("Spectrogram", {}),
    ("Spectrogram", {"n_fft": 512, "win_length": 300, "hop_length": 100, "power": 1.0}),
    ("Spectrogram", {"normalized": True, "pad_mode": "constant", "power": None}),
    ("MelSpectrogram", {"n_mels": 40}),
    ("MelSpectrogram", {"sample_rate": 8000, "n_fft": 256, "mel_scale": "slaney", "n_mels": 20}),
    ("MFCC", {"n_mfcc": 13, "melkwargs": {"n_mels": 40}}),
    ("MFCC", {"log_mels": True, "norm": None, "melkwargs": {"n_mels": 40}}),
    ("LFCC", {"n_lfcc": 20}),
    ("LFCC", {"log_lf": True, "n_filter": 64, "f_max": 4000.0}),
    ("SpectralCentroid", {"sample_rate": 16000}),
    ("Fade", {"fade_in_len": 300, "fade_out_len": 200}),
    *(("Fade", {"fade_in_len": 90, "fade_out_len": 7, "fade_shape": s}) for s in (
        "exponential", "logarithmic", "quarter_sine", "half_sine",
    )),
    ("Vol", {"gain": 6.0, "gain_type": "db"}),
    ("Vol", {"gain": 4.0, "gain_type": "power"}),
    ("Vol", {"gain": 0.3}),
    ("Preemphasis", {}),
    ("MuLawEncoding", {}),
]  # fmt: skip
OF_FEATURES = [
    ("MelScale", {"n_mels": 40, "n_stft": 201}, BINS),
    ("AmplitudeToDB", {"stype": "magnitude"}, BINS),
    ("AmplitudeToDB", {"top_db": 20.0}, BINS),
    ("ComputeDeltas", {"win_length": 7}, MELS),
    ("SlidingWindowCmn", {"cmn_window": 9, "min_cmn_window": 4}, MELS),
    ("SlidingWindowCmn", {"cmn_window": 9, "center": True, "norm_vars": True}, MELS),
]
# what takes frames before bands in torchaudio as well
FRAMES_FIRST = {"SlidingWindowCmn"}


def quiet(name: str, arguments: dict[str, object]) -> torch.nn.Module:
    return getattr(torchaudio_or_skip().transforms, name)(**arguments).double()


@pytest.mark.parametrize(("name", "arguments"), OF_WAVEFORMS, ids=str)
@pytest.mark.filterwarnings("ignore:At least one mel filterbank")
def test_of_waveforms(name, arguments):
    theirs = quiet(name, arguments)
    # speech in single precision has silence whose logarithm is rounding; in double it has not
    items = [*ITEMS, speech(1)[0][None].double()]
    out = getattr(t, name)(**arguments)(Ragged.from_list(items))
    for mine, item in zip(out, items, strict=True):
        want = theirs(item)
        if mine.ndim == 2 and want.ndim == 3:  # frames first
            want = want[0].T
        elif name == "SpectralCentroid":
            want = want[0][:, None]
        # torchaudio's banks of filters are of single precision, and a logarithm shows it
        banks = "Mel" in name or "CC" in name
        rtol, atol = (1e-4, 5e-4) if banks else (1e-5, 1e-6)
        torch.testing.assert_close(mine, want, rtol=rtol, atol=atol)


@pytest.mark.parametrize(("name", "arguments", "items"), OF_FEATURES, ids=str)
def test_of_features(name, arguments, items):
    theirs = quiet(name, arguments)
    items = [item.double() for item in items]
    out = getattr(t, name)(**arguments)(Ragged.from_list(items, inner=1))
    for mine, item in zip(out, items, strict=True):
        want = theirs(item[None])[0] if name in FRAMES_FIRST else theirs(item.T[None])[0].T
        torch.testing.assert_close(mine, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("name", "arguments"), OF_WAVEFORMS, ids=str)
def test_waveforms_are_the_same_in_any_batch(name, arguments, device):
    assert_batch_invariant(getattr(t, name)(**arguments), ITEMS, atol=1e-5, device=device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("name", "arguments", "items"), OF_FEATURES, ids=str)
def test_features_are_the_same_in_any_batch(name, arguments, items, device):
    assert_batch_invariant(getattr(t, name)(**arguments), items, atol=1e-5, device=device)


@pytest.mark.parametrize("name", sorted({n for n, *_ in (*OF_WAVEFORMS, *OF_FEATURES)}))
def test_leading_arguments_are_torchaudios(name):
    """What may be given without its name means the same."""
    theirs = list(inspect.signature(getattr(torchaudio_or_skip().transforms, name)).parameters)
    positional = [
        p.name
        for p in inspect.signature(getattr(t, name)).parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    assert positional == theirs[: len(positional)]


def test_there_and_back():
    x = Ragged.from_list([item[:, : item.shape[1] // 200 * 200] for item in ITEMS])
    complexes = t.Spectrogram(power=None)(x)
    back = t.InverseSpectrogram()(complexes)
    assert back.host_shapes.tolist() == x.host_shapes.tolist()
    torch.testing.assert_close(back.values, x.values, rtol=0, atol=1e-9)
    dense = t.InverseSpectrogram()(complexes[[0, 2]].dense())
    torch.testing.assert_close(dense[1], x[2], rtol=0, atol=1e-9)
    codes = t.MuLawEncoding()(x)
    error = (t.MuLawDecoding()(codes).values - x.values).abs()
    assert float(error.max()) < 0.03
    undone = t.Deemphasis()(t.Preemphasis()(x))
    torch.testing.assert_close(undone.values, x.values, rtol=0, atol=1e-9)


def test_griffin_lim_is_torchaudios_and_finds_a_tone():
    tone = torch.sin(0.3 * torch.arange(4000, dtype=torch.float64))[None]
    items = [tone, ITEMS[0]]
    spectra = t.Spectrogram()(Ragged.from_list(items))
    # in more rounds the search takes its own way from the smallest difference
    theirs = quiet("GriffinLim", {"n_iter": 2, "rand_init": False})
    want = theirs(quiet("Spectrogram", {})(ITEMS[0]))
    torch.testing.assert_close(t.GriffinLim(n_iter=2)(spectra)[1], want, rtol=0, atol=1e-6)
    found = t.GriffinLim(n_iter=16)(spectra)
    spectrum = torch.fft.rfft(found[0][0])
    assert abs(int(spectrum.abs().argmax()) * 2 * math.pi / 4000 - 0.3) < 2e-3


def test_bands_back_to_bins():
    scale = {"n_stft": 201, "n_mels": 20, "norm": "slaney"}
    bands = t.MelScale(**scale)(torch.stack([BINS[0], BINS[2]]).double())
    bins = t.InverseMelScale(**scale)(bands)
    assert float(bins.min()) >= 0
    theirs = quiet("InverseMelScale", scale)(bands.transpose(1, 2)).transpose(1, 2)
    mine, want = (t.MelScale(**scale)(v) for v in (bins, theirs))
    # both are solutions of one problem; how near each comes to the bands is what counts
    assert float((mine - bands).norm()) <= 1.05 * float((want - bands).norm()) + 1e-6


@pytest.mark.parametrize("rate", [0.8, 1.0, 1.3])
def test_time_stretch(rate):
    x = t.Spectrogram(power=None)(Ragged.from_list(ITEMS))
    out = t.TimeStretch(200, rate=rate)(x)
    theirs = torchaudio_or_skip().transforms.TimeStretch(hop_length=200, n_freq=201).double()
    for mine, item in zip(out, x, strict=True):
        want = theirs(item.T[None], rate)[0].T
        assert mine.shape == want.shape
        # a phase that is carried on grows its rounding
        torch.testing.assert_close(mine.abs(), want.abs(), rtol=0, atol=1e-6)
        torch.testing.assert_close(mine, want, rtol=0, atol=1e-4)


def test_masks_are_the_samples_own():
    x, draws = torch.ones(400, 30, 20), Draws(3, 0, torch.arange(400))
    bands = (t.FrequencyMasking(8)(x, draws) == 0)[:, 0].sum(1)
    frames = (t.TimeMasking(20, p=0.5)(x, draws) == 0)[:, :, 0].sum(1)
    assert set(bands.tolist()) == set(range(9)) and set(frames.tolist()) == set(range(16))
    filled = t.FrequencyMasking(8, mask_value=-3.0)(x, draws)
    assert set(filled.unique().tolist()) == {-3.0, 1.0}


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: t.Spectrogram(401), "even n_fft"),
        (lambda: t.Spectrogram(pad_mode="wrap"), "'reflect' or 'constant', got 'wrap'"),
        (lambda: t.Spectrogram(power=-1.0), "power is above 0"),
        (lambda: t.Spectrogram()(torch.zeros(1, 2, 900)), "put Mono before it"),
        (lambda: t.Spectrogram()(torch.zeros(1, 1, 100)), "more than 200 samples, got 100"),
        (lambda: t.MelSpectrogram(f_min=9000.0), "f_min < f_max"),
        (lambda: t.MelSpectrogram(mel_scale="bark"), "'slaney', got 'bark' and None"),
        (lambda: t.MFCC(n_mfcc=200), "1 to 128 coefficients of 128 bands, got 200"),
        (lambda: t.LFCC(norm="l2"), "None or 'ortho'"),
        (lambda: t.AmplitudeToDB("energy"), "'power' or 'magnitude'"),
        (lambda: t.ComputeDeltas(2), ">= 3, got 2"),
        (lambda: t.MelScale(9, n_stft=33)(torch.zeros(1, 2, 34)), "takes 33 numbers.*got 34"),
        (lambda: t.InverseSpectrogram()(torch.zeros(1, 2, 201)), "complex.*GriffinLim"),
        (lambda: t.GriffinLim()(torch.zeros(1, 9, 200)), "has 201 bins, got 200"),
        (lambda: t.TimeStretch(200, rate=0.0), "rate above 0"),
        (lambda: t.TimeStretch()(torch.zeros(1, 2, 3)), "complex spectrogram"),
        (lambda: t.Fade(-1), "at least 0"),
        (lambda: t.Fade(fade_shape="cubic"), "one of linear"),
        (lambda: t.Vol(-1.0), "at least 0, got -1.0"),
        (lambda: t.MuLawDecoding()(torch.zeros(1, 1, 3)), "whole numbers, got torch.float32"),
        (lambda: t.TimeMasking(3, p=2.0), "in \\[0, 1\\]"),
    ],
)
def test_what_is_wrong_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
