"""The table behind ``exactness_audio.py``: what is called, on what, and against which reference.

One line is enough for what torchaudio has under the same name: ``fn`` for a function, ``cls`` for a
class, ``module`` for a class that is called with several tensors. Anything else is a ``Case``.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from exactness_audio_inputs import HOP, N_FFT, RATE, Inputs

from domainkit import Ragged
from domainkit.audio import functional as F
from domainkit.audio import transforms as T

__all__ = ["CASES", "Case"]

TORCHAUDIO, KALDI = "torchaudio", "torchaudio.compliance"


@dataclass(frozen=True)
class Case:
    """A call: ``mine`` gets all recordings, ``theirs`` one."""

    place: str  # "functional" or "transforms"
    name: str
    args: str
    reference: str
    mine: Callable[[Sequence[Inputs]], list[Any]]
    theirs: Callable[[Inputs], Any]

    @property
    def title(self) -> str:
        return f"{self.name}({self.args})"


@dataclass(frozen=True)
class Of:
    """A place in the arguments for something made of the recording."""

    what: str
    make: Callable[[Inputs], Any] | None = None  # None: the attribute of that name

    def __repr__(self) -> str:
        return self.what


X, SHORT, OTHER, RESPONSE = Of("x"), Of("short"), Of("other"), Of("response")
WINDOW = Of("window")
COMPLEX, POWER, LOG = Of("complex"), Of("power"), Of("log")
MICS, MASK, STEERING = Of("microphones"), Of("mask"), Of("steering")
PSD_S, PSD_N = Of("covariance"), Of("covariance_of_noise")
STFT = (N_FFT, HOP, N_FFT)
# what is equal only up to a turn of the phase, or is one of several results
LOOK: dict[str, Callable[[Any], Any]] = {
    "rtf_evd": lambda v: v * v[..., :1].conj() / v[..., :1].abs(),
    "speed": lambda v: v[0],
    "forced_align": lambda v: v[1],
}


def fn(name: str, *args: Any, **kwargs: Any) -> Case:
    """A function of torchaudio.functional under its own name."""
    look = LOOK.get(name, lambda v: v)

    def call(function: Callable[..., Any], one: Inputs) -> Any:
        return look(function(*(_fill(a, one) for a in args), **kwargs))

    return Case(
        "functional", name, _shown(args, kwargs), TORCHAUDIO,
        lambda many: [call(getattr(F, name), one) for one in many],
        lambda one: call(getattr(_torchaudio().functional, name), one),
    )  # fmt: skip


def cls(name: str, what: Of = X, /, *args: Any, **kwargs: Any) -> Case:
    """A class of torchaudio.transforms under its own name, with recordings or spectra."""
    return Case(
        "transforms", name, _shown(args, kwargs), TORCHAUDIO,
        lambda many: _batch(getattr(T, name)(*args, **kwargs), many, what),
        lambda one: _as_theirs(_there(name, *args, **kwargs)(_fill(what, one)), what),
    )  # fmt: skip


def module(name: str, inputs: Sequence[Any], /, *args: Any, **kwargs: Any) -> Case:
    """A class of torchaudio.transforms that is called with several tensors."""

    def call(built: Any, one: Inputs) -> Any:
        return built(*(_fill(a, one) for a in inputs))

    return Case(
        "transforms", name, _shown(args, kwargs), TORCHAUDIO,
        lambda many: [call(getattr(T, name)(*args, **kwargs), one) for one in many],
        lambda one: call(_there(name, *args, **kwargs), one),
    )  # fmt: skip


def other(  # noqa: PLR0917 - a row of the table
    place: str, name: str, args: str, reference: str, mine: Any, theirs: Callable[[Inputs], Any]
) -> Case:
    """A case of its own: ``mine`` is a transform, or a function of one recording's ``Inputs``."""
    if place == "transforms":
        return Case(place, name, args, reference, lambda many: _batch(mine(), many, X), theirs)
    return Case(place, name, args, reference, lambda many: [mine(one) for one in many], theirs)


def _batch(op: Any, many: Sequence[Inputs], what: Of) -> list[torch.Tensor]:
    """All recordings at once; results without the channel."""
    items = [_fill(what, one) for one in many]
    if what in (POWER, COMPLEX):
        items = [item[0].T.contiguous() for item in items]
    elif what is LOG:
        items = [item[0] for item in items]
    inner = 1 if what in (POWER, COMPLEX, LOG) else 0
    return [item.squeeze() for item in op(Ragged.from_list(items, inner=inner))]


def _as_theirs(result: torch.Tensor, what: Of) -> torch.Tensor:
    """torchaudio's [1, T] -> [T], [1, bins, frames] -> [frames, bins]."""
    alone = result[0]
    return alone if alone.ndim < 2 or what is LOG else alone.T


