"""The coefficients of many filters of second order at once, each of a kind of its own.

Source of the designs: R. Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter
coefficients"; a tensor in, where ``domainkit.audio.functional.biquads`` takes one number.
"""

from __future__ import annotations

import math

import torch

__all__ = ["KINDS", "coefficients"]

KINDS = ("lowpass", "highpass", "bandpass", "bandstop", "peak", "lowshelf", "highshelf")


def coefficients(
    kind: torch.Tensor,
    frequency: torch.Tensor,
    q: torch.Tensor,
    gain_db: torch.Tensor,
    sample_rate: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """b and a, float64 [N, 3] each, a[0] = 1.

    Args:
        kind: int64 [N], places in ``KINDS``.
        frequency: [N], Hz, in (0, sample_rate / 2).
        q: [N]: how narrow; of a shelf, 0.707 is the steepest that does not overshoot.
        gain_db: [N], of peaks and shelves.

    Example:
        >>> one = torch.ones(1)
        >>> b, a = coefficients(torch.tensor([0]), 1000 * one, 0.7 * one, 0 * one, 16000)
        >>> (b.sum(1) / a.sum(1)).round(decimals=6)  # a low-pass lets the mean through
        tensor([1.], dtype=torch.float64)
    """
    w = 2 * math.pi * frequency.double() / sample_rate
    cos, alpha = torch.cos(w), torch.sin(w) / (2 * q.double())
    height = torch.pow(10.0, gain_db.double() / 40)
    one, zero = torch.ones_like(w), torch.zeros_like(w)
    poles = (1 + alpha, -2 * cos, 1 - alpha)
    low, high = (1 - cos) / 2, (1 + cos) / 2
    more, less, slope = height + 1, height - 1, 2 * height.sqrt() * alpha
    designs = (
        (low, 1 - cos, low, *poles),
        (high, -1 - cos, high, *poles),
        (alpha, zero, -alpha, *poles),
        (one, -2 * cos, one, *poles),
        (
            *(1 + alpha * height, -2 * cos, 1 - alpha * height),
            *(1 + alpha / height, -2 * cos, 1 - alpha / height),
        ),
        (
            *(height * (more - less * cos + slope), 2 * height * (less - more * cos)),
            *(height * (more - less * cos - slope), more + less * cos + slope),
            *(-2 * (less + more * cos), more + less * cos - slope),
        ),
        (
            *(height * (more + less * cos + slope), -2 * height * (less + more * cos)),
            *(height * (more + less * cos - slope), more - less * cos + slope),
            *(2 * (less - more * cos), more - less * cos - slope),
        ),
    )
    table = torch.stack([torch.stack(design, 1) for design in designs])  # [kinds, N, 6]
    picked = table[kind, torch.arange(len(kind), device=kind.device)]
    picked = picked / picked[:, 3:4]
    return picked[:, :3], picked[:, 3:]
