"""Decibels: ``amplitude_to_DB``, ``DB_to_amplitude`` and ``gain``."""

from __future__ import annotations

import math

import torch

from domainkit.audio.functional.checks import check_floating

__all__ = ["DB_to_amplitude", "amplitude_to_DB", "gain"]


def amplitude_to_DB(  # torchaudio's name
    x: torch.Tensor,
    multiplier: float,
    amin: float,
    db_multiplier: float,
    top_db: float | None = None,
) -> torch.Tensor:
    """A spectrogram in decibels: ``multiplier * (log10(max(x, amin)) - db_multiplier)``.

    Args:
        x: floating [..., F, T] (any shape without ``top_db``), power or magnitude.
        multiplier: 10 for power, 20 for magnitude.
        amin: the least value before the logarithm, above 0.
        db_multiplier: the logarithm of the reference value.
        top_db: what lies further below the loudest place of an item is raised to there. An item is
            [C, F, T] of a batch [B, C, F, T], else all of ``x``, as in torchaudio: pad a batch and
            give each recording its own dimension, or the loudest one decides for its neighbours.

    Raises:
        TransformError: not a floating tensor.

    Example:
        >>> amplitude_to_DB(torch.tensor([1.0, 0.1, 1e-9]), 20.0, 1e-5, 0.0)
        tensor([   0.,  -20., -100.])
    """
    check_floating("amplitude_to_DB", x, what="a spectrogram")
    decibels = multiplier * x.clamp(min=amin).log10() - multiplier * db_multiplier
    if top_db is None:
        return decibels
    items = decibels.flatten(-3) if x.ndim > 3 else decibels.flatten()
    floor = items.amax(-1) - top_db
    return torch.maximum(decibels, floor.view(*floor.shape, 1, 1, 1) if x.ndim > 3 else floor)


def DB_to_amplitude(x: torch.Tensor, ref: float, power: float) -> torch.Tensor:
    """Decibels back to power (``power=1``) or magnitude (0.5): ``ref * 10 ** (x * power / 10)``.

    Args:
        x: floating, any shape.
        ref: the reference value.
        power: the exponent of the power.

    Raises:
        TransformError: not a floating tensor.

    Example:
        >>> DB_to_amplitude(torch.tensor([0.0, -20.0]), ref=1.0, power=0.5)
        tensor([1.0000, 0.1000])
    """
    check_floating("DB_to_amplitude", x, what="decibels")
    return ref * torch.pow(10.0, 0.1 * x).pow(power)


def gain(waveform: torch.Tensor, gain_db: float = 1.0) -> torch.Tensor:
    """Louder or softer by ``gain_db`` decibels; nothing is clipped.

    Args:
        waveform: floating [..., T].

    Raises:
        TransformError: not a floating tensor.

    Example:
        >>> gain(torch.tensor([0.1, -0.2]), 20.0)
        tensor([ 1., -2.])
    """
    check_floating("gain", waveform)
    return waveform if gain_db == 0 else waveform * math.pow(10.0, gain_db / 20)
