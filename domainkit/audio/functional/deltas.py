"""``compute_deltas``: how features change along time."""

from __future__ import annotations

import torch

from domainkit.audio.functional.checks import check_floating, check_whole

__all__ = ["compute_deltas"]


def compute_deltas(
    specgram: torch.Tensor, win_length: int = 5, mode: str = "replicate"
) -> torch.Tensor:
    """The slope of the straight line through the ``win_length`` values around each one.

    Method: S. Furui, "Speaker-Independent Isolated Word Recognition Using Dynamic Features of
    Speech Spectrum", 1986: with n = (win_length - 1) // 2, the regression
    ``d[t] = sum_k k x[t + k] / sum_k k ** 2`` over k = -n ... n.

    Args:
        specgram: floating [..., T].
        win_length: at least 3; an even one counts as the odd one below.
        mode: what lies outside, as ``torch.nn.functional.pad`` names it.

    Raises:
        TransformError: not a floating tensor, a window below 3.

    Example:
        >>> compute_deltas(torch.tensor([[0.0, 1.0, 2.0, 3.0, 4.0]]))
        tensor([[0.5000, 0.8000, 1.0000, 0.8000, 0.5000]])
    """
    check_floating("compute_deltas", specgram, what="features [..., T]")
    check_whole("compute_deltas", "win_length", win_length, 3)
    n = (win_length - 1) // 2
    rows = specgram.reshape(-1, 1, specgram.shape[-1])
    slope = torch.arange(-n, n + 1, dtype=rows.dtype, device=rows.device)
    slope = slope / (n * (n + 1) * (2 * n + 1) / 3)
    done = torch.nn.functional.conv1d(
        torch.nn.functional.pad(rows, (n, n), mode), slope[None, None]
    )
    return done.view(specgram.shape)
