"""``TimeStretch``: spectrograms at another speed, the pitch kept."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.audio.functional.phases import phase_vocoder
from domainkit.audio.transforms._dense import features_from_dense
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform

__all__ = ["TimeStretch"]


@dataclass(frozen=True)
class TimeStretch(Transform):
    """Quicker or slower; see ``domainkit.audio.functional.phase_vocoder``.

    Input and output: complex spectrograms, of ``Spectrogram(power=None)``: dense [B, F, bins] or
    ``Ragged`` items [F_i, bins]; ceil(F / rate) frames come out.

    Args:
        hop_length: of the spectrogram.
        rate: above 1 is quicker and shorter.

    Raises:
        TransformError: a rate not above 0; another dtype or shape.

    Example:
        >>> TimeStretch(200, rate=1.25)(torch.rand(2, 10, 201, dtype=torch.complex64)).shape
        torch.Size([2, 8, 201])
    """

    hop_length: int = 200
    _: KW_ONLY
    rate: float = 1.0

    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "signal"

    def __post_init__(self) -> None:
        if not self.rate > 0 or self.hop_length < 1:
            raise TransformError(
                f"TimeStretch needs hop_length >= 1 and a rate above 0, got {self.hop_length} and "
                f"{self.rate}"
            )

    def apply(self, x: Any, draws: Draws) -> Any:
        values = x.values if isinstance(x, Ragged) else x
        wanted = 2 if isinstance(x, Ragged) else 3
        if not isinstance(values, torch.Tensor) or not values.is_complex() or values.ndim != wanted:
            raise TransformError(
                "TimeStretch takes a complex spectrogram [B, F, bins], of Spectrogram(power=None); "
                f"got {x!r:.100}"
            )
        if self.rate == 1:
            return x
        dense = x.pad()[0] if isinstance(x, Ragged) else x
        advance = torch.linspace(
            0, math.pi * self.hop_length, dense.shape[2], dtype=dense.real.dtype,
            device=dense.device,
        )[:, None]  # fmt: skip
        y = phase_vocoder(dense.transpose(1, 2), self.rate, advance).transpose(1, 2)
        if not isinstance(x, Ragged):
            return y
        lengths = np.ceil(x.host_shapes[:, 0] / self.rate).astype(np.int64)
        return features_from_dense(y, lengths)
