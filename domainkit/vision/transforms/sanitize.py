"""``SanitizeBoundingBoxes`` and ``SanitizeKeyPoints``: what is no longer there is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import replace_fields
from domainkit.vision.transforms._rows import Rows, is_tv, plain, wrap_like
from domainkit.vision.transforms._targets import box_rows, find, targets_in
from domainkit.vision.transforms.box_care import TargetTransform
from domainkit.vision.transforms.boxes import corners_of, is_rotated
from domainkit.vision.transforms.keypoints import inside
from domainkit.vision.transforms.masks import keep_planes

__all__ = ["SanitizeBoundingBoxes", "SanitizeKeyPoints"]

Getter = str | tuple[str, ...] | Callable[[Any], Any] | None


@dataclass(frozen=True)
class SanitizeBoundingBoxes(TargetTransform):
    """Leave out boxes that are too small or beyond their picture, with their labels and masks.

    Takes a mapping with the pictures, boxes (xyxy [n_i, 4], corners [n_i, 8], or torchvision's
    ``BoundingBoxes``) and fields with an item per box. Gives ``Ragged`` for ``Ragged`` and dense
    ones (counts differ now), lists for lists. Masks of objects [n_i, H_i, W_i] are filtered too,
    and masks of classes left as they are.

    Args:
        min_size: a box stays if its width and its height are at least this, in pixels.
        min_area: and its area is at least this.
        labels_getter: the names of the fields with an item per box (one, or several); a function
            of the batch that gives their values; "default": "labels" in any case, or else the
            first field with "label" in its name; None: the boxes alone.

    Exactness: the same boxes stay as with torchvision's ``sanitize_bounding_boxes``. A rotated
    box's height is measured between its second and third corner (torchvision 0.29 takes another
    distance).

    Raises:
        TransformError: wrong arguments, no boxes, no labels, or labels of other counts.

    Example:
        >>> batch = {"image": torch.zeros(1, 3, 8, 8), "labels": torch.tensor([[5, 6]])}
        >>> batch["boxes"] = torch.tensor([[[0, 0, 4, 4], [2, 2, 2, 2]]])
        >>> SanitizeBoundingBoxes()(batch)["labels"][0]
        tensor([5])
    """

    min_size: float = 1.0
    min_area: float = 1.0
    labels_getter: Getter = "default"

    def __post_init__(self) -> None:
        for name in ("min_size", "min_area"):
            if not getattr(self, name) >= 1:
                raise TransformError(
                    f"SanitizeBoundingBoxes: {name} must be >= 1, got {getattr(self, name)!r}"
                )
        _check_getter(self)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        name = _one(self, find(self, batch, "Boxes"))
        sizes = self._sizes(batch, batch[name])
        rows, format = box_rows(name, batch[name], len(sizes))
        keep = self.valid(rows.values, format, rows.per_row(sizes))
        new = {name: rows.only(keep)} | _labels(self, batch, rows, keep)
        for mask, kind in targets_in(batch, self.field).items():
            if kind == "Mask" and mask not in new:
                planes = _planes(batch[mask], rows, keep)
                new |= {} if planes is None else {mask: planes}
        return replace_fields(batch, new)

    def valid(self, boxes: torch.Tensor, format: str, sizes: torch.Tensor) -> torch.Tensor:
        """bool [N]: which boxes [N, columns] stay, in pictures of sizes int64 [N, 2]."""
        if len(boxes) == 0:
            return torch.zeros(0, dtype=torch.bool, device=boxes.device)
        corners = corners_of(boxes.to(torch.float64), format)
        across = corners[:, 1] - corners[:, 0]
        down = corners[:, 2] - corners[:, 1]
        if is_rotated(format):
            wide, tall = across.norm(dim=-1), down.norm(dim=-1)
        else:
            wide, tall = across[:, 0], down[:, 1]
        limit = sizes.to(corners.device).flip(1)[:, None]
        within = ((corners >= 0) & (corners <= limit)).flatten(1).all(1)
        return (
            (wide >= self.min_size)
            & (tall >= self.min_size)
            & (wide * tall >= self.min_area)
            & within
        )


@dataclass(frozen=True)
class SanitizeKeyPoints(TargetTransform):
    """Leave out keypoints beyond their picture, with their labels.

    Takes a mapping with the pictures, keypoints [n_i, 2] or groups of them [n_i, K, 2], and fields
    with an item per row. A group goes when any of its points is outside. Gives ``Ragged`` for
    ``Ragged`` and dense fields, lists for lists.

    Args:
        labels_getter: as of ``SanitizeBoundingBoxes``.

    Exactness: the same rows stay as with torchvision's ``sanitize_keypoints``.

    Raises:
        TransformError: wrong arguments, no keypoints, or labels of other counts.

    Example:
        >>> points = torch.tensor([[[1, 2], [8, 0]]])
        >>> SanitizeKeyPoints()({"image": torch.zeros(1, 3, 8, 8), "keypoints": points})[
        ...     "keypoints"
        ... ][0]
        tensor([[1, 2]])
    """

    labels_getter: Getter = None

    def __post_init__(self) -> None:
        _check_getter(self)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        name = _one(self, find(self, batch, "KeyPoints"))
        sizes = self._sizes(batch, batch[name])
        rows = Rows.of(name, batch[name], len(sizes))
        keep = inside(rows.values, rows.per_row(sizes))
        return replace_fields(batch, {name: rows.only(keep)} | _labels(self, batch, rows, keep))


def _check_getter(op: Any) -> None:
    getter = op.labels_getter
    if isinstance(getter, list):
        getter = tuple(getter)
        object.__setattr__(op, "labels_getter", getter)
    names = isinstance(getter, tuple) and all(isinstance(n, str) for n in getter)
    if not (getter is None or callable(getter) or isinstance(getter, str) or names):
        raise TransformError(
            f"{type(op).__name__}: labels_getter must be a name, several, a function, 'default' or "
            f"None, got {getter!r}"
        )


def _one(op: Any, names: list[str]) -> str:
    if len(names) > 1:
        raise TransformError(f"{type(op).__name__} takes one such field, got {', '.join(names)}")
    return names[0]


def _labels(op: Any, batch: Mapping[str, Any], rows: Rows, keep: torch.Tensor) -> dict[str, Any]:
    """The fields with an item per box, without the items of those that go."""
    new: dict[str, Any] = {}
    flat = isinstance(rows.like, torch.Tensor) and rows.like.ndim == rows.values.ndim
    for name in _label_names(op, batch):
        value = batch[name]
        if flat and isinstance(value, torch.Tensor):  # one box per sample, or a batch of one
            labels = Rows(plain(value), rows.counts, value)
            if len(value) != len(rows.values):
                raise _mismatch(op, name)
            if is_tv(rows.like, "TVTensor") and len(rows.counts) == 1:
                new[name] = value[keep.to(value.device)]
                continue
        else:
            if isinstance(value, torch.Tensor) and value.ndim < 2:
                raise _mismatch(op, name)
            labels = Rows.of(name, value, len(rows.counts), inner=0)
            if (labels.counts != rows.counts).any():
                raise _mismatch(op, name)
        new[name] = labels.only(keep)
    return new


def _mismatch(op: Any, name: str) -> TransformError:
    return TransformError(
        f"{type(op).__name__}: {name!r} must have an item for each box. Name the fields that have "
        "in labels_getter, or give None"
    )


def _label_names(op: Any, batch: Mapping[str, Any]) -> list[str]:
    getter = op.labels_getter
    if getter is None:
        return []
    if callable(getter):
        values = getter(batch)
        found = [name for name, value in batch.items() if value is values]
        if not found and isinstance(values, (tuple, list)):
            found = [name for name, value in batch.items() if any(value is v for v in values)]
        if not found:
            raise TransformError(
                f"{type(op).__name__}: labels_getter must give values of the batch's fields"
            )
        return found
    if getter == "default":
        named = [n for n in batch if n.lower() == "labels"] or [
            n for n in batch if "label" in n.lower()
        ]
        if not named:
            raise TransformError(
                f"{type(op).__name__} found no field of labels among "
                f"{', '.join(map(repr, batch))}: name it in labels_getter, or give None"
            )
        return named[:1]
    names = [getter] if isinstance(getter, str) else list(getter)
    for name in names:
        if name not in batch:
            raise TransformError(
                f"{type(op).__name__}: no field {name!r} among {', '.join(map(repr, batch))}"
            )
    return names


def _planes(value: Any, rows: Rows, keep: torch.Tensor) -> Any:
    """Masks of objects without some of them; None where they are masks of classes."""
    counts = rows.counts.tolist()
    if isinstance(value, (list, tuple)):
        if any(m.ndim != 3 or len(m) != n for m, n in zip(value, counts, strict=True)):
            return None
        parts = zip(value, keep.split(counts), strict=True)
        return type(value)([wrap_like(plain(m)[k.to(m.device)], m) for m, k in parts])
    masks = plain(value)
    if isinstance(masks, Ragged):
        mine = masks.host_shapes[:, 0].tolist() if masks.host_shapes.shape[1] == 3 else None
    else:
        mine = [masks.shape[1]] * len(masks) if masks.ndim == 4 else None
    return keep_planes(masks, keep) if mine == counts else None
