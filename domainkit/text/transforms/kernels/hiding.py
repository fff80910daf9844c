"""``hide_rows``: BERT's masking of rows of tokens, in one Numba loop."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from domainkit.outputs import fresh

if TYPE_CHECKING:
    from domainkit.draws import Draws

__all__ = ["SECOND", "hide_rows", "thresholds"]

# Where the second number of every token lies in its sample's row of draws: behind the first
# numbers of any sequence that fits into memory, and within Philox's counter.
SECOND = 1 << 33


def hide_rows(
    tokens: torch.Tensor,
    firsts: np.ndarray,
    lengths: np.ndarray,
    draws: Draws,
    *,
    mask_id: int,
    special: list[int],
    vocab_size: int,
    shares: tuple[float, float, float],
) -> torch.Tensor:
    """Mask tokens in place, and give the labels: int64 of the same size, -100 where none is.

    Args:
        tokens: flat, int32 or int64, contiguous, on a CPU.
        firsts, lengths: int64 [B], where each sample's tokens lie.
        shares: how probable it is that a token is hidden, hidden or exchanged, chosen at all.
        special: ids that stay, in rising order.

    Example:
        >>> from domainkit.draws import Draws
        >>> tokens = torch.tensor([0, 7, 8])
        >>> draws = Draws(0, 0, torch.tensor([0]))
        >>> hide_rows(tokens, np.array([0]), np.array([3]), draws, mask_id=2, special=[0, 2],
        ...           vocab_size=10, shares=(1.0, 1.0, 1.0))
        tensor([-100,    7,    8])
        >>> tokens
        tensor([0, 2, 2])
    """
    from domainkit.text.transforms.kernels._numba_rows import hide

    labels = torch.from_numpy(fresh(tokens.numel(), "int64")).fill_(-100).view(tokens.shape)
    hide(
        tokens.view(-1).numpy(),
        labels.view(-1).numpy(),
        firsts,
        lengths,
        draws.ids.numpy(),
        draws.op,
        int(draws.epoch),
        np.uint64(int(draws.seed) & 0xFFFFFFFFFFFFFFFF),
        thresholds(shares),
        mask_id,
        np.array(special, np.int64),
        vocab_size,
        SECOND,
    )
    return labels


def thresholds(shares: tuple[float, ...]) -> np.ndarray:
    """What a number of 24 bits must stay below, so that it is as with float32 numbers in [0, 1).

    Example:
        >>> thresholds((0.5, 1.0)).tolist()
        [8388608, 16777216]
    """
    return np.array([math.ceil(float(np.float32(share)) * (1 << 24)) for share in shares], np.int64)
