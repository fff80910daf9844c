"""``resample`` and ``speed``: another sample rate, by windowed-sinc interpolation.

Method: J. O. Smith, "Digital Audio Resampling" (CCRMA, 2002). Short filters are applied as products
of matrices: the outputs of a few neighbouring phases need a short stretch of the signal, so a block
of them is one small matrix, and nothing is multiplied by the zeros that a full bank of filters is
made of. The long filter of "high_quality" is applied by Fourier transforms.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from domainkit.audio.functional._high_quality import by_transforms
from domainkit.audio.functional.checks import check_floating, check_whole
from domainkit.errors import TransformError

__all__ = ["resample", "speed"]

METHODS = ("sinc_interp_hann", "sinc_interp_kaiser", "high_quality")
KAISER_BETA = 14.769656459379492  # of librosa's kaiser_best, which torchaudio took as its default
_COLUMNS = 32  # outputs of one product


def resample(  # noqa: PLR0917 - torchaudio's
    waveform: torch.Tensor,
    orig_freq: int,
    new_freq: int,
    lowpass_filter_width: int = 6,
    rolloff: float = 0.99,
    resampling_method: str = "sinc_interp_hann",
    beta: float | None = None,
) -> torch.Tensor:
    """From ``orig_freq`` samples a second to ``new_freq``.

    "high_quality" has a filter of its own (the arguments that shape one must keep their defaults):
    up to .9375 of the lower Nyquist frequency (7.5 kHz of 16 kHz) it is flat to .01 dB, and what
    would alias, from that frequency on, is below -110 dB. The default, torchaudio's, loses 3.7 dB
    there and lets aliases through.

    Args:
        waveform: float32 or float64 [..., T]; outside its ends is silence.
        orig_freq, new_freq: whole numbers above 0.
        lowpass_filter_width: zero crossings of the sinc on either side: more is sharper and slower.
        rolloff: the cut-off as a part of the lower Nyquist frequency, in (0, 1].
        resampling_method: the window, "sinc_interp_hann" or "sinc_interp_kaiser", or
            "high_quality".
        beta: of the Kaiser window; None takes 14.77.

    Returns:
        [..., ceil(new_freq * T / orig_freq)]; differentiable.

    Raises:
        TransformError: an argument outside its range, or another dtype.

    Example:
        >>> tone = torch.sin(2 * torch.pi * 1000 * torch.arange(4800) / 48000)
        >>> low = resample(tone, 48000, 16000, resampling_method="high_quality")
        >>> low.shape, bool((low[500:1100] - tone[1500:3300:3]).abs().max() < 1e-4)
        (torch.Size([1600]), True)
    """
    check_floating("resample", waveform)
    check_resampling(
        "resample", orig_freq, new_freq, lowpass_filter_width, rolloff, resampling_method, beta
    )
    if orig_freq == new_freq:
        return waveform
    common = math.gcd(orig_freq, new_freq)
    o, n = orig_freq // common, new_freq // common
    length = -(-waveform.shape[-1] * n // o)
    if not waveform.numel():
        return waveform.new_zeros(*waveform.shape[:-1], length)
    narrow = waveform.dtype not in (torch.float32, torch.float64)
    rows = waveform.reshape(-1, waveform.shape[-1])
    rows = rows.float() if narrow else rows
    if resampling_method == "high_quality":
        out = by_transforms(rows, o, n)
    else:
        window = None
        if resampling_method == "sinc_interp_kaiser":
            window = KAISER_BETA if beta is None else float(beta)
        out = _by_products(rows, (o, n, lowpass_filter_width, float(rolloff)), window)
    return out[:, :length].reshape(*waveform.shape[:-1], length).to(waveform.dtype)


def speed(
    waveform: torch.Tensor, orig_freq: int, factor: float, lengths: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Faster or slower, and higher or lower with it, as a tape is.

    Args:
        waveform: float32 or float64 [..., T].
        orig_freq: samples a second, a whole number.
        factor: 2 is twice as fast; the ratio ``int(factor * orig_freq) / orig_freq`` is what is
            done.
        lengths: [...], valid samples of each waveform; None: all.

    Returns:
        The waveform [..., ceil(T / factor)], and the new lengths (None without ``lengths``).

    Raises:
        TransformError: a factor that is not above 0, or another dtype.

    Example:
        >>> out, lengths = speed(torch.ones(2, 1000), 1000, 1.25, torch.tensor([1000, 500]))
        >>> out.shape, lengths
        (torch.Size([2, 800]), tensor([800, 400]))
    """
    check_floating("speed", waveform)
    check_whole("speed", "orig_freq", orig_freq, 1)
    source = int(factor * orig_freq)
    if not source > 0:
        raise TransformError(f"speed: factor is a number above 0, got {factor}")
    common = math.gcd(source, orig_freq)
    o, n = source // common, orig_freq // common
    if lengths is not None:
        lengths = torch.ceil(lengths * n / o).to(lengths.dtype)
    return resample(waveform, o, n), lengths


