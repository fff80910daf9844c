"""Audio: files, readers, functions, batch transforms and models for recordings.

A waveform is float32 [C, T] in [-1, 1]; a batch of them is dense [B, C, T] or a ``Ragged`` of items
[C, T_i]. Features are frames first: dense [B, T, M] or a ``Ragged`` of items [T_i, M].
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.audio import datasets, functional, models, transforms
    from domainkit.audio.codec import AudioInfo, AudioStream, Raw, info, load, save, stream

_FILES = ("AudioInfo", "AudioStream", "Raw", "info", "load", "save", "stream")

__all__ = [
    "AudioInfo",
    "AudioStream",
    "Raw",
    "datasets",
    "functional",
    "info",
    "load",
    "models",
    "save",
    "stream",
    "transforms",
]


def __getattr__(name: str) -> Any:
    if name in _FILES:
        return getattr(importlib.import_module("domainkit.audio.codec"), name)
    if name in __all__:
        return importlib.import_module(f"domainkit.audio.{name}")
    raise AttributeError(f"module 'domainkit.audio' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
