"""``MixUp`` and ``SpecCutMix``: recordings and labels mixed in pairs.

Sources of the methods: Zhang et al., "mixup: beyond empirical risk minimization" (ICLR 2018); Yun
et al., "CutMix" (ICCV 2019), on spectrograms as in G. Kim et al., "Specmix" (INTERSPEECH 2021). The
partner of a sample is the one before it in the batch (the last one for the first), so batches are
to be shuffled. What is drawn belongs to the sample; the partner does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.audio.transforms._base import check_probability
from domainkit.audio.transforms._dense import (
    features_from_dense,
    waveforms_from_dense,
    waveforms_to_dense,
)
from domainkit.audio.transforms.checks import check_features, check_waveforms
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.gamma import betas
from domainkit.ragged import Ragged
from domainkit.soft_labels import mix_labels, soft_labels
from domainkit.transform import Transform, replace_fields

__all__ = ["MixUp", "SpecCutMix"]


class _Mixing(Transform):
    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "mixing"
    random: ClassVar[bool] = True
    pairs: ClassVar[bool] = True  # needs its whole batch: a sample alone has no partner

    num_classes: int | None
    label: str
    p: float

    def mixed(self, x: Any, draws: Draws) -> tuple[Any, torch.Tensor]:
        """The mixed sound, and the share float64 [B] of each sample's own label."""
        raise NotImplementedError

    def apply(self, x: Any, draws: Draws) -> Any:
        raise TransformError(
            f"{type(self).__name__} mixes labels too: give it a mapping with {self.field!r} and "
            f"{self.label!r}, got {type(x).__name__}"
        )

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        if self.label not in batch:
            raise TransformError(
                f"{type(self).__name__} mixes {self.label!r} too; the batch has "
                f"{', '.join(map(repr, batch))}: name its labels with label=..."
            )
        x = batch[self.field]
        labels = soft_labels(self, batch[self.label], len(x))
        sound, share = self.mixed(x, draws)
        return replace_fields(batch, {self.field: sound, self.label: mix_labels(labels, share)})

    def _check(self, **positive: float) -> None:
        name = type(self).__name__
        for key, value in positive.items():
            if not value > 0:
                raise TransformError(f"{name}: {key} is a number above 0, got {value!r}")
        classes = self.num_classes
        if classes is not None and (type(classes) is not int or classes < 1):
            raise TransformError(
                f"{name}: num_classes is a whole number above 0 or None, got {classes!r}"
            )
        check_probability(self, self.p)


@dataclass(frozen=True)
class MixUp(_Mixing):
    """Blend each recording with the one before it: share * own + (1 - share) * partner.

    Takes a mapping with float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i]
    (as many channels in all), and labels: class numbers [B], or shares [B, num_classes]. Gives both
    mixed; labels become floating [B, num_classes]. A recording keeps its length: a longer partner
    is cut, behind a shorter one is silence.

    Args:
        alpha: the share is drawn from Beta(alpha, alpha), for each sample its own.
        num_classes: how many classes there are; None when labels are shares already.
        label: the key of the labels.
        p: probability in [0, 1] that a sample is mixed; else it stays as it is.

    Raises:
        TransformError: wrong arguments, dtype or shape, or no labels.

    Example:
        >>> batch = {"audio": torch.rand(4, 1, 80), "label": torch.tensor([0, 1, 2, 1])}
        >>> MixUp(num_classes=3)(batch)["label"].shape
        torch.Size([4, 3])
    """

    alpha: float = 1.0
    num_classes: int | None = None
    label: str = "label"
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check(alpha=self.alpha)

    def mixed(self, x: Any, draws: Draws) -> tuple[Any, torch.Tensor]:
        check_waveforms(self, x)
        chosen = draws.uniform(1)[:, 0] < self.p
        share = torch.where(chosen, betas(draws, self.alpha, start=1), 1.0)
        if not isinstance(x, Ragged):
            return _blend(x, share), share
        dense = waveforms_to_dense(x)
        return waveforms_from_dense(_blend(dense, share), x.host_shapes), share


@dataclass(frozen=True)
class SpecCutMix(_Mixing):
    """Replace a box of bands and frames of each sample's features by that of the sample before it.

    Takes a mapping with float32 or float64 features, dense [B, T, M] or ``Ragged`` items [T_i, M],
    and labels as ``MixUp`` does. A box lies within both samples; labels are mixed by its share of
    the sample's own area.

    Args:
        max_bands, max_frames: the box's sides are uniform up to these parts of the sample, in
            (0, 1].
        num_classes: how many classes there are; None when labels are shares already.
        label: the key of the labels.
        p: probability in [0, 1] that a sample is mixed; else it stays as it is.

    Raises:
        TransformError: wrong arguments, dtype or shape, or no labels.

    Example:
        >>> batch = {"audio": torch.rand(4, 50, 8), "label": torch.tensor([0, 1, 2, 1])}
        >>> SpecCutMix(num_classes=3)(batch)["label"].sum(1).round(decimals=5)
        tensor([1., 1., 1., 1.])
    """

    max_bands: float = 0.5
    max_frames: float = 0.5
    num_classes: int | None = None
    label: str = "label"
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check(max_bands=self.max_bands, max_frames=self.max_frames)
        if self.max_bands > 1 or self.max_frames > 1:
            raise TransformError(
                "SpecCutMix: max_bands and max_frames are parts of a sample, at most 1; got "
                f"{self.max_bands} and {self.max_frames}"
            )

    def mixed(self, x: Any, draws: Draws) -> tuple[Any, torch.Tensor]:
        check_features(self, x)
        dense = x.pad()[0] if isinstance(x, Ragged) else x
        host = x.host_shapes[:, 0] if isinstance(x, Ragged) else np.full(len(x), x.shape[1])
        lengths = torch.from_numpy(host).to(dense.device)
        u = draws.uniform(5, device=dense.device).double()
        bands = dense.shape[2]
        high = (u[:, 1] * (self.max_bands * bands + 1)).long().clamp(max=bands)
        low = (u[:, 2] * (bands - high + 1)).long()
        both = torch.minimum(lengths, lengths.roll(1, 0))
        wide = (u[:, 3] * (self.max_frames * lengths + 1)).long()
        wide = torch.where(u[:, 0] < self.p, torch.minimum(wide, both), 0)
        first = (u[:, 4] * (both - wide + 1)).long()
        frame = torch.arange(dense.shape[1], device=dense.device)
        band = torch.arange(bands, device=dense.device)
        in_time = (frame >= first[:, None]) & (frame < (first + wide)[:, None])
        in_band = (band >= low[:, None]) & (band < (low + high)[:, None])
        box = in_time[:, :, None] & in_band[:, None, :]
        out = torch.where(box, dense.roll(1, 0), dense)
        share = 1 - (wide * high).double() / (lengths * bands).clamp(min=1)
        return features_from_dense(out, host) if isinstance(x, Ragged) else out, share


def _blend(x: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    return torch.lerp(x.roll(1, 0), x, share.to(x).view(-1, *[1] * (x.ndim - 1)))
