"""``AddNoise``, ``Convolve`` and ``FFTConvolve``: modules that take two signals, as torchaudio's.

They are no steps of a pipeline; for those see ``RandomNoise`` and ``RandomRoomResponse``.
"""

from __future__ import annotations

import torch

from domainkit.audio.functional.convolution import MODES, convolve, fftconvolve
from domainkit.audio.functional.noise import add_noise
from domainkit.errors import TransformError

__all__ = ["AddNoise", "Convolve", "FFTConvolve"]


class AddNoise(torch.nn.Module):
    """``domainkit.audio.functional.add_noise`` as a module.

    Example:
        >>> x, n = torch.tensor([[2.0, -2.0]]), torch.tensor([[1.0, 1.0]])
        >>> AddNoise()(x, n, torch.tensor([20.0]))
        tensor([[ 2.2000, -1.8000]])
    """

    def forward(
        self,
        waveform: torch.Tensor,
        noise: torch.Tensor,
        snr: torch.Tensor,
        lengths: torch.Tensor | None = None,
    ) -> torch.Tensor:
        return add_noise(waveform, noise, snr, lengths)


class Convolve(torch.nn.Module):
    """``domainkit.audio.functional.convolve`` as a module.

    Args:
        mode: "full", "valid" or "same".

    Raises:
        TransformError: another mode.

    Example:
        >>> Convolve("valid")(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0]))
        tensor([3., 5.])
    """

    def __init__(self, mode: str = "full") -> None:
        super().__init__()
        if mode not in MODES:
            raise TransformError(
                f"{type(self).__name__}: mode is one of {', '.join(MODES)}, got {mode!r}"
            )
        self.mode = mode

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return convolve(x, y, self.mode)


class FFTConvolve(Convolve):
    """``domainkit.audio.functional.fftconvolve`` as a module; see ``Convolve``.

    Example:
        >>> FFTConvolve()(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 1.0])).round()
        tensor([1., 3., 2.])
    """

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return fftconvolve(x, y, self.mode)
