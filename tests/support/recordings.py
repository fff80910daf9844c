"""Recordings for tests: real ones, and made up ones in any format, by soundfile."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
import soundfile
import torch

import domainkit as dk


def sound(count: int, channels: int, rate: int, seed: int = 0) -> np.ndarray:
    """float32 [count, channels]: gliding tones, bursts of noise and pauses."""
    rng = np.random.default_rng(seed)
    t = np.arange(count) / rate
    pitches = 200 + 130 * np.arange(channels)
    tones = 0.4 * np.sin(2 * np.pi * np.outer(t, pitches) + 30 * np.sin(4 * t)[:, None])
    noise = 0.1 * rng.standard_normal((count, channels)) * (np.sin(5 * t) > 0)[:, None]
    return ((tones + noise) * (np.sin(2 * t) > -0.8)[:, None]).astype(np.float32)


@cache
def speech(count: int = 5) -> list[torch.Tensor]:
    """Real recordings at 8000 Hz, float32 [T_i]: the first prompts of the embedded set."""
    rows = dk.load_dataset("audio/voice-prompts", "train")
    return [rows[i]["audio"][0] for i in range(count)]


@cache
def encoded(
    kind: str, subtype: str, rate: int = 16000, channels: int = 1, seconds: float = 6.0, **how: Any
) -> bytes:
    """A file made by soundfile."""
    out = io.BytesIO()
    samples = sound(int(seconds * rate) + 123, channels, rate)
    soundfile.write(out, samples, rate, format=kind, subtype=subtype, **how)
    return out.getvalue()
