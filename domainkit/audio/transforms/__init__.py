"""Batch transforms for recordings: dense [B, C, T] or ``Ragged`` items [C, T_i], a draw per sample.

All of them read and write ``batch["audio"]``; ``LogMel`` replaces the waveforms there by features,
frames first: dense [B, T, M] or ``Ragged`` items [T_i, M].
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.audio.transforms.crop import CenterCrop, RandomCrop
    from domainkit.audio.transforms.filter import RandomFilter
    from domainkit.audio.transforms.gain import Gain, RandomGain
    from domainkit.audio.transforms.log_mel import LogMel
    from domainkit.audio.transforms.mix import MixUp, SpecCutMix
    from domainkit.audio.transforms.mono import Mono
    from domainkit.audio.transforms.noise import RandomNoise
    from domainkit.audio.transforms.resample import Resample
    from domainkit.audio.transforms.spec_augment import SpecAugment
    from domainkit.audio.transforms.speed import RandomSpeed, Speed, SpeedPerturbation
    from domainkit.audio.transforms.standardize import Standardize
    from domainkit.audio.transforms.two_signals import AddNoise, Convolve, FFTConvolve
    from domainkit.transform import Compose

_HERE = "domainkit.audio.transforms"
_HOME = {  # public name -> the module that defines it
    "AddNoise": f"{_HERE}.two_signals",
    "CenterCrop": f"{_HERE}.crop",
    "Compose": "domainkit.transform",
    "Convolve": f"{_HERE}.two_signals",
    "FFTConvolve": f"{_HERE}.two_signals",
    "Gain": f"{_HERE}.gain",
    "LogMel": f"{_HERE}.log_mel",
    "MixUp": f"{_HERE}.mix",
    "Mono": f"{_HERE}.mono",
    "RandomCrop": f"{_HERE}.crop",
    "RandomFilter": f"{_HERE}.filter",
    "RandomGain": f"{_HERE}.gain",
    "RandomNoise": f"{_HERE}.noise",
    "RandomSpeed": f"{_HERE}.speed",
    "Resample": f"{_HERE}.resample",
    "SpecAugment": f"{_HERE}.spec_augment",
    "SpecCutMix": f"{_HERE}.mix",
    "Speed": f"{_HERE}.speed",
    "SpeedPerturbation": f"{_HERE}.speed",
    "Standardize": f"{_HERE}.standardize",
}

__all__ = [
    "AddNoise",
    "CenterCrop",
    "Compose",
    "Convolve",
    "FFTConvolve",
    "Gain",
    "LogMel",
    "MixUp",
    "Mono",
    "RandomCrop",
    "RandomFilter",
    "RandomGain",
    "RandomNoise",
    "RandomSpeed",
    "Resample",
    "SpecAugment",
    "SpecCutMix",
    "Speed",
    "SpeedPerturbation",
    "Standardize",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'domainkit.audio.transforms' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
