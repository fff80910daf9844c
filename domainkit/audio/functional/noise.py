"""``add_noise``: noise mixed in at a signal-to-noise ratio."""

from __future__ import annotations

import torch

from domainkit.audio.functional.checks import check_floating
from domainkit.errors import TransformError

__all__ = ["add_noise"]


def add_noise(
    waveform: torch.Tensor,
    noise: torch.Tensor,
    snr: torch.Tensor,
    lengths: torch.Tensor | None = None,
) -> torch.Tensor:
    """``waveform`` plus ``noise``, scaled so that their energies have the ratio ``snr``.

    Args:
        waveform: floating [..., T].
        noise: of the same shape.
        snr: decibels, floating [...].
        lengths: [...]: only so many samples of each waveform and its noise count; None: all.

    Returns:
        [..., T]. Behind ``lengths`` the waveform is as it was, where torchaudio adds noise too;
        noise that is silent changes nothing, where torchaudio gives NaN.

    Raises:
        TransformError: shapes that do not belong together, or another dtype.

    Example:
        >>> x, n = torch.tensor([[2.0, -2.0]]), torch.tensor([[1.0, 1.0]])
        >>> add_noise(x, n, torch.tensor([20.0]))
        tensor([[ 2.2000, -1.8000]])
    """
    check_floating("add_noise", waveform)
    check_floating("add_noise", noise, what="noise [..., T]")
    if waveform.shape != noise.shape:
        raise TransformError(
            f"add_noise takes noise of the waveform's shape {tuple(waveform.shape)}, got "
            f"{tuple(noise.shape)}: cut or repeat it"
        )
    for name, value in (("snr", snr), ("lengths", lengths)):
        if value is not None and value.shape != waveform.shape[:-1]:
            raise TransformError(
                f"add_noise: {name} has one number per waveform, {tuple(waveform.shape[:-1])}, got "
                f"{tuple(value.shape)}"
            )
    if lengths is not None:
        places = torch.arange(waveform.shape[-1], device=waveform.device)
        inside = places < lengths[..., None]
        sound, noise = torch.where(inside, waveform, 0), torch.where(inside, noise, 0)
    else:
        sound = waveform
    energy, disturbance = sound.square().sum(-1), noise.square().sum(-1)
    loud = disturbance > 0  # silent noise stays silent
    ratio = torch.where(loud, energy / torch.where(loud, disturbance, 1), 0)
    # the derivative of a root at 0 is infinite: a silent waveform must not give NaN gradients
    root = torch.where(ratio > 0, torch.where(ratio > 0, ratio, 1).sqrt(), 0)
    scale = root * torch.pow(10.0, -snr / 20)
    return waveform + scale[..., None] * noise
