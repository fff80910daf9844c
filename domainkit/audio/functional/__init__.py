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
    from domainkit.audio.functional.deltas import compute_deltas
    from domainkit.audio.functional.emphasis import deemphasis, preemphasis
    from domainkit.audio.functional.filter_banks import create_dct, linear_fbanks, melscale_fbanks
    from domainkit.audio.functional.masking import mask_along_axis, mask_along_axis_iid
    from domainkit.audio.functional.moving_mean import sliding_window_cmn
    from domainkit.audio.functional.mu_law import mu_law_decoding, mu_law_encoding
    from domainkit.audio.functional.noise import add_noise
    from domainkit.audio.functional.phases import griffinlim, phase_vocoder
    from domainkit.audio.functional.pitch import detect_pitch_frequency
    from domainkit.audio.functional.recursion import filtfilt, lfilter
    from domainkit.audio.functional.shifting import pitch_shift
    from domainkit.audio.functional.spectra import (
        inverse_spectrogram,
        spectral_centroid,
        spectrogram,
    )

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
    "compute_deltas": "deltas",
    "convolve": "convolution",
    "create_dct": "filter_banks",
    "deemph_biquad": "biquads",
    "deemphasis": "emphasis",
    "detect_pitch_frequency": "pitch",
    "equalizer_biquad": "biquads",
    "fftconvolve": "convolution",
    "filtfilt": "recursion",
    "gain": "decibels",
    "griffinlim": "phases",
    "highpass_biquad": "biquads",
    "inverse_spectrogram": "spectra",
    "lfilter": "recursion",
    "linear_fbanks": "filter_banks",
    "lowpass_biquad": "biquads",
    "mask_along_axis": "masking",
    "mask_along_axis_iid": "masking",
    "melscale_fbanks": "filter_banks",
    "mu_law_decoding": "mu_law",
    "mu_law_encoding": "mu_law",
    "phase_vocoder": "phases",
    "pitch_shift": "shifting",
    "preemphasis": "emphasis",
    "riaa_biquad": "biquads",
    "sliding_window_cmn": "moving_mean",
    "spectral_centroid": "spectra",
    "spectrogram": "spectra",
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
    "compute_deltas",
    "convolve",
    "create_dct",
    "deemph_biquad",
    "deemphasis",
    "detect_pitch_frequency",
    "equalizer_biquad",
    "fftconvolve",
    "filtfilt",
    "gain",
    "griffinlim",
    "highpass_biquad",
    "inverse_spectrogram",
    "lfilter",
    "linear_fbanks",
    "lowpass_biquad",
    "mask_along_axis",
    "mask_along_axis_iid",
    "melscale_fbanks",
    "mu_law_decoding",
    "mu_law_encoding",
    "phase_vocoder",
    "pitch_shift",
    "preemphasis",
    "riaa_biquad",
    "sliding_window_cmn",
    "spectral_centroid",
    "spectrogram",
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
