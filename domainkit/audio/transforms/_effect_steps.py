"""What the effects of a chain do to a padded batch: each keeps to the lengths of its items.

A step takes x [B, C, T], zero behind each end, and int64 lengths [B] on the host; it gives both
anew, and what then lies behind an end may be anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch

from domainkit.audio.functional.resampling import resample
from domainkit.audio.functional.resampling import speed as faster
from domainkit.audio.transforms._moving import taken_from

__all__ = [
    "Position",
    "Step",
    "fade",
    "flip",
    "normalize",
    "pad",
    "rate",
    "same_length",
    "speed",
    "trim",
    "vol",
]

Step: TypeAlias = Callable[[torch.Tensor, np.ndarray], tuple[torch.Tensor, np.ndarray]]
Position: TypeAlias = tuple[str, int]  # "=", "-" or "+" (start, end or what came before); samples
Done: TypeAlias = tuple[torch.Tensor, np.ndarray]


def same_length(
    x: torch.Tensor, lengths: np.ndarray, *, function: Callable[..., torch.Tensor], given: Any
) -> Done:
    """A function of waveforms of which no number depends on a later one."""
    return (function(x, **given) if x.numel() else x), lengths


def vol(x: torch.Tensor, lengths: np.ndarray, *, factor: float) -> Done:
    return (x * factor).clamp(-1.0, 1.0), lengths


def normalize(x: torch.Tensor, lengths: np.ndarray, *, db: float) -> Done:
    """The peak of each recording, over its channels, to ``db`` below or above full scale."""
    if not x.numel():
        return x, lengths
    peak = x.abs().amax((1, 2), keepdim=True)
    return x * torch.where(peak > 0, 10 ** (db / 20) / peak, 1), lengths


def flip(x: torch.Tensor, lengths: np.ndarray) -> Done:
    if not x.numel():
        return x, lengths
    last = torch.from_numpy(lengths - 1).to(x.device)
    place = (last[:, None] - torch.arange(x.shape[2], device=x.device)).clamp(min=0)
    return x.gather(2, place[:, None].expand(-1, x.shape[1], -1)), lengths


def trim(x: torch.Tensor, lengths: np.ndarray, *, start: Position, stop: Position | None) -> Done:
    first = _place(start, lengths, np.zeros_like(lengths))
    end = lengths if stop is None else np.maximum(_place(stop, lengths, first), first)
    return taken_from(x, torch.from_numpy(first).to(x.device), end - first)


def pad(x: torch.Tensor, lengths: np.ndarray, *, before: int, after: int) -> Done:
    starts = torch.full((len(x),), -before, device=x.device)
    return taken_from(x, starts, lengths + before + after)


def fade(
    x: torch.Tensor,
    lengths: np.ndarray,
    *,
    shape: str,
    before: int,
    stop: Position | None,
    after: int,
) -> Done:
    """In over ``before`` samples; with ``stop`` it ends there, after a fade of ``after``."""
    if stop is not None:
        lengths = _place(stop, lengths, np.zeros_like(lengths))
        x = x[..., : int(lengths.max(initial=0))]
    number = torch.arange(x.shape[2], device=x.device)
    gain = _rise(number, before, shape)[None]
    if stop is not None:
        left = torch.from_numpy(lengths - 1).to(x.device)[:, None] - number
        gain = gain * _rise(left, after, shape)
    return x * gain[:, None].to(x.dtype), lengths


def speed(x: torch.Tensor, lengths: np.ndarray, *, rate: int, factor: float) -> Done:
    y, after = faster(x, rate, factor, torch.from_numpy(lengths))
    assert after is not None
    return y, after.numpy()


def rate(x: torch.Tensor, lengths: np.ndarray, *, old: int, new: int, method: str) -> Done:
    return resample(x, old, new, resampling_method=method), -(-lengths * new // old)


def _place(position: Position, lengths: np.ndarray, previous: np.ndarray) -> np.ndarray:
    anchor, samples = position
    place = lengths - samples if anchor == "-" else previous * (anchor == "+") + samples
    placed: np.ndarray = np.clip(place, 0, lengths)
    return placed


def _rise(number: torch.Tensor, size: int, shape: str) -> torch.Tensor:
    """float64: from silence at 0 to 1 at sample ``size - 1`` and from there on."""
    part = (number.double() / max(size - 1, 1)).clamp(0, 1)
    if shape == "q":
        curve = torch.sin(part * (math.pi / 2))
    elif shape == "h":
        curve = 0.5 - 0.5 * torch.cos(part * math.pi)
    elif shape == "l":  # 100 dB evenly
        curve = 10 ** (5 * (part - 1))
    elif shape == "p":
        curve = 1 - (1 - part) ** 2
    else:
        curve = part
    return torch.where(number < size, curve, 1)
