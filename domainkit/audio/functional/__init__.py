"""Functions on waveforms [..., T] with torchaudio's names, arguments and numbers, kept alive here.

They take and give tensors of any device, are differentiable, and import no torchaudio. Batches of
recordings of different lengths are for ``domainkit.audio.transforms``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.audio.functional.biquads import (
        allpass_biquad,
        band_biquad,
        bandpass_biquad,
        bandreject_biquad,
        bass_biquad,
        biquad,
        deemph_biquad,
        equalizer_biquad,
        highpass_biquad,
        lowpass_biquad,
        riaa_biquad,
        treble_biquad,
    )
    from domainkit.audio.functional.convolution import convolve, fftconvolve
    from domainkit.audio.functional.decibels import DB_to_amplitude, amplitude_to_DB, gain
    from domainkit.audio.functional.emphasis import deemphasis, preemphasis
    from domainkit.audio.functional.kaldi import (
        kaldi_fbank,
        kaldi_mfcc,
        kaldi_num_frames,
        kaldi_spectrogram,
    )
    from domainkit.audio.functional.mu_law import mu_law_decoding, mu_law_encoding
    from domainkit.audio.functional.noise import add_noise
    from domainkit.audio.functional.recursion import filtfilt, lfilter
    from domainkit.audio.functional.resampling import resample, speed

_HERE = "domainkit.audio.functional"
_HOME = {  # public name -> the module that defines it
    "DB_to_amplitude": "decibels",
    "add_noise": "noise",
    "allpass_biquad": "biquads",
    "amplitude_to_DB": "decibels",
    "band_biquad": "biquads",
    "bandpass_biquad": "biquads",
    "bandreject_biquad": "biquads",
    "bass_biquad": "biquads",
    "biquad": "biquads",
    "convolve": "convolution",
    "deemph_biquad": "biquads",
    "deemphasis": "emphasis",
    "equalizer_biquad": "biquads",
    "fftconvolve": "convolution",
    "filtfilt": "recursion",
    "gain": "decibels",
    "highpass_biquad": "biquads",
    "kaldi_fbank": "kaldi",
    "kaldi_mfcc": "kaldi",
    "kaldi_num_frames": "kaldi",
    "kaldi_spectrogram": "kaldi",
    "lfilter": "recursion",
    "lowpass_biquad": "biquads",
    "mu_law_decoding": "mu_law",
    "mu_law_encoding": "mu_law",
    "preemphasis": "emphasis",
    "resample": "resampling",
    "riaa_biquad": "biquads",
    "speed": "resampling",
    "treble_biquad": "biquads",
}

__all__ = [
    "DB_to_amplitude",
    "add_noise",
    "allpass_biquad",
    "amplitude_to_DB",
    "band_biquad",
    "bandpass_biquad",
    "bandreject_biquad",
    "bass_biquad",
    "biquad",
    "convolve",
    "deemph_biquad",
    "deemphasis",
    "equalizer_biquad",
    "fftconvolve",
    "filtfilt",
    "gain",
    "highpass_biquad",
    "kaldi_fbank",
    "kaldi_mfcc",
    "kaldi_num_frames",
    "kaldi_spectrogram",
    "lfilter",
    "lowpass_biquad",
    "mu_law_decoding",
    "mu_law_encoding",
    "preemphasis",
    "resample",
    "riaa_biquad",
    "speed",
    "treble_biquad",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        module = importlib.import_module(f"{_HERE}.{_HOME[name]}")
        value = getattr(module, name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'domainkit.audio.functional' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