def _fill(value: Any, one: Inputs) -> Any:
    if not isinstance(value, Of):
        return value
    return value.make(one) if value.make else getattr(one, value.what).clone()


def _shown(args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    parts = [_short(a) for a in args]
    return ", ".join([*parts, *(f"{k}={_short(v)}" for k, v in kwargs.items())])


def _short(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _torchaudio() -> Any:
    import torchaudio

    return torchaudio


def _there(name: str, *args: Any, **kwargs: Any) -> Any:
    built = getattr(_torchaudio().transforms, name)(*args, **kwargs)
    return built.to(torch.get_default_dtype())


def _kaldi(name: str, **kwargs: Any) -> Callable[[Inputs], Any]:
    def theirs(one: Inputs) -> Any:
        function = getattr(importlib.import_module("torchaudio.compliance.kaldi"), name)
        return function(one.x * 2**15, dither=0.0, sample_frequency=8000.0, **kwargs)

    return theirs


def _librosa_mel(one: Inputs, **kwargs: Any) -> Any:
    import librosa

    sound = one.x[0].numpy()
    return librosa.feature.melspectrogram(y=sound, dtype=sound.dtype, **kwargs).T


def _whisper(one: Inputs) -> Any:
    """The steps of the paper."""
    mel = _librosa_mel(one, sr=16000, n_fft=400, hop_length=160, n_mels=80, pad_mode="reflect")
    log = np.log10(np.maximum(mel[:-1], 1e-10))
    return (np.maximum(log, log.max() - 8) + 4) / 4


def _trimmed(one: Inputs) -> Any:
    import librosa

    return librosa.effects.trim(one.x[0].numpy(), top_db=30)[0]


def _soxr(one: Inputs, rate: int) -> Any:
    """The middle, in the band that both filters keep."""
    import soxr

    return _band(soxr.resample(one.x[0].numpy(), RATE, rate, quality="VHQ"), RATE, rate)


def _band(x: Any, orig: int, new: int) -> Any:
    """The spectrum of a sound, faded in and out, up to 0.9 of the lower rate's half."""
    x = np.asarray(x)
    spectrum = np.fft.rfft(x * np.hanning(len(x)).astype(x.dtype))
    return spectrum[: int(0.9 * min(orig, new) / new * (len(x) // 2))]


def _scipy(call: str, *args: Any, **kwargs: Any) -> Any:
    module, name = call.split(".")
    result = getattr(importlib.import_module(f"scipy.{module}"), name)(*args, **kwargs)
    return np.asarray(result)


B, A = (0.2, 0.3, 0.1), (1.0, -0.7, 0.3)
NUMBERS_B, NUMBERS_A = Of("b", lambda _: torch.tensor(B)), Of("a", lambda _: torch.tensor(A))
SNR = Of("snr", lambda _: torch.tensor([10.0]))
TARGETS = Of("targets", lambda _: torch.tensor([[3, 5, 5, 2, 7]], dtype=torch.int32))
RNNT = (
    Of("lattice"),
    Of("targets", lambda _: torch.tensor([[3, 5, 5, 2]], dtype=torch.int32)),
    Of("frames", lambda _: torch.tensor([20], dtype=torch.int32)),
    Of("tokens", lambda _: torch.tensor([4], dtype=torch.int32)),
)
ADVANCE = Of("advance", lambda one: torch.linspace(0, math.pi * HOP, 129, dtype=one.dtype)[:, None])
MEANS = (Of("mean"), Of("spread"), Of("mean_of_other"), Of("spread_of_other"))
MEL = {"n_fft": N_FFT, "hop_length": HOP, "n_mels": 40}
LFCC = {"n_filter": 40, "speckwargs": {"n_fft": N_FFT, "hop_length": HOP}}
MFCC = {"n_mfcc": 20, "melkwargs": MEL}
BINS = {"n_mels": 40, "sample_rate": RATE, "n_stft": N_FFT // 2 + 1}

CASES: tuple[Case, ...] = (
    # -- filters
    fn("lfilter", X, NUMBERS_A, NUMBERS_B),
    other(
        "functional", "lfilter", f"x, {A}, {B}", "scipy",
        lambda one: F.lfilter(one.x, torch.tensor(A), torch.tensor(B), clamp=False)[0],
        lambda one: _scipy("signal.lfilter", *(np.asarray(v, one.numpy) for v in (B, A)), one.x[0]),
    ),
    fn("filtfilt", X, NUMBERS_A, NUMBERS_B),
    fn("biquad", X, *B, *A),
    fn("lowpass_biquad", X, RATE, 1000.0),
    fn("highpass_biquad", X, RATE, 300.0),
    fn("bandpass_biquad", X, RATE, 1000.0, 1.5),
    fn("bandreject_biquad", X, RATE, 1000.0, 1.5),
    fn("allpass_biquad", X, RATE, 1000.0),
    fn("band_biquad", X, RATE, 1000.0),
    fn("equalizer_biquad", X, RATE, 1000.0, 6.0),
    fn("bass_biquad", X, RATE, 6.0),
    fn("treble_biquad", X, RATE, -6.0),
    fn("deemph_biquad", X, 44100),
    fn("riaa_biquad", X, 44100),
    fn("preemphasis", X, 0.97),
    fn("deemphasis", Of("emphasised"), 0.97),
    # -- effects
    fn("contrast", X, 50.0),
    fn("dcshift", X, 0.05),
    fn("overdrive", X, 10, 20),
    fn("phaser", SHORT, RATE),
    fn("flanger", SHORT, RATE),
    fn("gain", X, 6.0),
    fn("vad", X, RATE),
    # -- two signals
    fn("convolve", X, RESPONSE),
    fn("fftconvolve", X, RESPONSE),
    other(
        "functional", "convolve", "x, response", "scipy",
        lambda one: F.convolve(one.x, one.response)[0],
        lambda one: _scipy("signal.convolve", one.x[0], one.response[0]),
    ),
    fn("add_noise", X, OTHER, SNR),
    # -- rates
    fn("resample", X, RATE, 16000),
    fn("resample", X, RATE, 6000),
    fn("resample", X, RATE, 11025, resampling_method="sinc_interp_kaiser"),
    other(
        "functional", "resample", 'x, 8000, 16000, resampling_method="high_quality"', "soxr VHQ",
        lambda one: _band(F.resample(one.x, 8000, 16000, resampling_method="high_quality")[0],
                          8000, 16000),
        lambda one: _soxr(one, 16000),
    ),
    fn("speed", X, RATE, 1.1),
    # -- spectra
    fn("spectrogram", X, 0, WINDOW, *STFT, 2.0, False),
    fn("spectrogram", X, 0, WINDOW, *STFT, None, True),
    other(
        "functional", "spectrogram", "x, 0, window, 256, 64, 256, None, False", "librosa",
        lambda one: F.spectrogram(one.x, 0, one.window, *STFT, None, False)[0],
        lambda one: importlib.import_module("librosa").stft(
            one.x[0].numpy(), n_fft=N_FFT, hop_length=HOP, pad_mode="reflect"),
    ),
    fn("inverse_spectrogram", COMPLEX, None, 0, WINDOW, *STFT, False),
    fn("spectral_centroid", X, RATE, 0, WINDOW, *STFT),
    fn("griffinlim", POWER, WINDOW, *STFT, 2.0, 2, 0.99, None, False),
    fn("phase_vocoder", COMPLEX, 1.3, ADVANCE),
    fn("amplitude_to_DB", POWER, 10.0, 1e-10, 0.0, 80.0),
    fn("DB_to_amplitude", LOG, 1.0, 1.0),
    fn("melscale_fbanks", 129, 0.0, 4000.0, 40, RATE, "slaney", "slaney"),
    other(
        "functional", "melscale_fbanks", '129, 0.0, 4000.0, 40, 8000, "slaney", "slaney"',
        "librosa",
        lambda one: F.melscale_fbanks(129, 0.0, 4000.0, 40, RATE, "slaney", "slaney"),
        lambda one: importlib.import_module("librosa").filters.mel(
            sr=RATE, n_fft=N_FFT, n_mels=40, dtype=one.numpy).T,
    ),
    fn("linear_fbanks", 129, 0.0, 4000.0, 40, RATE),
    fn("create_dct", 13, 40, "ortho"),
    other(
        "functional", "create_dct", '129, 129, "ortho"', "scipy",
        lambda one: one.log[0] @ F.create_dct(129, 129, "ortho"),
        lambda one: _scipy("fft.dct", one.log[0].numpy(), norm="ortho"),
    ),
    fn("compute_deltas", LOG, 5),
    fn("sliding_window_cmn", LOG, 100, 50),
    fn("sliding_window_cmn", LOG, 100, 50, True, True),
    fn("detect_pitch_frequency", X, RATE),
    # -- Kaldi's
    *(
        other(
            "functional", f"kaldi_{name}", "x * 2 ** 15, sample_frequency=8000.0", KALDI,
            lambda one, name=name: getattr(F, f"kaldi_{name}")(
                one.x[0] * 2**15, sample_frequency=8000.0),
            _kaldi(name),
        )
        for name in ("spectrogram", "fbank", "mfcc")
    ),
    # -- codes, loudness
    fn("mu_law_encoding", X, 256),
    fn("mu_law_decoding", Of("codes"), 256),
    fn("loudness", X, RATE),
    # -- beams
    fn("psd", MICS, MASK),
    fn("mvdr_weights_souden", PSD_S, PSD_N, 0),
    fn("mvdr_weights_rtf", STEERING, PSD_N, 0),
    fn("rtf_evd", PSD_S),
    fn("rtf_power", PSD_S, PSD_N, 0),
    fn("apply_beamforming", STEERING, MICS),
    # -- distances, alignment, losses
    fn("forced_align", Of("log_probs"), TARGETS),
    fn("frechet_distance", *MEANS),
    fn("rnnt_loss", *RNNT, 0),
    # -- transforms of recordings
    cls("Spectrogram", X, N_FFT),
    cls("MelSpectrogram", X, RATE, **MEL),
    cls("MFCC", X, RATE, **MFCC),
    cls("LFCC", X, RATE, **LFCC),
    cls("SpectralCentroid", X, RATE, N_FFT),
    cls("Resample", X, RATE, 16000),
    other("transforms", "Speed", "8000, 1.1", TORCHAUDIO, lambda: T.Speed(RATE, 1.1),
          lambda one: _there("Speed", RATE, 1.1)(one.x)[0][0]),
    cls("Fade", X, 800, 400, "half_sine"),
    cls("Vol", X, 6.0, "db"),
    cls("Preemphasis", X),
    cls("Deemphasis", Of("emphasised")),
    cls("MuLawEncoding", X),
    cls("MuLawDecoding", Of("codes")),
    cls("Vad", X, RATE),
    other("transforms", "Loudness", "8000", TORCHAUDIO, lambda: T.Loudness(RATE),
          lambda one: _there("Loudness", RATE)(one.x)),
    # -- of spectra
    cls("MelScale", POWER, **BINS),
    cls("InverseSpectrogram", COMPLEX, N_FFT, hop_length=HOP),
    Case(
        "transforms", "GriffinLim", "256, n_iter=2, hop_length=64", TORCHAUDIO,
        lambda many: _batch(T.GriffinLim(N_FFT, 2, hop_length=HOP), many, POWER),
        lambda one: _there("GriffinLim", N_FFT, 2, hop_length=HOP, rand_init=False)(one.power)[0],
    ),
    cls("AmplitudeToDB", POWER, top_db=80.0),
    cls("ComputeDeltas", POWER),
    cls("SlidingWindowCmn", LOG, 100, 50),
    Case(
        "transforms", "TimeStretch", "64, 1.3", TORCHAUDIO,
        lambda many: _batch(T.TimeStretch(HOP, rate=1.3), many, COMPLEX),
        lambda one: _there("TimeStretch", HOP, 129)(one.complex, 1.3)[0].T,
    ),
    # -- of several tensors
    module("AddNoise", (X, OTHER, SNR)),
    module("Convolve", (X, RESPONSE), "same"),
    module("FFTConvolve", (X, RESPONSE), "same"),
    module("PSD", (MICS, MASK)),
    module("SoudenMVDR", (MICS, PSD_S, PSD_N, 0)),
    module("RTFMVDR", (MICS, STEERING, PSD_N, 0)),
    module("MVDR", (MICS, MASK, Of("rest", lambda one: 1 - one.mask))),
    module("RNNTLoss", RNNT, 0),
    # -- what torchaudio lacks, or has under other names
    other(
        "transforms", "LogMel", "8000, n_fft=256, hop_length=64, n_mels=40", "librosa",
        lambda: T.LogMel(RATE, **MEL),
        lambda one: np.log(np.maximum(_librosa_mel(one, sr=RATE, pad_mode="constant", **MEL),
                                      1e-10)),
    ),
    other("transforms", "WhisperLogMel", "80, length=None", "librosa",
          lambda: T.WhisperLogMel(80, None), _whisper),
    other("transforms", "KaldiFbank", "8000.0, 40, scale=32768.0", KALDI,
          lambda: T.KaldiFbank(8000.0, 40, scale=32768.0),
          _kaldi("fbank", num_mel_bins=40)),
    other("transforms", "KaldiMFCC", "8000.0, scale=32768.0", KALDI,
          lambda: T.KaldiMFCC(8000.0, scale=32768.0), _kaldi("mfcc")),
    other("transforms", "TrimSilence", "top_db=30", "librosa",
          lambda: T.TrimSilence(30.0), _trimmed),
    other("transforms", "Gain", "6.0", "torchaudio gain",
          lambda: T.Gain(6.0), lambda one: _torchaudio().functional.gain(one.x, 6.0)[0]),
    other("transforms", "RandomGain", "6.0, 6.0, p=1.0", "torchaudio gain",
          lambda: T.RandomGain(6.0, 6.0, p=1.0),
          lambda one: _torchaudio().functional.gain(one.x, 6.0)[0]),
)  # fmt: skip
