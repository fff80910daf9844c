"""``Standardize``: features of mean 0 and standard deviation 1, per sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.audio.transforms.checks import check_features
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform

__all__ = ["Standardize"]

OVER = ("sample", "time")


@dataclass(frozen=True)
class Standardize(Transform):
    """Subtract a sample's own mean and divide by its own (population) standard deviation.

    Input and output: float32 or float64 features, dense [B, T, M] or ``Ragged`` items [T_i, M].

    Args:
        over: "time": one mean and deviation per band, over the sample's frames (cepstral mean and
            variance normalisation, O. Viikki and K. Laurila, 1998): removes the channel and the
            long-term timbre with it. "sample": one mean and deviation over all frames and bands:
            removes loudness only, which is what telling voices apart needs.
        eps: added to the deviation, so that silence becomes zeros instead of NaN.

    Raises:
        TransformError: an unknown ``over``, eps not positive; another dtype or shape; a sample
            without frames.

    Example:
        >>> x = torch.arange(6.0).reshape(1, 3, 2)
        >>> y = Standardize(over="time")(x)
        >>> [round(float(v), 4) for v in y[0, :, 0]]
        [-1.2247, 0.0, 1.2247]
    """

    over: str = "time"
    eps: float = 1e-5

    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "signal"

    def __post_init__(self) -> None:
        if self.over not in OVER:
            raise TransformError(f"Standardize: over is 'sample' or 'time', got {self.over!r}")
        if not self.eps > 0:
            raise TransformError(f"Standardize needs eps > 0, got {self.eps}")

    def apply(self, x: Any, draws: Draws) -> Any:
        check_features(self, x)
        frames = x.host_shapes.min(initial=1) if isinstance(x, Ragged) else x.shape[1]
        if frames == 0:
            raise TransformError(f"Standardize needs at least one frame per sample, got {x!r}")
        if isinstance(x, Ragged):
            return x.with_values(self._ragged(x))
        dims = (1, 2) if self.over == "sample" else (1,)
        # in float64: else a constant keeps its own rounding, which the deviation then blows up
        centred = x - x.double().mean(dims, keepdim=True).to(x.dtype)
        return centred / (centred.square().mean(dims, keepdim=True).sqrt() + self.eps)

    def _ragged(self, x: Ragged) -> torch.Tensor:
        owner = torch.repeat_interleave(
            torch.arange(len(x), device=x.device), x.lengths, output_size=len(x.values)
        )
        centred = x.values - self._means(x, x.values, owner)
        return centred / (self._means(x, centred.square(), owner).sqrt() + self.eps)

    def _means(self, x: Ragged, values: torch.Tensor, owner: torch.Tensor) -> torch.Tensor:
        """Every frame's sample's mean of ``values``: [N, M], or [N, 1] over the sample."""
        if self.over == "sample":
            values = values.double().mean(1, keepdim=True).to(values.dtype)
        wide = values.double()
        sums = wide.new_zeros(len(x), values.shape[1]).index_add(0, owner, wide)
        return (sums / x.lengths[:, None]).to(values.dtype)[owner]
