"""``MuLawEncoding`` and ``MuLawDecoding``: levels that are close where sound is soft (G.711)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.audio.functional.mu_law import mu_law_decoding, mu_law_encoding
from domainkit.audio.transforms.checks import check_waveforms
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform

__all__ = ["MuLawDecoding", "MuLawEncoding"]


class _MuLaw(Transform):
    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "pointwise"

    quantization_channels: int

    def __post_init__(self) -> None:
        if not isinstance(self.quantization_channels, int) or self.quantization_channels < 2:
            raise TransformError(
                f"{type(self).__name__}: quantization_channels is a whole number >= 2, got "
                f"{self.quantization_channels!r}"
            )


@dataclass(frozen=True)
class MuLawEncoding(_MuLaw):
    """Waveforms in [-1, 1] to int64 codes in 0..quantization_channels - 1.

    Input: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].

    Raises:
        TransformError: fewer than 2 levels; another dtype or shape.

    Example:
        >>> MuLawEncoding()(torch.tensor([[[-1.0, 0.0, 1.0]]]))
        tensor([[[  0, 128, 255]]])
    """

    quantization_channels: int = 256

    def apply(self, x: Any, draws: Draws) -> Any:
        check_waveforms(self, x)
        if isinstance(x, Ragged):
            return x.with_values(mu_law_encoding(x.values, self.quantization_channels))
        return mu_law_encoding(x, self.quantization_channels)


@dataclass(frozen=True)
class MuLawDecoding(_MuLaw):
    """Codes in 0..quantization_channels - 1 to waveforms in [-1, 1].

    Input: whole numbers, dense [B, C, T] or ``Ragged`` items [C, T_i]. Output: float32.

    Raises:
        TransformError: fewer than 2 levels; no whole numbers.

    Example:
        >>> MuLawDecoding()(torch.tensor([[[0, 255]]]))
        tensor([[[-1.,  1.]]])
    """

    quantization_channels: int = 256

    def apply(self, x: Any, draws: Draws) -> Any:
        values = x.values if isinstance(x, Ragged) else x
        if not isinstance(values, torch.Tensor) or values.is_floating_point():
            got = values.dtype if isinstance(values, torch.Tensor) else type(values).__name__
            raise TransformError(f"MuLawDecoding takes whole numbers, got {got}")
        done = mu_law_decoding(values, self.quantization_channels)
        return x.with_values(done) if isinstance(x, Ragged) else done
