"""How loud a recording is to the ear: ``loudness`` as torchaudio measures it, and the standard.

``loudness_r128`` and ``true_peak`` follow ITU-R BS.1770-4 and EBU R 128. Its filters are given for
48 kHz; here they are moved to any rate so that the response over frequency stays.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch

from domainkit.audio.functional.biquads import highpass_biquad, treble_biquad
from domainkit.audio.functional.checks import check_floating
from domainkit.audio.functional.recursion import lfilter
from domainkit.errors import TransformError

__all__ = ["loudness", "loudness_r128", "true_peak"]

_BLOCK, _STEP = 0.4, 0.1  # seconds
_OFFSET = -0.691  # what a 997 Hz tone gains by the weighting, taken off again
_SILENCE = -70.0  # LUFS
_BELOW = 10.0  # LU under the mean
_SURROUND = 1.41
# BS.1770-4, tables 1 and 2: zeros and poles at 48 kHz
_STAGES = (
    (
        (1.53512485958697, -2.69169618940638, 1.19839281085285),
        (1.0, -1.69065929318241, 0.73248077421585),
    ),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)
_BILINEAR = np.array([[1.0, 1.0, 1.0], [2.0, 0.0, -2.0], [1.0, -1.0, 1.0]])
_ZEROS = 12  # of the interpolating sinc on either side: 48 taps at 4 times the rate


def loudness(waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """The loudness of waveforms by torchaudio's filters, which are near those of ITU-R BS.1770-4.

    Args:
        waveform: floating [..., C, T] in [-1, 1], of at most 5 channels (left, right, centre, left
            and right surround) and 0.4 s at least.
        sample_rate: Hz.

    Returns:
        LKFS [...]; NaN for silence. ``loudness_r128`` is exact, and -inf then.

    Raises:
        TransformError: not a floating tensor [..., C, T]; more channels; a shorter waveform.

    Example:
        >>> tone = torch.sin(torch.arange(16000) * (2 * torch.pi * 997 / 16000))
        >>> loudness(tone[None] / 2, 16000).round()
        tensor(-9.)
    """
    _check("loudness", waveform)
    size, step = round(_BLOCK * sample_rate), round(_BLOCK * sample_rate * 0.25)
    if waveform.shape[-1] < size:
        raise TransformError(
            f"loudness needs {_BLOCK} s ({size} samples), got {waveform.shape[-1]}: loudness_r128 "
            "takes shorter ones"
        )
    weights = _weights("loudness", waveform, 5)
    bright = treble_biquad(waveform, sample_rate, 4.0, 1500.0, 1 / math.sqrt(2))
    weighted = highpass_biquad(bright, sample_rate, 38.0, 0.5)
    power = (weighted.square() * weights.to(weighted.dtype)[:, None]).sum(-2)
    blocks = power.unfold(-1, size, step).mean(-1)
    level = _OFFSET + 10 * blocks.log10()
    gate = level > _SILENCE
    kept = _mean(blocks, gate)
    gate = gate & (level > _OFFSET + 10 * kept.log10()[..., None] - _BELOW)
    return _OFFSET + 10 * _mean(blocks, gate).log10()


def loudness_r128(
    waveform: torch.Tensor, sample_rate: int, lengths: torch.Tensor | None = None
) -> torch.Tensor:
    """Integrated loudness by ITU-R BS.1770-4, which EBU R 128 asks for.

    Blocks of 0.4 s that lie wholly inside count, a new one every 0.1 s; a recording that is shorter
    than one is one. Those below -70 LUFS, and then those 10 LU below the mean, are left out.

    Args:
        waveform: floating [..., C, T]; full scale is 1. Up to 5 channels are left, right, centre,
            left and right surround; 6 have the low frequencies in the fourth place, which do not
            count.
        sample_rate: Hz.
        lengths: [...]: only so many samples of each waveform count; None: all.

    Returns:
        LUFS [...], which is LKFS, in the waveform's dtype; -inf for silence.

    Raises:
        TransformError: not a floating tensor [..., C, T]; more channels; lengths of another shape.

    Example:
        >>> tone = torch.sin(torch.arange(48000) * (2 * torch.pi * 997 / 48000))
        >>> loudness_r128(tone[None], 48000).round(decimals=2)
        tensor(-3.0100)
    """
    _check("loudness_r128", waveform)
    weights = _weights("loudness_r128", waveform, 6)
    length = waveform.shape[-1]
    lengths = _own_lengths("loudness_r128", waveform, lengths)
    # in float64: the sums over time need it, and so does the 38 Hz filter on a GPU
    x = waveform.double()
    for b, a in k_weighting(sample_rate):
        poles, zeros = (torch.tensor(v, dtype=torch.float64, device=x.device) for v in (a, b))
        x = lfilter(x, poles, zeros, clamp=False)
    power = (x.square() * weights[:, None]).sum(-2)
    sums = torch.nn.functional.pad(power.cumsum(-1), (1, 0))  # [..., T + 1]
    size = min(round(_BLOCK * sample_rate), length)
    count = 1 + max(0, math.floor((length / sample_rate - _BLOCK) / _STEP + 1e-9))
    starts = (torch.arange(count, device=x.device) * (_STEP * sample_rate)).round().long()
    starts = starts.clamp(max=length - size)
    inside = starts + size <= lengths[..., None]
    inside[..., 0] = lengths > 0
    ends = torch.minimum(starts + size, lengths[..., None])  # of a short recording its own end
    energy = sums.gather(-1, ends) - sums.gather(-1, starts.minimum(ends))
    blocks = energy / (ends - starts).clamp(min=1)
    level = _decibels(blocks)
    gate = inside & (level > _SILENCE)
    gate = gate & (level > _decibels(_mean(blocks, gate))[..., None] - _BELOW)
    return _decibels(_mean(blocks, gate)).to(waveform.dtype)


def true_peak(
    waveform: torch.Tensor, sample_rate: int, lengths: torch.Tensor | None = None
) -> torch.Tensor:
    """The highest level between the samples, by ITU-R BS.1770-4, annex 2.

    The waveform is interpolated by a windowed sinc to 192 kHz at least.

    Args:
        waveform: floating [..., C, T]; full scale is 1.
        sample_rate: Hz.
        lengths: [...]: only so many samples of each waveform count; None: all.

    Returns:
        dBTP [...], of the loudest channel; -inf for silence.

    Raises:
        TransformError: not a floating tensor [..., C, T]; lengths of another shape.

    Example:
        >>> between = torch.sin((torch.arange(4800) + 0.5) * (torch.pi / 2))  # peaks at 0.7071
        >>> true_peak(between[None], 48000).round().abs()
        tensor(0.)
    """
    _check("true_peak", waveform)
    lengths = _own_lengths("true_peak", waveform, lengths)
    inside = torch.arange(waveform.shape[-1], device=waveform.device) < lengths[..., None]
    x = torch.where(inside[..., None, :], waveform, 0)
    times = max(1, math.ceil(192_000 / sample_rate))
    phase = torch.arange(times, dtype=torch.float64, device=x.device)[:, None] / times
    tap = torch.arange(-_ZEROS, _ZEROS + 1, dtype=torch.float64, device=x.device) - phase
    window = torch.where(tap.abs() < _ZEROS, torch.cos(tap * (math.pi / 2 / _ZEROS)).square(), 0)
    kernel = (torch.sinc(tap) * window).to(x.dtype)[:, None]
    rows = x.reshape(-1, 1, x.shape[-1])
    dense = torch.nn.functional.conv1d(rows, kernel, padding=_ZEROS)
    peak = dense.abs().amax((1, 2)).view(x.shape[:-1]).amax(-1)
    return 20 * peak.log10()


@functools.lru_cache(maxsize=32)
def k_weighting(sample_rate: int) -> tuple[tuple[list[float], list[float]], ...]:
    """b and a of the two stages of BS.1770-4's weighting at a rate (Hz).

    The standard gives them for 48 kHz and asks for the same response at other rates. The high-pass
    of 38 Hz is moved by undoing the bilinear transform. That would press the shelf of 1.7 kHz
    together under half the rate (0.2 dB too little for 997 Hz at 8 kHz), so its response is fitted:
    the error is below 0.03 dB at 8 kHz, 0.003 dB from 16 kHz on.
    """
    shelf, high = ((np.array(b), np.array(a)) for b, a in _STAGES)
    if sample_rate != 48000:
        shelf, high = _fitted(*shelf, sample_rate), _moved(*high, sample_rate)
    return tuple((b.tolist(), a.tolist()) for b, a in (shelf, high))


def _moved(b: Any, a: Any, rate: int) -> tuple[Any, Any]:
    """A filter of 48 kHz at another rate, of low frequencies.

    With z^-1 = (1 - s) / (1 + s) a polynomial b0 + b1 z^-1 + b2 z^-2 is, but for (1 + s)^2,
    (b0 + b1 + b2) + 2 (b0 - b2) s + (b0 - b1 + b2) s^2, and the same formula leads back. s is
    i tan(pi f / rate): it is scaled so that the filter's own frequency, where its poles have
    |s| = 1, stays what it was.
    """
    zeros, poles = _BILINEAR @ b, _BILINEAR @ a
    own = math.sqrt(poles[0] / poles[2])  # tan(pi f / 48000)
    k = own / math.tan(math.atan(own) * 48000 / rate)
    zeros, poles = (_BILINEAR @ (c * [1.0, k, k * k]) for c in (zeros, poles))
    return zeros / poles[0], poles / poles[0]


def _fitted(b: Any, a: Any, rate: int) -> tuple[Any, Any]:
    """A filter of 48 kHz at another rate, of nearly the same response to all that is heard.

    The squared response is p(c) / q(c) with quadratic p and q of c = cos(w), q(0) = 1. Least
    squares of p - wanted q, over and over, each divided by the q before: the error of p / q
    (C. Sanathanan and J. Koerner, IEEE Transactions on Automatic Control 8, 1963).
    """
    f = np.geomspace(50.0, min(rate / 2, 20_000.0), 400)
    wanted = _power(b, f, 48000) / _power(a, f, 48000)
    c = np.cos(2 * np.pi * f / rate)
    p, q = np.ones(3), np.array([1.0, 0.0, 0.0])
    for _ in range(12):
        scale = wanted * np.polynomial.polynomial.polyval(c, q)
        rows = np.stack([c**0, c, c * c, -wanted * c, -wanted * c * c], 1) / scale[:, None]
        found = np.linalg.lstsq(rows, wanted / scale, rcond=None)[0]
        p, q = found[:3], np.array([1.0, *found[3:]])
    zeros, poles = _factor(p), _factor(q)
    return zeros / poles[0], poles / poles[0]


def _power(c: Any, f: Any, rate: int) -> Any:
    return np.abs(np.exp(-2j * np.pi * f / rate)[:, None] ** np.arange(3) @ c) ** 2


def _factor(p: Any) -> Any:
    """The polynomial of z^-1 with all roots in the circle and the power p(cos(w))."""
    cosines = np.roots(p[::-1]).astype(complex)
    z = cosines + np.sqrt(cosines**2 - 1)  # cos(w) is (z + 1 / z) / 2
    made = np.poly(np.where(np.abs(z) > 1, 1 / z, z)).real
    return made * math.sqrt(p.sum()) / made.sum()


def _mean(blocks: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
    """The mean of the gated blocks; NaN where there are none."""
    return torch.where(gate, blocks, 0).sum(-1) / gate.sum(-1)


def _decibels(power: torch.Tensor) -> torch.Tensor:
    power = torch.where(power > 0, power, 0)  # of no block at all: NaN
    return _OFFSET + 10 * power.log10()


def _weights(name: str, waveform: torch.Tensor, most: int) -> torch.Tensor:
    channels = waveform.shape[-2]
    if not 1 <= channels <= most:
        raise TransformError(f"{name} takes 1 to {most} channels, got {channels}: mix some of them")
    whole = [1.0, 1.0, 1.0, _SURROUND, _SURROUND]
    if channels == 6:
        whole.insert(3, 0.0)
    return torch.tensor(whole[:channels], dtype=torch.float64, device=waveform.device)


def _own_lengths(name: str, waveform: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    shape = waveform.shape[:-2]
    if lengths is None:
        return torch.full(shape, waveform.shape[-1], device=waveform.device)
    if lengths.shape != shape:
        raise TransformError(
            f"{name}: lengths has one number per recording, {tuple(shape)}, got "
            f"{tuple(lengths.shape)}"
        )
    return lengths.to(waveform.device)


def _check(name: str, waveform: torch.Tensor) -> None:
    check_floating(name, waveform, what="a waveform [..., C, T]")
    if waveform.ndim < 2 or waveform.shape[-1] < 1:
        raise TransformError(
            f"{name} takes a waveform [..., C, T] with samples, got {tuple(waveform.shape)}: mono "
            "is waveform[None]"
        )
