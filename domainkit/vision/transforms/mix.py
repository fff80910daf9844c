"""``MixUp``, ``CutMix`` and ``RandomMixUpCutMix``: pictures and labels mixed in pairs.

Sources of the methods: Zhang et al., "mixup: beyond empirical risk minimization" (ICLR 2018), and
Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features"
(ICCV 2019). As in torchvision the partner of a sample is the one before it in the batch (the last
one for the first), so batches are to be shuffled. The share and the box belong to the sample and
do not depend on the batch; the partner does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.gamma import betas
from domainkit.outputs import room_like
from domainkit.ragged import Ragged
from domainkit.soft_labels import mix_labels, soft_labels
from domainkit.transform import Transform, replace_fields
from domainkit.vision.transforms._images import FLOATS
from domainkit.vision.transforms._targets import refuse
from domainkit.vision.transforms.kernels.pool import in_parts

__all__ = ["CutMix", "MixUp", "RandomMixUpCutMix", "cut_mix", "mix_up"]

# which number of a sample's draws is what
_WHETHER, _WHICH, _CENTRE, _BETA = 0, 1, 2, 4


class _Mixing(Transform):
    """What the three have in common; they write ``pictures``."""

    field: ClassVar[str] = "image"
    kind: ClassVar[str] = "mixing"
    random: ClassVar[bool] = True
    pairs: ClassVar[bool] = True  # needs its whole batch: a sample alone has no partner

    num_classes: int | None
    label: str
    p: float

    def pictures(self, x: torch.Tensor, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
        """The mixed pictures, and the share float64 [B] of each sample's own label."""
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
        refuse(self, batch)
        x = self._checked(batch[self.field])
        labels = soft_labels(self, batch[self.label], len(x))
        mixed, share = self.pictures(x, draws)
        return replace_fields(batch, {self.field: mixed, self.label: mix_labels(labels, share)})

    def _check_arguments(self, **alphas: Any) -> None:
        name = type(self).__name__
        for key, alpha in alphas.items():
            if not isinstance(alpha, (int, float)) or not alpha > 0:
                raise TransformError(f"{name}: {key} must be a number above 0, got {alpha!r}")
        if self.num_classes is not None and (
            type(self.num_classes) is not int or self.num_classes < 1
        ):
            raise TransformError(
                f"{name}: num_classes must be a positive int or None, got {self.num_classes!r}"
            )
        if not 0 <= self.p <= 1:
            raise TransformError(f"{name}: p must be in [0, 1], got {self.p!r}")

    def _checked(self, x: Any) -> torch.Tensor:
        name = type(self).__name__
        if isinstance(x, Ragged):
            if not x.is_dense:
                raise TransformError(
                    f"{name} takes pictures of one size, got {x}: crop or resize before"
                )
            x = x.dense()
        if not isinstance(x, torch.Tensor) or x.ndim not in (4, 5):
            got = tuple(x.shape) if isinstance(x, torch.Tensor) else type(x).__name__
            raise TransformError(f"{name} takes [B, C, H, W] or [B, T, C, H, W], got {got}")
        return x

    def _chosen(self, draws: Draws) -> torch.Tensor:
        return draws.uniform(1, start=_WHETHER)[:, 0] < self.p


