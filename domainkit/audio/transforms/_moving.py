"""Pieces of recordings, each from a place of its own."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["taken_from"]


def taken_from(
    x: torch.Tensor, starts: torch.Tensor, lengths: np.ndarray
) -> tuple[torch.Tensor, np.ndarray]:
    """The piece of each recording that begins at its start.

    Args:
        x: [B, C, T]. starts: int64 [B], on x's device; below 0 there is silence, as there is from T
            on.
        lengths: int64 [B] on the host, of the pieces.

    Returns:
        [B, C, longest piece] and ``lengths``; what lies behind an end may be anything.
    """
    longest = int(lengths.max(initial=0))
    if not x.shape[2]:
        return x.new_zeros(*x.shape[:2], longest), lengths
    place = torch.arange(longest, device=x.device) + starts[:, None]
    index = place.clamp(0, x.shape[2] - 1)[:, None].expand(-1, x.shape[1], -1)
    known = (place >= 0) & (place < x.shape[2])
    return torch.where(known[:, None], x.gather(2, index), 0), lengths
