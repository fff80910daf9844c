"""Mu-law companding (ITU-T G.711 in its continuous form): ``mu_law_encoding`` and back."""

from __future__ import annotations

import math

import torch

from domainkit.audio.functional.checks import check_floating, check_whole

__all__ = ["mu_law_decoding", "mu_law_encoding"]


def mu_law_encoding(x: torch.Tensor, quantization_channels: int) -> torch.Tensor:
    """Waveforms in [-1, 1] to whole levels, finer near 0.

    Args:
        x: floating, any shape.
        quantization_channels: how many levels, 256 for 8 bits.

    Returns:
        int64 in 0..quantization_channels - 1.

    Raises:
        TransformError: another dtype, fewer than 2 levels.

    Example:
        >>> mu_law_encoding(torch.tensor([-1.0, 0.0, 1.0]), 256)
        tensor([  0, 128, 255])
    """
    check_floating("mu_law_encoding", x)
    check_whole("mu_law_encoding", "quantization_channels", quantization_channels, 2)
    mu = quantization_channels - 1.0
    pressed = x.sign() * torch.log1p(mu * x.abs()) / math.log1p(mu)
    return ((pressed + 1) / 2 * mu + 0.5).to(torch.int64)


def mu_law_decoding(x_mu: torch.Tensor, quantization_channels: int) -> torch.Tensor:
    """Levels of ``mu_law_encoding`` back to a waveform in [-1, 1].

    Args:
        x_mu: whole or floating levels, any shape.
        quantization_channels: how many levels there are.

    Returns:
        The dtype of ``x_mu`` if that is floating, else torch's default one.

    Raises:
        TransformError: fewer than 2 levels.

    Example:
        >>> mu_law_decoding(torch.tensor([0, 255]), 256)
        tensor([-1.,  1.])
    """
    check_whole("mu_law_decoding", "quantization_channels", quantization_channels, 2)
    mu = quantization_channels - 1.0
    levels = x_mu if x_mu.dtype.is_floating_point else x_mu.to(torch.get_default_dtype())
    pressed = levels / mu * 2 - 1.0
    return pressed.sign() * torch.expm1(pressed.abs() * math.log1p(mu)) / mu
