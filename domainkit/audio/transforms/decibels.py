"""``AmplitudeToDB``: features in decibels, each recording with a floor of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from domainkit.audio.functional.decibels import amplitude_to_DB
from domainkit.audio.transforms._base import FeatureTransform, Result, inside
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["AmplitudeToDB"]


@dataclass(frozen=True)
class AmplitudeToDB(FeatureTransform):
    """Features in decibels: 10 log10 of power, 20 log10 of magnitude.

    Input and output: float32 or float64 features, dense [B, T, M] or ``Ragged`` items [T_i, M].
    torchaudio's floor is that of the loudest recording of a batch where it has no channels, and of
    its padding; here it is each recording's own.

    Args:
        stype: "power" or "magnitude".
        top_db: what lies further below a recording's loudest place is raised to there; None: no
            such floor.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> AmplitudeToDB(top_db=30.0)(torch.tensor([[[1.0, 0.1, 1e-6]]]))
        tensor([[[  0., -10., -30.]]])
    """

    stype: str = "power"
    top_db: float | None = None

    def __post_init__(self) -> None:
        if self.stype not in ("power", "magnitude"):
            raise TransformError(
                f"AmplitudeToDB: stype is 'power' or 'magnitude', got {self.stype!r}"
            )
        if self.top_db is not None and self.top_db < 0:
            raise TransformError(f"AmplitudeToDB: top_db is at least 0, got {self.top_db}")

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        decibels = amplitude_to_DB(x, 10.0 if self.stype == "power" else 20.0, 1e-10, 0.0)
        if self.top_db is None or not x.numel():
            return decibels
        own = inside(torch.from_numpy(lengths).to(x.device), x.shape[1])[:, :, None]
        loudest = decibels.masked_fill(~own, -torch.inf).amax((1, 2), keepdim=True)
        return torch.maximum(decibels, loudest - self.top_db)
