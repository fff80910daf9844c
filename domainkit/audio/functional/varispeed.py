"""``vary_speed``: each waveform of a batch faster or slower by a factor of its own.

A factor that is any number has no short filter bank, as ``resample`` needs. So the waveform is put
on a grid twice as fine by Fourier transforms, block by block, where what the new speed cannot hold
is taken away as well (each waveform has its own limit); between the points of that grid a filter of
12 points interpolates (J. O. Smith, "Digital Audio Resampling", CCRMA, 2002).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from domainkit.audio.functional._high_quality import CUTOFF, ZEROS, lowpass
from domainkit.audio.functional.checks import check_floating
from domainkit.errors import TransformError

__all__ = ["vary_speed"]

TAPS = 12
_BETA = 9.0  # of the interpolator's window: side lobes below -90 dB
_PHASES = 1024
_BLOCK = 4096
_MOST = 8.0


def vary_speed(
    waveform: torch.Tensor, factor: torch.Tensor, lengths: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Faster or slower, and higher or lower with it: ``out[t] = waveform[factor * t]``.

    Errors are below -78 dB up to .93 of the lower Nyquist frequency; what would alias is removed.

    Args:
        waveform: float32 or float64 [B, ..., T]; outside its ends is silence.
        factor: [B], in [1/8, 8], on the host; 2 is twice as fast.
        lengths: int64 [B] on the host: valid samples; None: all. Behind them the waveform must be
            zero.

    Returns:
        [B, ..., T'], T' the longest, and int64 [B] on the host, ceil(length / factor). Behind a
        length is what the filter makes of the end, then zeros.

    Raises:
        TransformError: shapes that do not belong together, a factor outside its range.

    Example:
        >>> tone = torch.sin(0.1 * torch.arange(4000.0))[None]
        >>> out, lengths = vary_speed(tone, torch.tensor([1.6]))
        >>> error = out[0, 500:2000] - torch.sin(0.16 * torch.arange(500.0, 2000.0))
        >>> lengths, bool(error.abs().max() < 1e-4)
        (tensor([2500]), True)
    """
    check_floating("vary_speed", waveform, what="waveforms [B, ..., T]")
    if waveform.ndim < 2 or factor.shape != waveform.shape[:1]:
        raise TransformError(
            f"vary_speed takes waveforms [B, ..., T] and a factor for each, got "
            f"{tuple(waveform.shape)} and {tuple(factor.shape)}"
        )
    steps = factor.double().cpu().numpy()
    if not ((steps >= 1 / _MOST) & (steps <= _MOST)).all():
        raise TransformError(f"vary_speed: factors lie in [1/8, 8], got {factor.tolist()}")
    before = np.full(len(steps), waveform.shape[-1]) if lengths is None else lengths.numpy()
    after = np.ceil(before / steps - 1e-9).astype(np.int64)
    longest = int(after.max(initial=0))
    if not waveform.numel() or not longest:
        return waveform.new_zeros(*waveform.shape[:-1], longest), torch.from_numpy(after)
    fine = _twice(waveform.flatten(1, -2) if waveform.ndim > 2 else waveform[:, None], steps)
    out = _between(fine, 2 * steps, longest)
    return out.view(*waveform.shape[:-1], longest), torch.from_numpy(after)


def _twice(x: torch.Tensor, steps: np.ndarray) -> torch.Tensor:
    """[B, C, T] -> [B, C, 2 T + TAPS at least], number 2 k + TAPS // 2 - 1 at the time of k."""
    rows, _, length = x.shape
    edge = int(np.ceil(ZEROS / CUTOFF * max(1.0, steps.max()))) + TAPS // 2
    size = _BLOCK
    while size < 8 * edge:
        size *= 2
    kept = size - 2 * edge
    blocks = -(-(length + TAPS) // kept)
    limits = np.minimum(1.0, 1.0 / steps)
    bins = np.linspace(0, 1, size // 2 + 1)
    weights = np.stack([lowpass(bins / limit) for limit in limits]) * 2.0
    gains = torch.from_numpy(weights).to(device=x.device, dtype=x.dtype)
    lead = TAPS // 4  # samples of the old grid: what the interpolator sees before the start
    behind = blocks * kept + edge - length - lead
    parts = []
    # on a CPU row by row: what is at work stays in its cache
    together = 1 if x.device.type == "cpu" else rows
    for some, gain in zip(x.split(together), gains.split(together), strict=True):
        padded = torch.nn.functional.pad(some, (edge + lead, behind))
        spectrum = torch.fft.rfft(padded.unfold(-1, size, kept)) * gain[:, None, None]
        wide = torch.fft.irfft(spectrum, 2 * size)[..., 2 * edge : 2 * (edge + kept)]
        parts.append(wide.flatten(2))
    return torch.cat(parts)


def _between(fine: torch.Tensor, steps: np.ndarray, longest: int) -> torch.Tensor:
    """[B, C, N] read at steps[b] * 0, 1, 2 ...: [B, C, longest]."""
    table = _table()
    wanted = torch.is_grad_enabled() and fine.requires_grad
    if fine.device.type == "cpu" and not wanted and not torch.compiler.is_compiling():
        from domainkit.audio.functional import _numba_varispeed

        signal = fine.detach().numpy()
        done = np.zeros((*fine.shape[:2], longest), dtype=signal.dtype)
        _numba_varispeed.read(signal, steps, table, done)
        return torch.from_numpy(done)
    lead = 2 * (TAPS // 4) - (TAPS // 2 - 1)
    times = torch.arange(longest, dtype=torch.float64, device=fine.device)
    places = torch.from_numpy(steps).to(fine.device)[:, None] * times
    first = places.floor()
    phase = (places - first) * _PHASES
    line = phase.floor()
    weight = (phase - line).to(fine.dtype)
    first, line = first.long() + lead, line.long()
    inside = first + TAPS <= fine.shape[-1]
    first = first.clamp(max=fine.shape[-1] - TAPS)
    lines = torch.from_numpy(table).to(device=fine.device, dtype=fine.dtype)
    out = fine.new_zeros(*fine.shape[:2], longest)
    for k in range(TAPS):
        left, right = lines[line, k], lines[line + 1, k]
        values = fine.gather(2, (first + k)[:, None].expand(-1, fine.shape[1], -1))
        out = out + values * (left + weight * (right - left))[:, None]
    return out * inside[:, None]


@lru_cache(maxsize=1)
def _table() -> np.ndarray:
    """[phases + 1, taps]: the interpolator's weights for a place between points 5 and 6 of 12.

    The signal fills half the band of the fine grid, so the filter may fall off between .5 and 1.5
    of its Nyquist frequency: few points are enough.
    """
    phase = np.arange(_PHASES + 1)[:, None] / _PHASES
    time = np.arange(TAPS)[None, :] - (TAPS // 2 - 1) - phase
    window = np.i0(_BETA * np.sqrt(np.maximum(0, 1 - (time / (TAPS / 2)) ** 2))) / np.i0(_BETA)
    weights = np.sinc(time) * window
    table: np.ndarray = weights / weights.sum(1, keepdims=True)
    return table
