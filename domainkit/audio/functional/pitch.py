"""``detect_pitch_frequency``: the pitch of a voice, frame by frame.

Method: normalised cross-correlation with the signal a lag later (D. Talkin, "A robust algorithm for
pitch tracking (RAPT)", 1995), the best lag of each frame, and a median over the frames before it.
"""

from __future__ import annotations

import math

import torch

from domainkit.audio.functional.checks import check_floating, check_whole
from domainkit.errors import TransformError

__all__ = ["detect_pitch_frequency"]

_TINY = 1e-9
_TIE = 1e-9  # correlations nearer than this part of the best are equal, but for rounding
_HALF = 0.99  # a lag of the shorter half wins with so much of the best: octaves below are echoes


def detect_pitch_frequency(  # noqa: PLR0917  # torchaudio's arguments
    waveform: torch.Tensor,
    sample_rate: int,
    frame_time: float = 10 ** (-2),
    win_length: int = 30,
    freq_low: int = 85,
    freq_high: int = 3400,
) -> torch.Tensor:
    """The pitch of every frame, in Hz.

    Args:
        waveform: floating [..., T].
        sample_rate: in Hz.
        frame_time: seconds of a frame.
        win_length: frames of the median.
        freq_low, freq_high: lowest and highest pitch, in Hz.

    Returns:
        [..., F] of the waveform's dtype: win_length // 2 frames fewer than the ceil(T / frame) that
        the signal has. Correlations are made in float64; of lags that fit equally well (a pure
        tone's) the shortest is taken, where torchaudio leaves it to rounding.

    Raises:
        TransformError: not a floating tensor, frequencies out of order, a signal too short for the
            median.

    Example:
        >>> tone = torch.sin(2 * torch.pi * 200 * torch.arange(16000) / 16000)
        >>> detect_pitch_frequency(tone, 16000)[40:43]
        tensor([200., 200., 200.])
    """
    check_floating("detect_pitch_frequency", waveform)
    check_whole("detect_pitch_frequency", "win_length", win_length, 1)
    if not 0 < freq_low < freq_high:
        raise TransformError(
            f"detect_pitch_frequency needs 0 < freq_low < freq_high, got {freq_low} and {freq_high}"
        )
    size = math.ceil(sample_rate * frame_time)
    rows = waveform.detach().reshape(-1, waveform.shape[-1]).double()
    lags = _smooth(_best_lags(rows, sample_rate, size, freq_low, freq_high), win_length)
    hertz = sample_rate / (_TINY + lags.to(waveform.dtype))
    return hertz.view(*waveform.shape[:-1], -1)


def _best_lags(
    rows: torch.Tensor, sample_rate: int, size: int, freq_low: int, freq_high: int
) -> torch.Tensor:
    """The lag, in samples, at which each frame of ``size`` is most like itself: [R, F]."""
    most, least = math.ceil(sample_rate / freq_low), math.ceil(sample_rate / freq_high)
    count = math.ceil(rows.shape[-1] / size)
    padded = torch.nn.functional.pad(rows, (0, most + count * size - rows.shape[-1]))
    longer = padded.unfold(-1, size + most, size)
    frame = longer[..., :size]
    n = 1 << (size + most - 1).bit_length()
    # correlation: the spectrum of what follows times the frame's, turned round
    spectra = torch.fft.rfft(longer, n) * torch.fft.rfft(frame, n).conj()
    products = torch.fft.irfft(spectra, n)[..., 1 : most + 1]
    squares = torch.nn.functional.pad(padded.square().cumsum(-1), (1, 0))
    starts = torch.arange(count, device=rows.device)[:, None] * size
    shifted = starts + torch.arange(1, most + 1, device=rows.device)
    energy = squares[:, shifted + size] - squares[:, shifted]
    own = squares[:, starts + size] - squares[:, starts]
    alike = products / (_TINY + own) / (_TINY + energy)
    # lag number i + 1 lies at i; the lags of frequencies above freq_high are left out
    best, place = _first_largest(alike[..., least:])
    near, near_place = _first_largest(alike[..., least : most // 2])
    return torch.where(near > _HALF * best, near_place, place) + least + 1


def _first_largest(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    best = x.amax(-1, keepdim=True)
    return best[..., 0], (x >= best - _TIE * best.abs()).to(torch.uint8).argmax(-1)


def _smooth(lags: torch.Tensor, win_length: int) -> torch.Tensor:
    """The lower median of each lag and those before it; the start counts several times."""
    ahead = (win_length - 1) // 2
    if lags.shape[-1] + ahead < win_length:
        raise TransformError(
            f"detect_pitch_frequency needs {win_length - ahead} frames for win_length={win_length},"
            f" got {lags.shape[-1]}: shorten win_length or frame_time"
        )
    padded = torch.cat([lags[..., :1].expand(*lags.shape[:-1], ahead), lags], -1)
    return padded.unfold(-1, win_length, 1).median(-1).values
