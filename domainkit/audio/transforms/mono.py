"""``Mono``: the mean of all channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from domainkit.audio.transforms.checks import check_waveforms
from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.transform import Transform

__all__ = ["Mono"]


@dataclass(frozen=True)
class Mono(Transform):
    """Mix all channels into one, by their mean (so the range [-1, 1] is kept).

    Input: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C_i, T_i]; the number
    of channels may differ from item to item. Output: dense [B, 1, T] or ``Ragged`` items [1, T_i].

    Raises:
        TransformError: another dtype or shape.

    Example:
        >>> import torch
        >>> Mono()(torch.tensor([[[0.0, 1.0], [1.0, 1.0]]]))
        tensor([[[0.5000, 1.0000]]])
    """

    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "signal"

    def apply(self, x: Any, draws: Draws) -> Any:
        check_waveforms(self, x)
        if not isinstance(x, Ragged):
            return x.mean(1, keepdim=True)
        if (x.host_shapes[:, 0] == 1).all():
            return x
        return Ragged.from_list([item.mean(0, keepdim=True) for item in x])
