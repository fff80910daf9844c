"""``SpecAugment``: hide some bands and some stretches of time, anew for every sample.

Method: D. Park et al., "SpecAugment" (arXiv:1904.08779), frequency and time masking; without its
time warping, which the authors found to add little. ``time_fraction`` is the p of the adaptive
masks in their second paper (arXiv:1912.05533).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.audio.transforms.checks import check_features
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform

__all__ = ["SpecAugment"]


@dataclass(frozen=True)
class SpecAugment(Transform):
    """Put ``fill`` into random bands and random frames of features.

    Input and output: float32 or float64 features, dense [B, T, M] or ``Ragged`` items [T_i, M]. All
    frames of a dense batch count as sound: of samples of different lengths, give a ``Ragged``.

    A mask's width is uniform over 0..limit and its place uniform among those where it fits. The
    limit is ``freq_width`` (at most M) for bands and, for frames, the smaller of ``time_width`` and
    ``time_fraction`` of the sample's own frames.

    Args:
        freq_masks, time_masks: how many of each, drawn independently (they may overlap).
        freq_width: limit in bands. time_width: limit in frames.
        time_fraction: limit as a part of the sample's length, in [0, 1].
        fill: what masked places hold: 0 is the mean after ``Standardize``.

    Raises:
        TransformError: a negative count or width, time_fraction outside [0, 1]; another dtype or
            shape.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> masked = SpecAugment(freq_masks=1, freq_width=4, time_masks=0)(torch.ones(2, 5, 10))
        >>> bool((masked == masked[:, :1]).all()), bool(((masked == 0).sum(2) <= 4).all())
        (True, True)
    """

    freq_masks: int = 2
    freq_width: int = 27
    time_masks: int = 2
    time_width: int = 100
    time_fraction: float = 1.0
    fill: float = 0.0

    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "signal"
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("freq_masks", "freq_width", "time_masks", "time_width"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise TransformError(f"SpecAugment: {name} is a whole number >= 0, got {value!r}")
        if not 0.0 <= self.time_fraction <= 1.0:
            raise TransformError(
                f"SpecAugment needs time_fraction in [0, 1], got {self.time_fraction}"
            )

    def apply(self, x: Any, draws: Draws) -> Any:
        check_features(self, x)
        f, t = self.freq_masks, self.time_masks
        bits = draws.bits(2 * (f + t), device=x.device)
        if isinstance(x, Ragged):
            lengths, bands = x.lengths, x.inner[0]
        else:
            lengths, bands = torch.full((len(x),), x.shape[1], device=x.device), x.shape[2]
        sizes = torch.full_like(lengths, bands)
        band_masks = _spans(bits[:, : 2 * f], sizes, sizes.clamp(max=self.freq_width))
        limits = (lengths * self.time_fraction).long().clamp(max=self.time_width)
        frame_masks = _spans(bits[:, 2 * f :], lengths, limits)

        in_band = _inside(torch.arange(bands, device=x.device)[None, :], band_masks)
        if not isinstance(x, Ragged):
            in_frame = _inside(torch.arange(x.shape[1], device=x.device)[None, :], frame_masks)
            return x.masked_fill(in_band[:, None, :] | in_frame[:, :, None], self.fill)
        total = len(x.values)
        owner = torch.repeat_interleave(
            torch.arange(len(x), device=x.device), x.lengths, output_size=total
        )
        frame = torch.arange(total, device=x.device) - x.offsets[owner]
        in_frame = _inside(frame[:, None], tuple(edge[owner] for edge in frame_masks))
        return x.with_values(x.values.masked_fill(in_band[owner] | in_frame, self.fill))


def _spans(
    bits: torch.Tensor, sizes: torch.Tensor, limits: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """First and one-past-last positions [B, n] of n spans, from 2 n random words [B, 2 n].

    Scaling 32 random bits by a whole number and dropping 32 gives whole numbers below it, the same
    on every device.
    """
    width = (bits[:, 0::2] * (limits[:, None] + 1)) >> 32
    first = (bits[:, 1::2] * (sizes[:, None] - width + 1)) >> 32
    return first, first + width


def _inside(position: torch.Tensor, spans: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Whether ``position`` [B or 1, P] lies in any of the spans [B, n]: bool [B, P]."""
    first, last = (edge[:, None, :] for edge in spans)
    return ((position[..., None] >= first) & (position[..., None] < last)).any(-1)
