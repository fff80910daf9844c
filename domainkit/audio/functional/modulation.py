"""``flanger`` and ``phaser``: a sound and a copy of it, delayed by a little that comes and goes.

Arguments, waves and numbers are those of SoX and torchaudio.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from domainkit.audio.functional.checks import check_floating
from domainkit.audio.functional.delay_line import delayed, feed_back
from domainkit.errors import TransformError

__all__ = ["flanger", "phaser"]


def flanger(  # noqa: PLR0917  # torchaudio's arguments
    waveform: torch.Tensor,
    sample_rate: int,
    delay: float = 0.0,
    depth: float = 2.0,
    regen: float = 0.0,
    width: float = 71.0,
    speed: float = 0.5,
    phase: float = 25.0,
    modulation: str = "sinusoidal",
    interpolation: str = "linear",
) -> torch.Tensor:
    """Mix in a copy whose delay swings, so that a comb of notches wanders through the spectrum.

    Args:
        waveform: floating [..., C, T], cut to [-1, 1] at the end; [T] is one channel.
        sample_rate: Hz.
        delay: the least delay, 0..30 ms. depth: how much it swings, 0..10 ms.
        regen: per cent of the delayed sound that is delayed again, -95..95.
        width: per cent of it in the mixture, 0..100.
        speed: swings in a second, 0.1..10 Hz.
        phase: how far the next channel's swing is ahead, per cent of a whole one, 0..100.
        modulation: "sinusoidal" or "triangular".
        interpolation: "linear" or "quadratic", between samples.

    Raises:
        TransformError: not a floating tensor; an argument outside its range.

    Example:
        >>> flanger(torch.zeros(2, 100), 16000).shape
        torch.Size([2, 100])
    """
    check_floating("flanger", waveform)
    _check_range("flanger", "delay", delay, 0, 30)
    _check_range("flanger", "depth", depth, 0, 10)
    _check_range("flanger", "regen", regen, -95, 95)
    _check_range("flanger", "width", width, 0, 100)
    _check_range("flanger", "speed", speed, 0.1, 10)
    _check_range("flanger", "phase", phase, 0, 100)
    for name, value, known in (
        ("modulation", modulation, ("sinusoidal", "triangular")),
        ("interpolation", interpolation, ("linear", "quadratic")),
    ):
        if value not in known:
            raise TransformError(f"flanger: {name} is {' or '.join(known)}, got {value!r}")
    x = waveform if waveform.ndim > 1 else waveform[None]
    channels, length = x.shape[-2:]
    longest = int((delay + depth) / 1000 * sample_rate + 0.5)
    shortest = math.floor(delay / 1000 * sample_rate + 0.5)
    swing = _wave(
        int(sample_rate / speed), shortest, longest, 3 * math.pi / 2, modulation == "sinusoidal"
    )
    starts = [int(c * len(swing) * phase / 100 + 0.5) for c in range(channels)]
    ticks = (np.arange(length)[None] + np.array(starts)[:, None]) % len(swing)
    delays, weights = (v.to(x.device) for v in _taps(swing[ticks], interpolation))
    back, mix = regen / 100, width / 100
    dry = 1 / (1 + mix)
    wet = mix * dry * (1 - abs(back))
    rows = x.reshape(-1, channels, length)
    # what is fed back at t was read at t - 1: one sample more of delay
    line = feed_back(rows, _later(delays) + 1, _later(weights), back)
    out = dry * rows + wet * delayed(line, delays, weights)
    return out.clamp(-1.0, 1.0).view(waveform.shape)


def phaser(  # noqa: PLR0917  # torchaudio's arguments
    waveform: torch.Tensor,
    sample_rate: int,
    gain_in: float = 0.4,
    gain_out: float = 0.74,
    delay_ms: float = 3.0,
    decay: float = 0.4,
    mod_speed: float = 0.5,
    sinusoidal: bool = True,
) -> torch.Tensor:
    """A copy whose delay swings is fed back, so that resonances wander through the spectrum.

    Args:
        waveform: floating [..., T], cut to [-1, 1] at the end.
        sample_rate: Hz.
        gain_in, gain_out: factors before and behind, 0..1 and 0..1e9.
        delay_ms: the longest delay, 0..5 ms.
        decay: the part of the delayed sound that goes back, 0..0.99.
        mod_speed: swings in a second, 0.1..2 Hz.
        sinusoidal: how it swings, else as a triangle.

    Raises:
        TransformError: not a floating tensor; an argument outside its range.

    Example:
        >>> phaser(torch.zeros(2, 100), 16000).shape
        torch.Size([2, 100])
    """
    check_floating("phaser", waveform)
    _check_range("phaser", "gain_in", gain_in, 0, 1)
    _check_range("phaser", "gain_out", gain_out, 0, 1e9)
    _check_range("phaser", "delay_ms", delay_ms, 0, 5)
    _check_range("phaser", "decay", decay, 0, 0.99)
    _check_range("phaser", "mod_speed", mod_speed, 0.1, 2)
    longest = int(delay_ms / 1000 * sample_rate + 0.5)
    if longest < 1:
        raise TransformError(f"phaser: {delay_ms} ms are no sample at {sample_rate} Hz")
    length = waveform.shape[-1]
    table = _wave(int(sample_rate / mod_speed + 0.5), 1, longest, math.pi / 2, sinusoidal)
    whole = np.floor(table + 0.5).astype(np.int64)[np.arange(length) % len(table)]
    # SoX reads its ring of ``longest`` samples that far ahead of where it will write
    delays = torch.from_numpy(longest + 1 - whole).to(waveform.device)[None, None]
    weights = torch.ones(1, 1, length, dtype=torch.float64, device=waveform.device)
    rows = waveform.reshape(-1, 1, length) * gain_in
    return (
        (feed_back(rows, delays, weights, decay) * gain_out).clamp(-1.0, 1.0).view(waveform.shape)
    )


def _wave(size: int, low: float, high: float, phase: float, sinusoidal: bool) -> np.ndarray:
    """One period of a wave from ``low`` to ``high``, ``size`` float32 numbers: SoX's table."""
    offset = int(phase / math.pi / 2 * size + 0.5)
    turn = (np.arange(size) + offset) % size / size
    if sinusoidal:
        unit = (np.sin(2 * np.pi * turn) + 1) / 2
    else:  # rises from a half, falls from the first quarter to the third, rises again
        unit = np.where(
            turn < 0.25, 2 * turn + 0.5, np.where(turn < 0.75, 1.5 - 2 * turn, 2 * turn - 1.5)
        )
    return (unit * (high - low) + low).astype(np.float32)


def _taps(delay: np.ndarray, interpolation: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Whole delays and weights [C, K, T] for delays [C, T] between samples."""
    whole = np.floor(delay)
    f = delay - whole
    if interpolation == "linear":
        weights = np.stack([1 - f, f], 1)
    else:  # the parabola through three samples
        weights = np.stack([(1 - f) * (2 - f) / 2, f * (2 - f), f * (f - 1) / 2], 1)
    delays = whole.astype(np.int64)[:, None] + np.arange(weights.shape[1])[None, :, None]
    return torch.from_numpy(delays), torch.from_numpy(weights)


def _later(x: torch.Tensor) -> torch.Tensor:
    """The same numbers one sample later; the first one twice (nothing comes before it)."""
    return torch.cat([x[..., :1], x[..., :-1]], -1)


def _check_range(name: str, argument: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise TransformError(f"{name}: {argument} is in {low}..{high}, got {value}")
