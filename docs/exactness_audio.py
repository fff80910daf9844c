"""How exactly the audio functions agree with their references, measured; writes a page.

Run ``python docs/exactness_audio.py`` to write ``docs/exactness-audio.md`` again from what this
machine computes. ``tests/audio/test_exactness.py`` measures again and holds the page to it.

Every row gets the same recordings: a second of the first three prompts of ``audio/voice-prompts``,
at 8000 Hz.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

import domainkit as dk
from domainkit.audio import functional as F
from domainkit.audio import transforms as T

PAGE = Path(__file__).with_name("exactness-audio.md")
RATE = 8000
TITLE = """\
# How exact the audio transforms are

Largest difference from the reference on three real recordings (a second of the first prompts of
`audio/voice-prompts`), as a part of the reference's largest number: 1e-7 is a unit in the last
place of single precision. `python docs/exactness_audio.py` measures again and writes this page; a
test holds the page to what it measures. Random transforms are held to their laws instead, and every
transform to giving the same alone and in a padded batch, to 1e-5: see `tests/audio/transforms`.

| | reference | float32 | float64 |
|---|---|---|---|
"""
REMARKS = """\
Some banks of filters, windows and coefficients are single precision in torchaudio whatever the
signal is, so that in double precision the difference is torchaudio's.

Where domainkit differs on purpose:

| | torchaudio | domainkit |
|---|---|---|
| `pitch_shift` | raised tones lose 3 dB and more, onsets after a pause up to 10 dB | within \
0.5 dB, onsets kept; so numbers are not equal |
| `resample`, "high_quality" | its filters lose 3.7 dB at 7.5 kHz of 16 kHz, or let aliases in \
| flat to 0.01 dB there, aliases below -110 dB |
| `AmplitudeToDB(top_db)`, `MFCC` | one floor for a batch | each recording's own |
| `deemphasis` | cuts to [-1, 1] | does not |
| `add_noise` | noise behind the lengths too, NaN for silent noise | neither |
| `spectral_centroid` | NaN in silence | 0 |
| `forced_align` | one recording at a time | batches with lengths |
| `MVDR(online=True)` | a new call weighs 1 | it weighs what its mask heard |
"""


@dataclass(frozen=True)
class Case:
    """A row: the same call here and there, on [1, T]."""

    title: str
    reference: str
    mine: Callable[[torch.Tensor], Any]
    theirs: Callable[[torch.Tensor], Any]


def _short(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _ta() -> Any:
    import torchaudio

    return torchaudio


def _both(name: str, *args: Any, **kwargs: Any) -> Case:
    """A function of torchaudio's name and arguments."""
    inner = ", ".join([*map(_short, args), *(f"{k}={_short(v)}" for k, v in kwargs.items())])
    return Case(
        f"{name}({inner})",
        "torchaudio",
        lambda x: getattr(F, name)(x, *args, **kwargs),
        lambda x: getattr(_ta().functional, name)(x, *args, **kwargs),
    )


def _class(name: str, **kwargs: Any) -> Case:
    """A class of torchaudio's name, on a batch of one; frames first here."""

    def theirs(x: torch.Tensor) -> torch.Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of empty bands
            out = getattr(_ta().transforms, name)(**kwargs).to(x.dtype)(x)
        return out[0].T

    inner = ", ".join(f"{k}={_short(v)}" for k, v in kwargs.items())
    return Case(
        f"{name}({inner})", "torchaudio", lambda x: getattr(T, name)(**kwargs)(x[None])[0], theirs
    )


def _stft(x: torch.Tensor) -> torch.Tensor:
    window = torch.hann_window(256, dtype=x.dtype)
    return F.spectrogram(x, 0, window, 256, 64, 256, None, False)


def _scipy_filter(x: torch.Tensor) -> torch.Tensor:
    import scipy.signal

    b, a = scipy.signal.butter(4, 1000.0, fs=RATE)
    return torch.from_numpy(scipy.signal.lfilter(b, a, x.double().numpy()))


def _my_filter(x: torch.Tensor) -> torch.Tensor:
    import scipy.signal

    b, a = (torch.from_numpy(v).to(x.dtype) for v in scipy.signal.butter(4, 1000.0, fs=RATE))
    return F.lfilter(x, a, b, clamp=False)


def _scipy_convolve(x: torch.Tensor) -> torch.Tensor:
    import scipy.signal

    row = x[0].double().numpy()
    return torch.from_numpy(scipy.signal.fftconvolve(row, row[::-1]))[None]


def _bands(x: torch.Tensor) -> torch.Tensor:
    return T.LogMel(RATE, n_mels=40)(x[None])[0]