def check_resampling(  # noqa: PLR0917 - of ``resample``, passed on
    name: str,
    orig_freq: Any,
    new_freq: Any,
    lowpass_filter_width: Any,
    rolloff: Any,
    resampling_method: str,
    beta: Any,
) -> None:
    """TransformError unless the arguments of ``resample`` are in their ranges."""
    check_whole(name, "orig_freq", orig_freq, 1)
    check_whole(name, "new_freq", new_freq, 1)
    check_whole(name, "lowpass_filter_width", lowpass_filter_width, 1)
    if not 0.0 < rolloff <= 1.0:
        raise TransformError(f"{name} needs rolloff in (0, 1], got {rolloff}")
    if resampling_method not in METHODS:
        raise TransformError(
            f"{name}: resampling_method is one of {', '.join(METHODS)}, got {resampling_method!r}"
        )
    if resampling_method == "high_quality" and (lowpass_filter_width, rolloff, beta) != (
        6, 0.99, None,
    ):  # fmt: skip
        raise TransformError(
            f"{name}: 'high_quality' has a filter of its own: leave lowpass_filter_width, rolloff "
            "and beta out, or take 'sinc_interp_kaiser' to shape one"
        )


def _by_products(
    rows: torch.Tensor, design: tuple[int, int, int, float], beta: float | None
) -> torch.Tensor:
    """[R, T] -> [R, at least n T / o], by a product with a matrix for each few phases."""
    before, step, phases, spans, groups = _groups(design, beta, rows.device, rows.dtype)
    blocks = -(-rows.shape[1] // step) + 1  # the last filters reach behind the end
    tail = max(first + len(matrix) for first, matrix in zip(spans, groups, strict=True))
    flat = rows.new_zeros(len(rows) * blocks * step + tail) if not rows.requires_grad else None
    if flat is not None:
        padded = flat[: len(rows) * blocks * step].view(len(rows), -1)
        padded[:, before : before + rows.shape[1]] = rows
    else:
        behind = blocks * step - before - rows.shape[1]
        padded = torch.nn.functional.pad(rows, (before, behind))
        flat = torch.nn.functional.pad(padded.reshape(-1), (0, tail))
    count = len(rows) * blocks
    parts = []
    for first, matrix in zip(spans, groups, strict=True):
        # rows of the product do not overlap, so that no copy of the signal is made
        frames = flat.as_strided((count, len(matrix)), (step, 1), first)
        parts.append(frames @ matrix)
    out = torch.cat(parts, 1) if len(parts) > 1 else parts[0]
    return out.view(len(rows), blocks * phases)


@torch.compiler.assume_constant_result  # numpy's numbers are constants of a graph
def _groups(
    design: tuple[int, int, int, float],
    beta: float | None,
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[int, int, int, tuple[int, ...], tuple[torch.Tensor, ...]]:
    return _made_groups(design, beta, device, dtype)


@lru_cache(maxsize=32)
def _made_groups(
    design: tuple[int, int, int, float],
    beta: float | None,
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[int, int, int, tuple[int, ...], tuple[torch.Tensor, ...]]:
    """Zeros in front, samples and outputs of a block, and the matrices with their first samples.

    With the rates in lowest terms o -> n, output m lies at time m / n, in units of o inputs, and
    input k at k / o: it is weighted by h(k / o - m / n). The ideal low-pass with cut-off c (per
    unit of time, c = rolloff min(o, n)) is c sinc(c t); the window ends it after ``zeros``
    crossings, at c |t| = zeros. 1 / o is the step of the sum. A block is so many periods of o
    inputs and n outputs that a matrix is not longer than the block.
    """
    o, n, zeros, rolloff = design
    cutoff = min(o, n) * rolloff
    half = zeros / cutoff  # of the filter, in periods
    before = math.ceil(half * o)
    reach = math.ceil((2 * half + _COLUMNS / n) * o) + 2
    periods = max(-(-_COLUMNS // n), -(-reach // o))
    step, phases = periods * o, periods * n
    spans, matrices = [], []
    for start in range(0, phases, _COLUMNS):
        outputs = np.arange(start, min(start + _COLUMNS, phases)) / n
        first = max(-before, math.ceil((outputs[0] - half) * o))
        last = math.floor((outputs[-1] + half) * o)
        inputs = np.arange(first, last + 1) / o
        crossings = (inputs[:, None] - outputs[None, :]) * cutoff
        time = np.clip(crossings, -zeros, zeros)
        if beta is None:
            window = np.cos(time * np.pi / (2 * zeros)) ** 2
        else:
            window = np.i0(beta * np.sqrt(1 - (time / zeros) ** 2)) / np.i0(beta)
        # torchaudio's Kaiser window is not zero where it ends, but nothing is behind it
        weights = np.sinc(time) * window * (cutoff / o) * (np.abs(crossings) <= zeros)
        spans.append(first + before)
        with torch.inference_mode(False):  # a cached inference tensor could not be trained through
            matrices.append(torch.from_numpy(weights).to(device=device, dtype=dtype))
    return before, step, phases, tuple(spans), tuple(matrices)
