"""``Preemphasis`` and ``Deemphasis``: first-order filters that lift and sink treble."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from domainkit.audio.functional.emphasis import deemphasis, preemphasis
from domainkit.audio.transforms._base import Result, WaveformTransform
from domainkit.draws import Draws

__all__ = ["Deemphasis", "Preemphasis"]


@dataclass(frozen=True)
class Preemphasis(WaveformTransform):
    """``y[t] = x[t] - coeff * x[t - 1]``; before the start is silence.

    Input and output: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].

    Raises:
        TransformError: another dtype or shape.

    Example:
        >>> Preemphasis(0.5)(torch.tensor([[[1.0, 1.0, 0.0]]]))
        tensor([[[ 1.0000,  0.5000, -0.5000]]])
    """

    coeff: float = 0.97

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        return preemphasis(x, self.coeff)


@dataclass(frozen=True)
class Deemphasis(WaveformTransform):
    """What ``Preemphasis`` did, undone; nothing is cut to [-1, 1].

    Input and output: as of ``Preemphasis``.

    Raises:
        TransformError: another dtype or shape.

    Example:
        >>> Deemphasis(0.5)(torch.tensor([[[1.0, 0.5, -0.5]]]))
        tensor([[[1., 1., 0.]]])
    """

    coeff: float = 0.97

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        return deemphasis(x, self.coeff)