def _kaldi(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
    def run(x: torch.Tensor) -> torch.Tensor:
        from torchaudio.compliance import kaldi

        return getattr(kaldi, name)(x * 32768, dither=0.0, sample_frequency=RATE)

    return run


def _librosa_mel(x: torch.Tensor) -> torch.Tensor:
    import librosa
    import numpy as np

    bands = librosa.feature.melspectrogram(
        y=x[0].numpy(), sr=RATE, n_fft=400, hop_length=160, n_mels=40
    )
    return torch.from_numpy(np.log(np.maximum(bands, 1e-10))).T


def _librosa_centroid(x: torch.Tensor) -> torch.Tensor:
    import librosa

    out = librosa.feature.spectral_centroid(
        y=x[0].numpy(), sr=RATE, n_fft=400, hop_length=160, pad_mode="reflect"
    )
    return torch.from_numpy(out)


def _window(size: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: torch.hann_window(size, dtype=x.dtype)


HANN = _window(400)
CASES = (
    _both("lowpass_biquad", RATE, 1000.0),
    _both("highpass_biquad", RATE, 300.0),
    _both("bandpass_biquad", RATE, 1000.0),
    _both("equalizer_biquad", RATE, 1000.0, 6.0),
    _both("treble_biquad", RATE, 6.0),
    Case("lfilter, Butterworth of order 4", "scipy", _my_filter, _scipy_filter),
    _both("contrast"),
    _both("dcshift", 0.1, 0.05),
    _both("overdrive"),
    _both("flanger", RATE),
    _both("phaser", RATE),
    _both("preemphasis"),
    _both("mu_law_encoding", 256),
    _both("loudness", RATE),
    _both("vad", RATE),
    _both("resample", 8000, 11025),
    _both("resample", 8000, 3000),
    _both("resample", 8000, 16000, resampling_method="sinc_interp_kaiser"),
    Case(
        "sliding_window_cmn(50) of log-mel",
        "torchaudio",
        lambda x: F.sliding_window_cmn(_bands(x), 50),
        lambda x: _ta().functional.sliding_window_cmn(_bands(x), 50),
    ),
    _both("detect_pitch_frequency", RATE),
    Case(
        "fftconvolve with itself",
        "scipy",
        lambda x: F.fftconvolve(x, x.flip(-1)),
        _scipy_convolve,
    ),
    Case(
        "spectrogram, complex",
        "torchaudio",
        _stft,
        lambda x: _ta().functional.spectrogram(
            x, 0, torch.hann_window(256, dtype=x.dtype), 256, 64, 256, None, False
        ),
    ),
    Case(
        "phase_vocoder, 1.3 times as fast",
        "torchaudio",
        lambda x: F.phase_vocoder(_stft(x), 1.3, _advance(x)).abs(),
        lambda x: _ta().functional.phase_vocoder(_stft(x), 1.3, _advance(x)).abs(),
    ),
    Case(
        "spectral_centroid",
        "librosa",
        lambda x: F.spectral_centroid(x, RATE, 0, HANN(x), 400, 160, 400),
        _librosa_centroid,
    ),
    _class("Spectrogram", n_fft=400, hop_length=160),
    _class("MelSpectrogram", sample_rate=RATE, n_fft=400, n_mels=40),
    _class("MFCC", sample_rate=RATE, n_mfcc=20, melkwargs={"n_fft": 400, "n_mels": 40}),
    _class("LFCC", sample_rate=RATE, n_lfcc=20),
    Case(
        "LogMel(8000, n_mels=40), constant padding",
        "librosa",
        _bands,
        _librosa_mel,
    ),
    Case(
        "kaldi_fbank",
        "torchaudio's Kaldi",
        lambda x: F.kaldi_fbank(x * 32768, sample_frequency=RATE)[0],
        _kaldi("fbank"),
    ),
    Case(
        "kaldi_mfcc",
        "torchaudio's Kaldi",
        lambda x: F.kaldi_mfcc(x * 32768, sample_frequency=RATE)[0],
        _kaldi("mfcc"),
    ),
)


def _advance(x: torch.Tensor) -> torch.Tensor:
    return torch.linspace(0, math.pi * 64, 129, dtype=x.dtype)[:, None]


@cache
def recordings() -> tuple[torch.Tensor, ...]:
    """float32 [1, T] each."""
    rows = dk.load_dataset("audio/voice-prompts", "train")
    return tuple(rows[i]["audio"][:, :8000] for i in range(3))


def measure(case: Case) -> dict[str, float]:
    """The largest difference, as a part of the largest number, in both precisions."""
    worst = {}
    for name, dtype in (("float32", torch.float32), ("float64", torch.float64)):
        worst[name] = 0.0
        for x in recordings():
            mine, theirs = case.mine(x.to(dtype)), case.theirs(x.to(dtype))
            assert mine.shape == theirs.shape, (case.title, mine.shape, theirs.shape)
            if not mine.numel():
                continue
            wide = torch.complex128 if mine.is_complex() else torch.float64
            gap = (mine.to(wide) - theirs.to(wide)).abs().max() / theirs.to(wide).abs().max()
            worst[name] = max(worst[name], float(gap))
    return worst


def page() -> str:
    """The whole page."""
    lines = TITLE.splitlines()
    for case in CASES:
        worst = measure(case)
        cells = [_number(worst[key]) for key in ("float32", "float64")]
        lines.append(f"| `{case.title}` | {case.reference} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *REMARKS.splitlines()]) + "\n"


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
