"""Functions on waveforms [..., T] with torchaudio's names, arguments and numbers, kept alive here.

They take and give tensors of any device, are differentiable, and import no torchaudio. Batches of
recordings of different lengths are for ``domainkit.audio.transforms``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.audio.functional.alignment import TokenSpan, forced_align, merge_tokens
    from domainkit.audio.functional.beamforming import (
        apply_beamforming,
        mvdr_weights_rtf,
        mvdr_weights_souden,
        psd,
        rtf_evd,
        rtf_power,
    )
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
    from domainkit.audio.functional.coding import apply_codec
    from domainkit.audio.functional.convolution import convolve, fftconvolve
    from domainkit.audio.functional.ctc import CTCHypothesis, ctc_beam_decode, ctc_greedy_decode
    from domainkit.audio.functional.decibels import DB_to_amplitude, amplitude_to_DB, gain
    from domainkit.audio.functional.deltas import compute_deltas
    from domainkit.audio.functional.distances import edit_distance, frechet_distance
    from domainkit.audio.functional.dithering import dither
    from domainkit.audio.functional.emphasis import deemphasis, preemphasis
    from domainkit.audio.functional.filter_banks import create_dct, linear_fbanks, melscale_fbanks
    from domainkit.audio.functional.kaldi import (
        kaldi_fbank,
        kaldi_mfcc,
        kaldi_num_frames,
        kaldi_spectrogram,
    )
    from domainkit.audio.functional.masking import mask_along_axis, mask_along_axis_iid
    from domainkit.audio.functional.modulation import flanger, phaser
    from domainkit.audio.functional.moving_mean import sliding_window_cmn
    from domainkit.audio.functional.mu_law import mu_law_decoding, mu_law_encoding
    from domainkit.audio.functional.noise import add_noise
    from domainkit.audio.functional.phases import griffinlim, phase_vocoder
    from domainkit.audio.functional.pitch import detect_pitch_frequency
    from domainkit.audio.functional.pitch_tracking import kaldi_pitch
    from domainkit.audio.functional.program_loudness import loudness, loudness_r128, true_peak
    from domainkit.audio.functional.recursion import filtfilt, lfilter
    from domainkit.audio.functional.resampling import resample, speed
    from domainkit.audio.functional.room_acoustics import simulate_rir_ism
    from domainkit.audio.functional.shaping import contrast, dcshift, overdrive
    from domainkit.audio.functional.shifting import pitch_shift
    from domainkit.audio.functional.spectra import (
        inverse_spectrogram,
        spectral_centroid,
        spectrogram,
    )
    from domainkit.audio.functional.transducer import rnnt_loss
    from domainkit.audio.functional.varispeed import vary_speed
    from domainkit.audio.functional.voice_activity import vad

_HERE = "domainkit.audio.functional"
_HOME = {  # public name -> the module that defines it
    "CTCHypothesis": "ctc",
    "DB_to_amplitude": "decibels",
    "TokenSpan": "alignment",
    "add_noise": "noise",
    "allpass_biquad": "biquads",
    "amplitude_to_DB": "decibels",
    "apply_beamforming": "beamforming",
    "apply_codec": "coding",
    "band_biquad": "biquads",
    "bandpass_biquad": "biquads",
    "bandreject_biquad": "biquads",
    "bass_biquad": "biquads",
    "biquad": "biquads",
    "compute_deltas": "deltas",
    "contrast": "shaping",
    "convolve": "convolution",
    "create_dct": "filter_banks",
    "ctc_beam_decode": "ctc",
    "ctc_greedy_decode": "ctc",
    "dcshift": "shaping",
    "deemph_biquad": "biquads",
    "deemphasis": "emphasis",
    "detect_pitch_frequency": "pitch",
    "dither": "dithering",
    "edit_distance": "distances",
    "equalizer_biquad": "biquads",
    "fftconvolve": "convolution",
    "filtfilt": "recursion",
    "flanger": "modulation",
    "forced_align": "alignment",
    "frechet_distance": "distances",
    "gain": "decibels",
    "griffinlim": "phases",
    "highpass_biquad": "biquads",
    "inverse_spectrogram": "spectra",
    "kaldi_fbank": "kaldi",
    "kaldi_mfcc": "kaldi",
    "kaldi_num_frames": "kaldi",
    "kaldi_pitch": "pitch_tracking",
    "kaldi_spectrogram": "kaldi",
    "lfilter": "recursion",
    "linear_fbanks": "filter_banks",
    "loudness": "program_loudness",
    "loudness_r128": "program_loudness",
    "lowpass_biquad": "biquads",
    "mask_along_axis": "masking",
    "mask_along_axis_iid": "masking",
    "melscale_fbanks": "filter_banks",
    "merge_tokens": "alignment",
    "mu_law_decoding": "mu_law",
    "mu_law_encoding": "mu_law",
    "mvdr_weights_rtf": "beamforming",
    "mvdr_weights_souden": "beamforming",
    "overdrive": "shaping",
    "phase_vocoder": "phases",
    "phaser": "modulation",
    "pitch_shift": "shifting",
    "preemphasis": "emphasis",
    "psd": "beamforming",
    "resample": "resampling",
    "riaa_biquad": "biquads",
    "rnnt_loss": "transducer",
    "rtf_evd": "beamforming",
    "rtf_power": "beamforming",
    "simulate_rir_ism": "room_acoustics",
    "sliding_window_cmn": "moving_mean",
    "spectral_centroid": "spectra",
    "spectrogram": "spectra",
    "speed": "resampling",
    "treble_biquad": "biquads",
    "true_peak": "program_loudness",
    "vad": "voice_activity",
    "vary_speed": "varispeed",
}

__all__ = [
    "CTCHypothesis",
    "DB_to_amplitude",
    "TokenSpan",
    "add_noise",
    "allpass_biquad",
    "amplitude_to_DB",
    "apply_beamforming",
    "apply_codec",
    "band_biquad",
    "bandpass_biquad",
    "bandreject_biquad",
    "bass_biquad",
    "biquad",
    "compute_deltas",
    "contrast",
    "convolve",
    "create_dct",
    "ctc_beam_decode",
    "ctc_greedy_decode",
    "dcshift",
    "deemph_biquad",
    "deemphasis",
    "detect_pitch_frequency",
    "dither",
    "edit_distance",
    "equalizer_biquad",
    "fftconvolve",
    "filtfilt",
    "flanger",
    "forced_align",
    "frechet_distance",
    "gain",
    "griffinlim",
    "highpass_biquad",
    "inverse_spectrogram",
    "kaldi_fbank",
    "kaldi_mfcc",
    "kaldi_num_frames",
    "kaldi_pitch",
    "kaldi_spectrogram",
    "lfilter",
    "linear_fbanks",
    "loudness",
    "loudness_r128",
    "lowpass_biquad",
    "mask_along_axis",
    "mask_along_axis_iid",
    "melscale_fbanks",
    "merge_tokens",
    "mu_law_decoding",
    "mu_law_encoding",
    "mvdr_weights_rtf",
    "mvdr_weights_souden",
    "overdrive",
    "phase_vocoder",
    "phaser",
    "pitch_shift",
    "preemphasis",
    "psd",
    "resample",
    "riaa_biquad",
    "rnnt_loss",
    "rtf_evd",
    "rtf_power",
    "simulate_rir_ism",
    "sliding_window_cmn",
    "spectral_centroid",
    "spectrogram",
    "speed",
    "treble_biquad",
    "true_peak",
    "vad",
    "vary_speed",
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
