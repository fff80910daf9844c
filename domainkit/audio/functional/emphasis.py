"""``preemphasis`` and its inverse ``deemphasis``: first-order filters that lift and sink treble."""

from __future__ import annotations

import torch

from domainkit.audio.functional.checks import check_floating
from domainkit.audio.functional.recursion import lfilter

__all__ = ["deemphasis", "preemphasis"]


def preemphasis(waveform: torch.Tensor, coeff: float = 0.97) -> torch.Tensor:
    """``y[t] = x[t] - coeff * x[t - 1]``; before the start is silence.

    Args:
        waveform: floating [..., T].
        coeff: in 0..1.

    Raises:
        TransformError: not a floating tensor.

    Example:
        >>> preemphasis(torch.tensor([1.0, 1.0, 0.0]), coeff=0.5)
        tensor([ 1.0000,  0.5000, -0.5000])
    """
    check_floating("preemphasis", waveform)
    first, rest = waveform[..., :1], waveform[..., 1:] - coeff * waveform[..., :-1]
    return torch.cat([first, rest], -1)


def deemphasis(waveform: torch.Tensor, coeff: float = 0.97) -> torch.Tensor:
    """``y[t] = x[t] + coeff * y[t - 1]``: what ``preemphasis`` did, undone.

    torchaudio cuts the result to [-1, 1]; here it is what it was before, however loud.

    Args and Raises are those of ``preemphasis``.

    Example:
        >>> deemphasis(preemphasis(torch.tensor([1.0, 1.0, 0.0])))
        tensor([1., 1., 0.])
    """
    check_floating("deemphasis", waveform)
    a = torch.tensor([1.0, -coeff], dtype=waveform.dtype, device=waveform.device)
    b = torch.tensor([1.0, 0.0], dtype=waveform.dtype, device=waveform.device)
    return lfilter(waveform, a, b, clamp=False)
