"""Batch transforms for recordings: dense [B, C, T] or ``Ragged`` items [C, T_i], a draw per sample.

All of them read and write ``batch["audio"]``; ``LogMel`` replaces the waveforms there by features,
frames first: dense [B, T, M] or ``Ragged`` items [T_i, M].
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.audio.transforms.gain import Gain, RandomGain
    from domainkit.audio.transforms.kaldi import KaldiFbank, KaldiMFCC
    from domainkit.audio.transforms.log_mel import LogMel
    from domainkit.audio.transforms.mono import Mono
    from domainkit.audio.transforms.pcen import PCEN
    from domainkit.audio.transforms.resample import Resample
    from domainkit.audio.transforms.spec_augment import SpecAugment
    from domainkit.audio.transforms.standardize import Standardize
    from domainkit.audio.transforms.whisper import WhisperLogMel
    from domainkit.transform import Compose

_HERE = "domainkit.audio.transforms"
_HOME = {  # public name -> the module that defines it
    "Compose": "domainkit.transform",
    "Gain": f"{_HERE}.gain",
    "KaldiFbank": f"{_HERE}.kaldi",
    "KaldiMFCC": f"{_HERE}.kaldi",
    "LogMel": f"{_HERE}.log_mel",
    "Mono": f"{_HERE}.mono",
    "PCEN": f"{_HERE}.pcen",
    "RandomGain": f"{_HERE}.gain",
    "Resample": f"{_HERE}.resample",
    "SpecAugment": f"{_HERE}.spec_augment",
    "Standardize": f"{_HERE}.standardize",
    "WhisperLogMel": f"{_HERE}.whisper",
}

__all__ = [
    "Compose",
    "Gain",
    "KaldiFbank",
    "KaldiMFCC",
    "LogMel",
    "Mono",
    "PCEN",
    "RandomGain",
    "Resample",
    "SpecAugment",
    "Standardize",
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
