"""``Gain`` and ``RandomGain``: louder or softer, by the same number of decibels all along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.audio.transforms.checks import check_waveforms
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform

__all__ = ["Gain", "RandomGain"]


@dataclass(frozen=True)
class Gain(Transform):
    """Multiply by 10 ** (db / 20). Nothing is clipped: the result may leave [-1, 1].

    Input and output: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].

    Args:
        db: decibels; -6.02 halves.

    Raises:
        TransformError: another dtype or shape.

    Example:
        >>> Gain(db=20.0)(torch.ones(1, 1, 3))
        tensor([[[10., 10., 10.]]])
    """

    db: float

    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "pointwise"

    def apply(self, x: Any, draws: Draws) -> Any:
        check_waveforms(self, x)
        factor = 10.0 ** (self.db / 20.0)
        return x.with_values(x.values * factor) if isinstance(x, Ragged) else x * factor


@dataclass(frozen=True)
class RandomGain(Transform):
    """Per sample, with probability p, a gain drawn uniformly in decibels. Nothing is clipped.

    Input and output: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].

    Args:
        min_db, max_db: the range of the draw.
        p: how probable it is that a sample is changed at all, in [0, 1].

    Raises:
        TransformError: min_db above max_db, p outside [0, 1]; another dtype or shape.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> loud = RandomGain(min_db=-6.0, max_db=6.0, p=1.0)(torch.ones(4, 1, 10))
        >>> bool((loud > 0.5).all() and (loud < 2).all())
        True
    """

    min_db: float = -6.0
    max_db: float = 6.0
    p: float = 0.5

    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "pointwise"
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.min_db <= self.max_db:
            raise TransformError(
                f"RandomGain needs min_db <= max_db, got {self.min_db} and {self.max_db}"
            )
        if not 0.0 <= self.p <= 1.0:
            raise TransformError(f"RandomGain needs p in [0, 1], got {self.p}")

    def apply(self, x: Any, draws: Draws) -> Any:
        check_waveforms(self, x)
        chance, where = draws.uniform(2, device=x.device).to(x.dtype).unbind(1)
        db = self.min_db + (self.max_db - self.min_db) * where
        factor = torch.where(chance < self.p, 10.0 ** (db / 20.0), 1.0)
        if isinstance(x, Ragged):
            steps = x.offsets.diff()
            each = torch.repeat_interleave(factor, steps, output_size=len(x.values))
            return x.with_values(x.values * each)
        return x * factor[:, None, None]
