"""``mask_along_axis`` and ``mask_along_axis_iid``: hide a stretch of bands or frames.

Method: D. Park et al., "SpecAugment" (arXiv:1904.08779). These draw from torch's generator, number
for number as torchaudio does; ``domainkit.audio.transforms`` draws per sample.
"""

from __future__ import annotations

import torch

from domainkit.audio.functional.checks import check_floating
from domainkit.errors import TransformError

__all__ = ["mask_along_axis", "mask_along_axis_iid"]


def mask_along_axis(
    specgram: torch.Tensor, mask_param: int, mask_value: float, axis: int, p: float = 1.0
) -> torch.Tensor:
    """Put ``mask_value`` into one stretch, the same for all items.

    Args:
        specgram: floating [..., F, T].
        mask_param: the stretch is shorter than this: its width is drawn from [0, mask_param).
        mask_value: what is put there.
        axis: one of the last two dimensions, from the front (of [B, C, F, T], 2 or 3).
        p: the stretch is at most this part of the dimension, in [0, 1].

    Raises:
        TransformError: not a floating tensor of two dimensions, another axis, p outside [0, 1].

    Example:
        >>> _ = torch.manual_seed(0)
        >>> mask_along_axis(torch.ones(2, 6), 4, 0.0, axis=1)
        tensor([[1., 1., 1., 0., 1., 1.],
                [1., 1., 1., 0., 1., 1.]])
    """
    width = _widest("mask_along_axis", specgram, 2, limit=mask_param, axis=axis, p=p)
    if width < 1:
        return specgram
    size = specgram.shape[axis]
    value = torch.rand(1) * width
    start = (torch.rand(1) * (size - value)).long().to(specgram.device)
    return _hide(specgram, start, value.long().to(specgram.device), mask_value, axis)


def mask_along_axis_iid(
    specgrams: torch.Tensor,
    mask_param: int,
    mask_value: float | torch.Tensor,
    axis: int,
    p: float = 1.0,
) -> torch.Tensor:
    """Put ``mask_value`` into one stretch, another for each item and channel.

    Args:
        specgrams: floating [..., F, T], at least three dimensions.
        mask_param, mask_value, axis, p: as of ``mask_along_axis``; ``mask_value`` may be a
            tensor of one number.

    Raises:
        TransformError: as ``mask_along_axis``.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> mask_along_axis_iid(torch.ones(2, 1, 6), 4, 0.0, axis=2)
        tensor([[[0., 1., 1., 1., 1., 1.]],
        <BLANKLINE>
                [[0., 0., 0., 1., 1., 1.]]])
    """
    width = _widest("mask_along_axis_iid", specgrams, 3, limit=mask_param, axis=axis, p=p)
    if width < 1:
        return specgrams
    size, items = specgrams.shape[axis], specgrams.shape[:-2]
    value = torch.rand(items, device=specgrams.device, dtype=specgrams.dtype) * width
    place = torch.rand(items, device=specgrams.device, dtype=specgrams.dtype)
    start = (place * (size - value)).long()
    return _hide(specgrams, start[..., None], value.long()[..., None], mask_value, axis)


def _hide(
    x: torch.Tensor,
    start: torch.Tensor,
    width: torch.Tensor,
    value: float | torch.Tensor,
    axis: int,
) -> torch.Tensor:
    """x with places start <= i < start + width of ``axis`` filled; both [..., 1] of the items."""
    places = torch.arange(x.shape[axis], device=x.device)
    hidden = (places >= start) & (places < start + width)
    last = axis in (-1, x.ndim - 1)
    return x.masked_fill(hidden[..., None, :] if last else hidden[..., None], value)


def _widest(name: str, x: torch.Tensor, least: int, *, limit: int, axis: int, p: float) -> int:
    check_floating(name, x, what="a spectrogram [..., F, T]")
    if x.ndim < least:
        raise TransformError(f"{name} takes {least} dimensions at least, got {tuple(x.shape)}")
    if axis not in (x.ndim - 2, x.ndim - 1):
        raise TransformError(
            f"{name}: axis is one of the last two dimensions, {x.ndim - 2} or {x.ndim - 1}, got "
            f"{axis}"
        )
    if not 0.0 <= p <= 1.0:
        raise TransformError(f"{name} needs p in [0, 1], got {p}")
    return limit if p == 1.0 else min(limit, int(x.shape[axis] * p))
