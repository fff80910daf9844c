"""``PCEN``: energies made independent of slow changes of loudness, band by band.

Source: Y. Wang et al., "Trainable frontend for robust and far-field keyword spotting" (ICASSP
2017); V. Lostanlen et al., "Per-channel energy normalization: why and how" (2018). Names, defaults
and numbers are librosa's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from domainkit.audio.functional.recursion import lfilter
from domainkit.audio.transforms._base import FeatureTransform
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["PCEN"]


@dataclass(frozen=True)
class PCEN(FeatureTransform):
    """Per-channel energy normalisation: (E / (eps + M) ** gain + bias) ** power - bias ** power.

    M is E smoothed in time, M[t] = (1 - s) M[t - 1] + s E[t], for each band of each sample by
    itself.

    Input: float32 or float64 energies >= 0 (no logarithms), dense [B, F, M] or ``Ragged`` items
    [F_i, M]. librosa's defaults are for sound in the range of int32: multiply energies of sound in
    [-1, 1] by 2 ** 31. Output: the same shape.

    Agrees with ``librosa.pcen`` to 1e-4 of the largest value in float32, 1e-9 in float64.

    Args:
        sample_rate, hop_length: of the features, in Hz and samples: they give s its time.
        gain: how much of the loudness is divided away, >= 0.
        bias: added before the root, >= 0.
        power: the root, >= 0; 0 is a logarithm.
        time_constant: of the smoothing, in s.
        eps: added to M.
        b: s itself, in (0, 1]; None works it out from the time constant.
        start: M before the first frame: "one" (librosa), or "first" for that frame's own energy
            (Wang et al.), which is right for energies of any range.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> steady = torch.full((1, 3, 2), 1e6)
        >>> PCEN(16000, 160, start="first")(steady)[0, :, 0]
        tensor([0.4074, 0.4074, 0.4074])
    """

    sample_rate: int = 22050
    hop_length: int = 512
    gain: float = 0.98
    bias: float = 2.0
    power: float = 0.5
    time_constant: float = 0.400
    eps: float = 1e-6
    b: float | None = None
    start: str = "one"

    def __post_init__(self) -> None:
        for name in ("sample_rate", "hop_length", "time_constant", "eps"):
            if not getattr(self, name) > 0:
                raise TransformError(f"PCEN: {name} is above 0, got {getattr(self, name)!r}")
        for name in ("gain", "bias", "power"):
            if not getattr(self, name) >= 0:
                raise TransformError(f"PCEN: {name} is at least 0, got {getattr(self, name)!r}")
        if self.b is not None and not 0 < self.b <= 1:
            raise TransformError(f"PCEN needs b in (0, 1], got {self.b}")
        if self.start not in ("first", "one"):
            raise TransformError(f"PCEN: start is 'first' or 'one', got {self.start!r}")

    @property
    def smoothing(self) -> float:
        """s: what of a new frame enters M. Over T frames noise is damped as by their mean."""
        if self.b is not None:
            return self.b
        frames = self.time_constant * self.sample_rate / self.hop_length
        return (math.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Any:
        if not x.numel():
            return x
        s = self.smoothing
        first = x[:, :1] if self.start == "first" else torch.ones_like(x[:, :1])
        # a frame before the first one, so large that M is ``first`` after it
        rows = torch.cat([first / s, x], 1).transpose(1, 2)
        b, a = x.new_tensor([s, 0.0]), x.new_tensor([1.0, s - 1.0])
        smoothed = lfilter(rows, a, b, clamp=False)[..., 1:].transpose(1, 2)
        # (eps + M) ** -gain by logarithms: the same for tiny and for huge energies
        divided = (-self.gain * (math.log(self.eps) + (smoothed / self.eps).log1p())).exp()
        if self.power == 0:
            return (x * divided).log1p()
        if self.bias == 0:
            tiny = torch.finfo(x.dtype).tiny  # the root of silence has no finite derivative
            return (x * divided).clamp(min=tiny) ** self.power
        return self.bias**self.power * torch.expm1(self.power * (x * divided / self.bias).log1p())
