"""Effects that bend a waveform: ``contrast``, ``dcshift`` and ``overdrive``, as SoX has them."""

from __future__ import annotations

import math

import torch

from domainkit.audio.functional.checks import check_floating
from domainkit.audio.functional.recursion import lfilter
from domainkit.errors import TransformError

__all__ = ["contrast", "dcshift", "overdrive"]


def contrast(waveform: torch.Tensor, enhancement_amount: float = 75.0) -> torch.Tensor:
    """Sound louder without a higher peak, by a curve that lifts what lies in the middle.

    Args:
        waveform: floating [..., T] in [-1, 1].
        enhancement_amount: 0..100; 0 is a mild effect too.

    Raises:
        TransformError: not a floating tensor; an amount outside its range.

    Example:
        >>> contrast(torch.tensor([0.0, 0.5, 1.0]), 0.0)
        tensor([0.0000, 0.7071, 1.0000])
    """
    check_floating("contrast", waveform)
    if not 0 <= enhancement_amount <= 100:
        raise TransformError(f"contrast: enhancement_amount is in 0..100, got {enhancement_amount}")
    angle = waveform * (math.pi / 2)
    return torch.sin(angle + enhancement_amount / 750.0 * torch.sin(4 * angle))


def dcshift(
    waveform: torch.Tensor, shift: float, limiter_gain: float | None = None
) -> torch.Tensor:
    """Move a waveform up or down, cut to [-1, 1].

    Args:
        waveform: floating [..., T] in [-1, 1].
        shift: added to every sample, in -2..2.
        limiter_gain: much below 1, such as 0.05: what lies beyond ``1 - abs(shift) + limiter_gain``
            on the side of the shift is held there, as torchaudio does it (lower than what lies just
            before it). None: it is cut like all else.

    Raises:
        TransformError: not a floating tensor; a shift outside its range.

    Example:
        >>> dcshift(torch.tensor([-0.5, 0.0, 0.9]), 0.25)
        tensor([-0.2500,  0.2500,  1.0000])
    """
    check_floating("dcshift", waveform)
    if not -2 <= shift <= 2:
        raise TransformError(f"dcshift: shift is in -2..2, got {shift}")
    moved = waveform + shift
    if limiter_gain is None or shift == 0:
        return moved.clamp(-1.0, 1.0)
    sign = 1.0 if shift > 0 else -1.0  # a shift down is one up, seen upside down
    threshold = 1.0 - (abs(shift) - limiter_gain)
    # SoX's formula gives 1 + limiter_gain and more here, torchaudio then holds it at the threshold
    held = sign * threshold
    return torch.where(sign * waveform > threshold, held, moved.clamp(-1.0, 1.0))


def overdrive(waveform: torch.Tensor, gain: float = 20, colour: float = 20) -> torch.Tensor:
    """The distortion of an amplifier that is given too much.

    The waveform is lifted, bent by ``u - u^3 / 3``, freed of its mean by a filter and mixed with
    half of what it was.

    Args:
        waveform: floating [..., T] in [-1, 1].
        gain: decibels, 0..100.
        colour: 0..100: how many even harmonics come in.

    Raises:
        TransformError: not a floating tensor; an argument outside its range.

    Example:
        >>> overdrive(torch.tensor([0.0, 0.5]), gain=0.0, colour=0.0)
        tensor([0.0000, 0.5938])
    """
    check_floating("overdrive", waveform)
    for name, value in (("gain", gain), ("colour", colour)):
        if not 0 <= value <= 100:
            raise TransformError(f"overdrive: {name} is in 0..100, got {value}")
    driven = (waveform * 10 ** (gain / 20) + colour / 200).clamp(-1.0, 1.0)
    bent = driven - driven**3 / 3
    a, b = (
        torch.tensor(c, dtype=torch.float64, device=waveform.device)
        for c in ([1.0, -0.995], [1.0, -1.0])
    )
    return (0.5 * waveform + 0.75 * lfilter(bent, a, b, clamp=False)).clamp(-1.0, 1.0)
