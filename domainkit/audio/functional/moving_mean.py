"""``sliding_window_cmn``: features less the mean of the frames around each one."""

from __future__ import annotations

import torch

from domainkit.audio.functional.checks import check_floating, check_whole
from domainkit.errors import TransformError

__all__ = ["centred_by", "sliding_window_cmn", "window_bounds"]

_FLAT = 1e-13  # of the band's loudest square: what lies below is the rounding of the sums


def sliding_window_cmn(
    specgram: torch.Tensor,
    cmn_window: int = 600,
    min_cmn_window: int = 100,
    center: bool = False,
    norm_vars: bool = False,
) -> torch.Tensor:
    """Cepstral mean (and variance) normalisation over a window that moves along.

    Method: Kaldi's ``apply-cmvn-sliding``.

    Args:
        specgram: floating [..., T, M], frames before bands.
        cmn_window: frames of the window.
        min_cmn_window: at the start, the window reaches so far at least (without ``center``).
        center: the window lies around a frame, else it ends at the frame.
        norm_vars: divide by the window's standard deviation too.

    Returns:
        [..., T, M]. Sums are made in float64. A band that is the same all along a window, or varies
        there by less than 1e-13 of its loudest energy (130 dB down), is not divided.

    Raises:
        TransformError: not a floating tensor of two dimensions, a window below 1.

    Example:
        >>> sliding_window_cmn(torch.tensor([[1.0], [3.0], [8.0]]), cmn_window=3, center=True)
        tensor([[-3.],
                [-1.],
                [ 4.]])
    """
    check_floating("sliding_window_cmn", specgram, what="features [..., T, M]")
    check_whole("sliding_window_cmn", "cmn_window", cmn_window, 1)
    check_whole("sliding_window_cmn", "min_cmn_window", min_cmn_window, 0)
    if specgram.ndim < 2:
        raise TransformError(f"sliding_window_cmn takes [..., T, M], got {tuple(specgram.shape)}")
    frames = specgram.shape[-2]
    lengths = torch.full((1,), frames, device=specgram.device)
    bounds = window_bounds(frames, lengths, cmn_window, min_cmn_window, center)
    rows = specgram.reshape(-1, *specgram.shape[-2:])
    return centred_by(rows, *bounds, lengths, norm_vars).view(specgram.shape)


def window_bounds(
    frames: int, lengths: torch.Tensor, size: int, least: int, center: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """First and one-past-last frame of each frame's window: int64 [B, frames] each.

    Args:
        frames: how many places there are.
        lengths: int64 [B], at least 1: how many of them are a sample's own.
    """
    at = torch.arange(frames, device=lengths.device)
    first = at - size // 2 if center else at - size
    last = first + size if center else at + 1
    last = torch.where(first < 0, last - first, last)  # at the start the window moves inside
    first = first.clamp(min=0)
    if not center:
        last = torch.where(last > at, (at + 1).clamp(min=least), last)
    ends = lengths[:, None]
    over = (last - ends).clamp(min=0)  # and at the end
    first, last = (first - over).clamp(min=0), last - over
    # frames behind an end have nobody's window: any that is not empty will do
    return first.minimum(last - 1), last


def centred_by(
    rows: torch.Tensor,
    first: torch.Tensor,
    last: torch.Tensor,
    lengths: torch.Tensor,
    norm_vars: bool,
) -> torch.Tensor:
    """Rows [B, T, M] less their means over frames first <= t < last, int64 [B or 1, T].

    Args:
        lengths: int64 [B or 1], at least 1; what lies behind it must be 0.
    """
    exact = rows.double()
    inside = (torch.arange(rows.shape[1], device=rows.device) < lengths[:, None])[..., None]
    # sums of numbers near 0 keep more places, and the mean over all falls out of the difference
    exact = (exact - exact.sum(1, keepdim=True) / lengths[:, None, None]) * inside
    count = (last - first)[..., None]

    def means(x: torch.Tensor) -> torch.Tensor:
        sums = torch.nn.functional.pad(x.cumsum(1), (0, 0, 1, 0))
        places = (index[..., None].expand(len(x), -1, x.shape[2]) for index in (first, last))
        low, high = (sums.gather(1, place) for place in places)
        return (high - low) / count

    mean = means(exact)
    out = exact - mean
    if norm_vars:
        squares = exact.square()
        variance = means(squares) - mean.square()
        flat = variance <= _FLAT * squares.amax(1, keepdim=True)
        out = torch.where(count == 1, 0, out / torch.where(flat, 1, variance).sqrt())
    return out.to(rows.dtype)
