"""``ComputeDeltas`` and ``SlidingWindowCmn``: features against the frames around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from domainkit.audio.functional.deltas import compute_deltas
from domainkit.audio.functional.moving_mean import centred_by, window_bounds
from domainkit.audio.transforms._base import FeatureTransform, Result
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["ComputeDeltas", "SlidingWindowCmn"]


@dataclass(frozen=True)
class ComputeDeltas(FeatureTransform):
    """How features change along time; see ``domainkit.audio.functional.compute_deltas``.

    Input and output: float32 or float64 features, dense [B, T, M] or ``Ragged`` items [T_i, M].
    Before its first and behind its last frame, a recording's outermost frame goes on.

    Args:
        win_length: frames of the window, at least 3.

    Raises:
        TransformError: a window below 3; another dtype or shape.

    Example:
        >>> ComputeDeltas()(torch.arange(5.0)[None, :, None])[0, :, 0]
        tensor([0.5000, 0.8000, 1.0000, 0.8000, 0.5000])
    """

    win_length: int = 5

    def __post_init__(self) -> None:
        if not isinstance(self.win_length, int) or self.win_length < 3:
            raise TransformError(
                f"ComputeDeltas: win_length is a whole number >= 3, got {self.win_length!r}"
            )

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        if not x.shape[1]:
            return x
        n = (self.win_length - 1) // 2
        last = torch.from_numpy(np.maximum(lengths - 1, 0)).to(x.device)[:, None]
        place = torch.arange(-n, x.shape[1] + n, device=x.device).clamp(min=0)
        index = torch.minimum(place, last)[:, :, None].expand(-1, -1, x.shape[2])
        wide = x.gather(1, index).transpose(1, 2)
        return compute_deltas(wide, self.win_length, "constant")[..., n:-n].transpose(1, 2)


@dataclass(frozen=True)
class SlidingWindowCmn(FeatureTransform):
    """Features less the mean of the frames around; as ``functional.sliding_window_cmn``.

    Input and output: float32 or float64 features, dense [B, T, M] or ``Ragged`` items [T_i, M].

    Args:
        cmn_window, min_cmn_window, center, norm_vars: as of the function.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> SlidingWindowCmn(3, center=True)(torch.tensor([[[1.0], [3.0], [8.0]]]))[0, :, 0]
        tensor([-3., -1.,  4.])
    """

    cmn_window: int = 600
    min_cmn_window: int = 100
    center: bool = False
    norm_vars: bool = False

    def __post_init__(self) -> None:
        if self.cmn_window < 1 or self.min_cmn_window < 0:
            raise TransformError(
                "SlidingWindowCmn needs cmn_window >= 1 and min_cmn_window >= 0, got "
                f"{self.cmn_window} and {self.min_cmn_window}"
            )

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        if not x.numel():
            return x
        own = torch.from_numpy(np.maximum(lengths, 1)).to(x.device)
        how = (self.cmn_window, self.min_cmn_window, self.center)
        first, last = window_bounds(x.shape[1], own, *how)
        return centred_by(x, first, last, own, self.norm_vars)
