"""``kaldi_pitch``: how high a voice is, frame by frame, and how sure that is.

Source of the method and of its constants: P. Ghahremani et al., "A pitch extraction algorithm tuned
for automatic speech recognition" (ICASSP 2014), which is what Kaldi's ``compute-kaldi-pitch-feats``
does: normalised cross-correlation at lags that grow by half a per cent, and the path through them
that is the best of all (Viterbi).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch

from domainkit.audio.functional import _numba_pitch_path
from domainkit.audio.functional.checks import check_floating, check_whole
from domainkit.errors import TransformError

__all__ = ["kaldi_pitch"]


def kaldi_pitch(
    waveform: torch.Tensor,
    sample_rate: int,
    lengths: torch.Tensor | None = None,
    *,
    frame_length: float = 25.0,
    frame_shift: float = 10.0,
    min_f0: float = 50.0,
    max_f0: float = 400.0,
    soft_min_f0: float = 10.0,
    penalty_factor: float = 0.1,
    lowpass_cutoff: float = 1000.0,
    resample_frequency: int = 4000,
    delta_pitch: float = 0.005,
    nccf_ballast: float = 7000.0,
    lowpass_filter_width: int = 1,
    upsample_filter_width: int = 5,
) -> torch.Tensor:
    """Pitch and correlation of the frames of waveforms; it is not differentiable.

    The path is found on the CPU, wherever the waveforms are. Kaldi works block by block, and its
    numbers depend a little on how long the blocks are; here a recording is one block.

    Args:
        waveform: floating [..., T], of any scale.
        sample_rate: Hz.
        lengths: int64 [...]: valid samples of each waveform; None: all.
        frame_length, frame_shift: milliseconds.
        min_f0, max_f0: the range of the pitch, Hz.
        soft_min_f0: lower pitches cost a little more, Hz.
        penalty_factor: what a change of pitch costs.
        lowpass_cutoff: Hz; what is above is taken away first.
        resample_frequency: Hz, at which correlations are made; more than twice ``lowpass_cutoff``.
        delta_pitch: the relative step from one lag to the next.
        nccf_ballast: the larger, the less soft frames count for the path.
        lowpass_filter_width, upsample_filter_width: zero crossings of the two filters.

    Returns:
        [..., F, 2]: the correlation at the pitch's lag, in [-1, 1], near 1 where the frame is
        voiced; and the pitch in Hz, which goes on through what is not voiced. F is
        1 + (T' - frame) // shift at the resampled rate; frames behind a waveform's own last one
        hold 0.

    Raises:
        TransformError: not a floating tensor, an argument outside its range.

    Example:
        >>> tone = torch.sin(2 * torch.pi * 200 * torch.arange(16000) / 16000)
        >>> [round(float(v), 1) for v in kaldi_pitch(tone, 16000)[50]]
        [1.0, 200.0]
    """
    check_floating("kaldi_pitch", waveform)
    check_whole("kaldi_pitch", "sample_rate", sample_rate, 1)
    if not 0 < min_f0 < max_f0 < resample_frequency / 2:
        raise TransformError(
            "kaldi_pitch needs 0 < min_f0 < max_f0 < resample_frequency / 2, got "
            f"{min_f0}, {max_f0} and {resample_frequency}"
        )
    if not 0 < lowpass_cutoff < min(sample_rate, resample_frequency) / 2 or not delta_pitch > 0:
        raise TransformError(
            "kaldi_pitch needs delta_pitch > 0 and a lowpass_cutoff below half of both rates, got "
            f"{delta_pitch} and {lowpass_cutoff}"
        )
    window = round(frame_length * resample_frequency / 1000)
    shift = round(frame_shift * resample_frequency / 1000)
    if window < 1 or shift < 1:
        raise TransformError(
            f"kaldi_pitch: frames of {frame_length} ms every {frame_shift} ms have no sample"
        )
    rows = waveform.detach().reshape(waveform.shape[:-1].numel(), waveform.shape[-1]).double()
    own = np.full(len(rows), rows.shape[1])
    if lengths is not None:
        own = lengths.reshape(-1).cpu().numpy()
        place = torch.arange(rows.shape[1], device=rows.device)
        rows = torch.where(place < lengths.reshape(-1, 1).to(rows.device), rows, 0)
    rates = (sample_rate, resample_frequency)
    low, counts = _lowered(rows, own, rates, lowpass_cutoff, lowpass_filter_width)
    half = upsample_filter_width / (2 * resample_frequency)
    first = max(1, math.ceil(resample_frequency * (1 / max_f0 - half)))
    last = math.floor(resample_frequency * (1 / min_f0 + half))
    frames = np.maximum(0, (counts - window) // shift + 1)
    total = int(frames.max(initial=0))
    out = rows.new_zeros(len(rows), total, 2)
    if not total:
        return out.to(waveform.dtype).view(*waveform.shape[:-1], 0, 2)
    products, energies = _correlations(low, total, window, shift, (first, last))
    n = torch.from_numpy(counts).to(rows.device).clamp(min=1)
    mean_square = low.square().sum(1) / n - (low.sum(1) / n).square()
    ballast = (mean_square * window).square()[:, None, None] * nccf_ballast
    lags, upsample = _lags(
        first, last, resample_frequency, (min_f0, max_f0, delta_pitch), upsample_filter_width
    )
    matrix = torch.from_numpy(upsample).to(rows.device)
    tiny = torch.finfo(torch.float64).tiny
    for_path = (products / (energies + ballast).clamp(min=tiny).sqrt()) @ matrix
    sure = (products / energies.clamp(min=tiny).sqrt()) @ matrix
    cost = 1 - for_path * (1 - soft_min_f0 * torch.from_numpy(lags).to(rows.device))
    step = math.log1p(delta_pitch) ** 2 * penalty_factor
    path = torch.from_numpy(_numba_pitch_path.best(cost.cpu().numpy(), frames, step))
    path = path.to(rows.device)
    out[..., 0] = sure.gather(2, path[..., None])[..., 0].clamp(-1, 1)
    out[..., 1] = 1 / torch.from_numpy(lags).to(rows.device)[path]
    known = torch.arange(total) < torch.from_numpy(frames)[:, None]
    out = out * known.to(out.device)[..., None]
    return out.to(waveform.dtype).view(*waveform.shape[:-1], total, 2)


def _lowered(
    rows: torch.Tensor, own: np.ndarray, rates: tuple[int, int], cutoff: float, zeros: int
) -> tuple[torch.Tensor, np.ndarray]:
    """[R, T] at the lower rate, and how many samples each row has there."""
    rate, new_rate = rates
    counts = np.maximum(0, (own * new_rate - 1) // rate + 1) * (own > 0)
    total = int(counts.max(initial=0))
    reach = zeros / (2 * cutoff)  # seconds on either side
    before = math.ceil(reach * rate)
    taps = 2 * before + 1
    time = torch.arange(total, dtype=torch.float64) / new_rate
    centre = (time * rate).round().long()
    gap = (centre[:, None] + torch.arange(-before, before + 1)) / rate - time[:, None]
    weights = torch.from_numpy(_windowed_sinc(gap.numpy(), cutoff, zeros)) / rate
    weights = weights.to(rows.device)
    behind = (int(centre[-1]) if total else 0) + before + 1
    padded = torch.nn.functional.pad(rows, (before, max(0, behind - rows.shape[1])))
    low = rows.new_zeros(len(rows), total)
    centre = centre.to(rows.device)
    for k in range(taps):
        low = low + padded[:, centre + k] * weights[:, k]
    kept = torch.arange(total) < torch.from_numpy(counts)[:, None]
    return low * kept.to(rows.device), counts


def _correlations(
    x: torch.Tensor, frames: int, window: int, shift: int, lags: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Products and energies [R, F, lags] of each frame with what lies ``lag`` samples later."""
    first, last = lags
    size = window + last
    wanted = (frames - 1) * shift + size
    padded = torch.nn.functional.pad(x, (0, max(0, wanted - x.shape[1])))
    parts = padded.unfold(1, size, shift)[:, :frames]
    parts = parts - parts[..., :window].mean(-1, keepdim=True)
    here = parts[..., :window]
    energy = here.square().sum(-1)
    products, energies = [], []
    for lag in range(first, last + 1):
        later = parts[..., lag : lag + window]
        products.append((here * later).sum(-1))
        energies.append(energy * later.square().sum(-1))
    return torch.stack(products, -1), torch.stack(energies, -1)


@lru_cache(maxsize=8)
def _lags(
    first: int, last: int, rate: int, pitch: tuple[float, float, float], zeros: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lags in seconds, each so much longer than the one before, and the matrix that gives their
    correlations from those at whole samples ``first`` to ``last``."""
    low, high, step = pitch
    count = int(math.log(high / low) / math.log1p(step)) + 1
    lags = (1 + step) ** np.arange(count) / high
    lags = lags[lags <= 1 / low * (1 + 1e-12)]
    gap = np.arange(first, last + 1)[:, None] / rate - lags[None, :]
    return lags, _windowed_sinc(gap, rate * 0.5, zeros) / rate


def _windowed_sinc(t: np.ndarray, cutoff: float, zeros: int) -> np.ndarray:
    """The low-pass at times t: a sinc under a Hann window of so many zero crossings."""
    window = 0.5 * (1 + np.cos(2 * np.pi * cutoff / zeros * t))
    window = np.where(np.abs(t) < zeros / (2 * cutoff), window, 0.0)
    weights: np.ndarray = 2 * cutoff * np.sinc(2 * cutoff * t) * window
    return weights
