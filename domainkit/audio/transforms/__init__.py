"""Batch transforms for recordings: dense [B, C, T] or ``Ragged`` items [C, T_i], a draw per sample.

All of them read and write ``batch["audio"]``; ``LogMel`` replaces the waveforms there by features,
frames first: dense [B, T, M] or ``Ragged`` items [T_i, M].
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.audio.transforms.beamformers import MVDR, PSD, RTFMVDR, RNNTLoss, SoudenMVDR
    from domainkit.audio.transforms.cepstra import LFCC, MFCC
    from domainkit.audio.transforms.codec import RandomCodec
    from domainkit.audio.transforms.cqt import CQT
    from domainkit.audio.transforms.crop import CenterCrop, RandomCrop
    from domainkit.audio.transforms.decibels import AmplitudeToDB
    from domainkit.audio.transforms.deltas import ComputeDeltas, SlidingWindowCmn
    from domainkit.audio.transforms.distortion import RandomClip, RandomPolarity
    from domainkit.audio.transforms.effects import Effects
    from domainkit.audio.transforms.emphasis import Deemphasis, Preemphasis
    from domainkit.audio.transforms.fade import Fade, Vol
    from domainkit.audio.transforms.filter import RandomFilter
    from domainkit.audio.transforms.gain import Gain, RandomGain
    from domainkit.audio.transforms.inverse_spectrogram import GriffinLim, InverseSpectrogram
    from domainkit.audio.transforms.kaldi import KaldiFbank, KaldiMFCC
    from domainkit.audio.transforms.kaldi_pitch import KaldiPitch
    from domainkit.audio.transforms.log_mel import LogMel
    from domainkit.audio.transforms.loudness import Loudness, NormalizeLoudness
    from domainkit.audio.transforms.masking import FrequencyMasking, TimeMasking
    from domainkit.audio.transforms.mel_scale import InverseMelScale, MelScale
    from domainkit.audio.transforms.mix import MixUp, SpecCutMix
    from domainkit.audio.transforms.mono import Mono
    from domainkit.audio.transforms.mu_law import MuLawDecoding, MuLawEncoding
    from domainkit.audio.transforms.noise import RandomNoise
    from domainkit.audio.transforms.pcen import PCEN
    from domainkit.audio.transforms.pitch import PitchShift, RandomPitch
    from domainkit.audio.transforms.resample import Resample
    from domainkit.audio.transforms.room_response import RandomRoomResponse
    from domainkit.audio.transforms.spec_augment import SpecAugment
    from domainkit.audio.transforms.spectrogram import MelSpectrogram, SpectralCentroid, Spectrogram
    from domainkit.audio.transforms.speed import RandomSpeed, Speed, SpeedPerturbation
    from domainkit.audio.transforms.standardize import Standardize
    from domainkit.audio.transforms.time_stretch import TimeStretch
    from domainkit.audio.transforms.trimming import TrimSilence, Vad
    from domainkit.audio.transforms.two_signals import AddNoise, Convolve, FFTConvolve
    from domainkit.audio.transforms.whisper import WhisperLogMel
    from domainkit.transform import Compose

_HERE = "domainkit.audio.transforms"
_HOME = {  # public name -> the module that defines it
    "AddNoise": f"{_HERE}.two_signals",
    "AmplitudeToDB": f"{_HERE}.decibels",
    "CQT": f"{_HERE}.cqt",
    "CenterCrop": f"{_HERE}.crop",
    "Compose": "domainkit.transform",
    "ComputeDeltas": f"{_HERE}.deltas",
    "Convolve": f"{_HERE}.two_signals",
    "Deemphasis": f"{_HERE}.emphasis",
    "Effects": f"{_HERE}.effects",
    "FFTConvolve": f"{_HERE}.two_signals",
    "Fade": f"{_HERE}.fade",
    "FrequencyMasking": f"{_HERE}.masking",
    "Gain": f"{_HERE}.gain",
    "GriffinLim": f"{_HERE}.inverse_spectrogram",
    "InverseMelScale": f"{_HERE}.mel_scale",
    "InverseSpectrogram": f"{_HERE}.inverse_spectrogram",
    "KaldiFbank": f"{_HERE}.kaldi",
    "KaldiMFCC": f"{_HERE}.kaldi",
    "KaldiPitch": f"{_HERE}.kaldi_pitch",
    "LFCC": f"{_HERE}.cepstra",
    "LogMel": f"{_HERE}.log_mel",
    "Loudness": f"{_HERE}.loudness",
    "MFCC": f"{_HERE}.cepstra",
    "MVDR": f"{_HERE}.beamformers",
    "MelScale": f"{_HERE}.mel_scale",
    "MelSpectrogram": f"{_HERE}.spectrogram",
    "MixUp": f"{_HERE}.mix",
    "Mono": f"{_HERE}.mono",
    "MuLawDecoding": f"{_HERE}.mu_law",
    "MuLawEncoding": f"{_HERE}.mu_law",
    "NormalizeLoudness": f"{_HERE}.loudness",
    "PCEN": f"{_HERE}.pcen",
    "PSD": f"{_HERE}.beamformers",
    "PitchShift": f"{_HERE}.pitch",
    "Preemphasis": f"{_HERE}.emphasis",
    "RNNTLoss": f"{_HERE}.beamformers",
    "RTFMVDR": f"{_HERE}.beamformers",
    "RandomClip": f"{_HERE}.distortion",
    "RandomCodec": f"{_HERE}.codec",
    "RandomCrop": f"{_HERE}.crop",
    "RandomFilter": f"{_HERE}.filter",
    "RandomGain": f"{_HERE}.gain",
    "RandomNoise": f"{_HERE}.noise",
    "RandomPitch": f"{_HERE}.pitch",
    "RandomPolarity": f"{_HERE}.distortion",
    "RandomRoomResponse": f"{_HERE}.room_response",
    "RandomSpeed": f"{_HERE}.speed",
    "Resample": f"{_HERE}.resample",
    "SlidingWindowCmn": f"{_HERE}.deltas",
    "SoudenMVDR": f"{_HERE}.beamformers",
    "SpecAugment": f"{_HERE}.spec_augment",
    "SpecCutMix": f"{_HERE}.mix",
    "SpectralCentroid": f"{_HERE}.spectrogram",
    "Spectrogram": f"{_HERE}.spectrogram",
    "Speed": f"{_HERE}.speed",
    "SpeedPerturbation": f"{_HERE}.speed",
    "Standardize": f"{_HERE}.standardize",
    "TimeMasking": f"{_HERE}.masking",
    "TimeStretch": f"{_HERE}.time_stretch",
    "TrimSilence": f"{_HERE}.trimming",
    "Vad": f"{_HERE}.trimming",
    "Vol": f"{_HERE}.fade",
    "WhisperLogMel": f"{_HERE}.whisper",
}

__all__ = [
    "AddNoise",
    "AmplitudeToDB",
    "CQT",
    "CenterCrop",
    "Compose",
    "ComputeDeltas",
    "Convolve",
    "Deemphasis",
    "Effects",
    "FFTConvolve",
    "Fade",
    "FrequencyMasking",
    "Gain",
    "GriffinLim",
    "InverseMelScale",
    "InverseSpectrogram",
    "KaldiFbank",
    "KaldiMFCC",
    "KaldiPitch",
    "LFCC",
    "LogMel",
    "Loudness",
    "MFCC",
    "MVDR",
    "MelScale",
    "MelSpectrogram",
    "MixUp",
    "Mono",
    "MuLawDecoding",
    "MuLawEncoding",
    "NormalizeLoudness",
    "PCEN",
    "PSD",
    "PitchShift",
    "Preemphasis",
    "RNNTLoss",
    "RTFMVDR",
    "RandomClip",
    "RandomCodec",
    "RandomCrop",
    "RandomFilter",
    "RandomGain",
    "RandomNoise",
    "RandomPitch",
    "RandomPolarity",
    "RandomRoomResponse",
    "RandomSpeed",
    "Resample",
    "SlidingWindowCmn",
    "SoudenMVDR",
    "SpecAugment",
    "SpecCutMix",
    "SpectralCentroid",
    "Spectrogram",
    "Speed",
    "SpeedPerturbation",
    "Standardize",
    "TimeMasking",
    "TimeStretch",
    "TrimSilence",
    "Vad",
    "Vol",
    "WhisperLogMel",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'domainkit.audio.transforms' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