@dataclass(frozen=True)
class MixUp(_Mixing):
    """Blend every picture with the one before it: share * own + (1 - share) * partner.

    Takes a mapping with floating pictures [B, C, H, W] (or clips [B, T, C, H, W]) and labels: class
    numbers [B], or shares [B, num_classes]. Gives both mixed; labels become floating
    [B, num_classes].

    Args:
        alpha: the share is drawn from Beta(alpha, alpha), for each sample its own.
        num_classes: how many classes there are; None when labels are shares already.
        label: the key of the labels.
        p: probability in [0, 1] that a sample is mixed; else it stays as it is.

    Exactness: pictures and labels within 2e-7 (float32) of ``torchvision.transforms.v2.MixUp`` with
    the same share. torchvision draws one share per batch.

    Raises:
        TransformError: wrong arguments, dtype or shape, or no labels.

    Example:
        >>> batch = {"image": torch.rand(4, 3, 8, 8), "label": torch.tensor([0, 1, 2, 1])}
        >>> MixUp(num_classes=3)(batch)["label"].shape
        torch.Size([4, 3])
    """

    alpha: float = 1.0
    num_classes: int | None = None
    label: str = "label"
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check_arguments(alpha=self.alpha)

    def share(self, draws: Draws) -> torch.Tensor:
        """float64 [B] on the device of the sample ids: each sample's share of itself."""
        return torch.where(self._chosen(draws), betas(draws, self.alpha, start=_BETA), 1.0)

    def pictures(self, x: torch.Tensor, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
        _check_floating(self, x)
        share = self.share(draws)
        return mix_up(x, share), share


@dataclass(frozen=True)
class CutMix(_Mixing):
    """Replace a box of every picture by that of the picture before it.

    Takes a mapping with pictures [B, C, H, W] of any dtype (or clips [B, T, C, H, W]) and labels:
    class numbers [B], or shares [B, num_classes]. Labels are mixed by the area, and become floating
    [B, num_classes].

    Args:
        alpha: 1 - Beta(alpha, alpha) is the box's share of the area, for each sample its own,
            before the box is cut at the border; its centre is uniform.
        num_classes: how many classes there are; None when labels are shares already.
        label: the key of the labels.
        p: probability in [0, 1] that a sample is mixed; else it stays as it is.

    Exactness: pictures equal to, labels within 2e-7 (float32) of
    ``torchvision.transforms.v2.CutMix`` with the same box. torchvision draws one box per batch.

    Raises:
        TransformError: wrong arguments or shape, or no labels.

    Example:
        >>> batch = {"image": torch.rand(4, 3, 8, 8), "label": torch.tensor([0, 1, 2, 1])}
        >>> CutMix(num_classes=3)(batch)["image"].shape
        torch.Size([4, 3, 8, 8])
    """

    alpha: float = 1.0
    num_classes: int | None = None
    label: str = "label"
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check_arguments(alpha=self.alpha)

    def boxes(self, size: tuple[int, int], draws: Draws) -> torch.Tensor:
        """int64 [B, 4] (left, top, right, bottom), half-open, for pictures of (height, width)."""
        boxes = _boxes(size, draws, self.alpha)
        return torch.where(self._chosen(draws)[:, None], boxes, 0)

    def pictures(self, x: torch.Tensor, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
        size = (x.shape[-2], x.shape[-1])
        boxes = self.boxes(size, draws)
        return cut_mix(x, boxes), _outside(boxes, size)


@dataclass(frozen=True)
class RandomMixUpCutMix(_Mixing):
    """``MixUp`` for some samples and ``CutMix`` for the others, a choice per sample, in one pass.

    Takes and gives what ``MixUp`` does.

    Args:
        mixup_alpha: as ``MixUp``'s alpha.
        cutmix_alpha: as ``CutMix``'s alpha.
        num_classes: how many classes there are; None when labels are shares already.
        label: the key of the labels.
        p: probability in [0, 1] that a sample is mixed at all.
        switch_p: probability in [0, 1] that a mixed sample gets ``CutMix``.

    Exactness: that of the two.

    Raises:
        TransformError: wrong arguments, dtype or shape, or no labels.

    Example:
        >>> batch = {"image": torch.rand(4, 3, 8, 8), "label": torch.tensor([0, 1, 2, 1])}
        >>> RandomMixUpCutMix(0.2, 1.0, num_classes=3)(batch)["label"].dtype
        torch.float32
    """

    mixup_alpha: float = 1.0
    cutmix_alpha: float = 1.0
    num_classes: int | None = None
    label: str = "label"
    p: float = 1.0
    switch_p: float = 0.5

    def __post_init__(self) -> None:
        self._check_arguments(mixup_alpha=self.mixup_alpha, cutmix_alpha=self.cutmix_alpha)
        if not 0 <= self.switch_p <= 1:
            raise TransformError(
                f"RandomMixUpCutMix: switch_p must be in [0, 1], got {self.switch_p!r}"
            )

    def pictures(self, x: torch.Tensor, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
        _check_floating(self, x)
        size = (x.shape[-2], x.shape[-1])
        chosen = self._chosen(draws)
        cut = draws.uniform(1, start=_WHICH)[:, 0] < self.switch_p
        share = torch.where(chosen & ~cut, betas(draws, self.mixup_alpha, start=_BETA), 1.0)
        boxes = _boxes(size, draws, self.cutmix_alpha)
        boxes = torch.where((chosen & cut)[:, None], boxes, 0)
        mixed = mix_up(x, share)
        cut_mix(x, boxes, out=mixed)
        return mixed, torch.where(cut, _outside(boxes, size), share)


def mix_up(x: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """share[i] * x[i] + (1 - share[i]) * x[i - 1] for floating x [B, ...] and share [B]."""
    graph = torch.compiler.is_compiling()
    if graph or (x.requires_grad and torch.is_grad_enabled()):  # written memory has no gradient
        return torch.lerp(x.roll(1, 0), x, share.to(x).view(-1, *[1] * (x.ndim - 1)))
    out = room_like(x)
    if len(x) == 0:
        return out
    if x.device.type == "cpu":  # with a number as weight a row runs at the speed of memory
        shares = share.tolist()

        def blend(first: int, end: int) -> None:
            for i in range(first, end):
                torch.lerp(x[i - 1], x[i], shares[i], out=out[i])

        in_parts(blend, [x[0].numel()] * len(x))
        return out
    weight = share.to(x.device, x.dtype).view(-1, *[1] * (x.ndim - 1))
    torch.lerp(x[:-1], x[1:], weight[1:], out=out[1:])
    torch.lerp(x[-1:], x[:1], weight[:1], out=out[:1])
    return out


def cut_mix(x: torch.Tensor, boxes: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
    """Pictures [B, ..., H, W] with their boxes int64 [B, 4] from the picture before.

    ``out`` (None: a copy of ``x``) holds what the rest of the pictures is; it is written to.
    """
    if out is None:
        out = x.clone() if x.requires_grad else room_like(x).copy_(x)
    if x.device.type == "cpu" and not torch.compiler.is_compiling():  # only the boxes are touched
        for i, (left, top, right, bottom) in enumerate(boxes.tolist()):
            if left < right and top < bottom:
                there = (..., slice(top, bottom), slice(left, right))
                out[i][there] = x[i - 1][there]
        return out
    boxes = boxes.to(x.device)
    rows = torch.arange(x.shape[-2], device=x.device)
    columns = torch.arange(x.shape[-1], device=x.device)
    tall = (rows >= boxes[:, 1:2]) & (rows < boxes[:, 3:4])
    wide = (columns >= boxes[:, 0:1]) & (columns < boxes[:, 2:3])
    inside = (tall[:, :, None] & wide[:, None, :]).view(
        len(x), *[1] * (x.ndim - 3), x.shape[-2], x.shape[-1]
    )
    return out.copy_(torch.where(inside, x.roll(1, 0), out))


def _boxes(size: tuple[int, int], draws: Draws, alpha: float) -> torch.Tensor:
    height, width = size
    share = betas(draws, alpha, start=_BETA)
    half = 0.5 * (1 - share).sqrt()
    across, up = (half * width).long(), (half * height).long()
    unit = draws.bits(2, start=_CENTRE)
    x, y = unit[:, 0] * width >> 32, unit[:, 1] * height >> 32
    sides = (x - across, y - up, x + across, y + up)
    limits = (width, height, width, height)
    return torch.stack([s.clamp(0, most) for s, most in zip(sides, limits, strict=True)], 1)


def _outside(boxes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """float64 [B]: the share of the area that is not in the box."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return 1 - area.to(torch.float64) / max(1, size[0] * size[1])


def _check_floating(op: _Mixing, x: torch.Tensor) -> None:
    if x.dtype not in FLOATS:
        raise TransformError(
            f"{type(op).__name__} takes floating pictures, got {x.dtype}. Put "
            "ToDtype('float32', scale=True) before it"
        )
