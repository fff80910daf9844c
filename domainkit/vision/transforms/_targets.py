"""Boxes, masks and keypoints of a batch go where a geometry transform moves its pictures.

Fields are found by type (torchvision's ``tv_tensors``) and by name. What moves them is the
transform's own ``place`` with the same draws as the picture's, so both see the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import per_frame
from domainkit.vision.transforms._images import item_sizes
from domainkit.vision.transforms._rows import Rows, is_tv, plain, wrap_like
from domainkit.vision.transforms._shifts import shift_boxes, shift_points
from domainkit.vision.transforms.boxes import clamp_boxes, is_rotated, map_boxes, to_dtype_of
from domainkit.vision.transforms.keypoints import map_keypoints
from domainkit.vision.transforms.masks import move_masks

if TYPE_CHECKING:
    from domainkit.vision.transforms._geometry import Geometric, Placement

__all__ = ["NAMES", "box_rows", "find", "follow", "refuse", "sizes_of", "targets_in"]

NAMES = {
    "Boxes": ("boxes", "bboxes"),
    "Mask": ("mask", "masks", "segmentation"),
    "KeyPoints": ("keypoints",),
}
_TYPES = {"BoundingBoxes": "Boxes", "Mask": "Mask", "KeyPoints": "KeyPoints"}


def targets_in(batch: Mapping[str, Any], field: str) -> dict[str, str]:
    """Which fields of a batch move with the picture in ``field``: name -> a key of ``NAMES``."""
    found = {}
    for name, value in batch.items():
        first = value[0] if isinstance(value, (list, tuple)) and value else value
        kinds = [kind for tv, kind in _TYPES.items() if is_tv(first, tv)]
        kinds += [kind for kind, names in NAMES.items() if name in names]
        if kinds and name != field:
            found[name] = kinds[0]
    return found


def find(op: Any, batch: Mapping[str, Any], kind: str) -> list[str]:
    """The names of the fields of one kind, at least one.

    Raises:
        TransformError: there is none.
    """
    names = [name for name, found in targets_in(batch, "image").items() if found == kind]
    if not names:
        raise TransformError(
            f"{type(op).__name__} works on a field named {' or '.join(NAMES[kind])}; the batch has "
            f"{', '.join(map(repr, batch)) or 'no fields'}"
        )
    return names


def sizes_of(x: torch.Tensor | Ragged) -> torch.Tensor:
    """int64 [B, 2] on the host: height and width of pictures, or of the frames of clips."""
    if isinstance(x, torch.Tensor) and x.ndim == 5:
        return torch.tensor(x.shape[3:]).expand(len(x), 2)
    return item_sizes(x)


def box_rows(name: str, value: Any, batch: int) -> tuple[Rows, str]:
    """The boxes of a field, and their format: torchvision's, or what their columns say.

    Raises:
        TransformError: no boxes, or a format that cannot be told.
    """
    rows = Rows.of(name, value, batch)
    columns = rows.values.shape[-1]
    if rows.format is not None:
        return rows, rows.format
    if batch == 0 or columns == 4:
        return rows, "xyxy"
    if columns == 8:
        return rows, "xyxyxyxy"
    angle = (
        ': put ConvertBoundingBoxFormat("xyxyxyxy", old_format="cxcywhr" or "xywhr") before it'
        if columns == 5
        else ""
    )
    raise TransformError(
        f"{name!r} must hold boxes xyxy [n, 4] or corners [n, 8], got {columns} numbers each{angle}"
    )


def follow(
    op: Geometric, batch: Mapping[str, Any], sizes: torch.Tensor, draws: Draws
) -> tuple[dict[str, Any], torch.Tensor]:
    """The targets of a batch after ``op`` has moved its pictures.

    Args:
        sizes: int64 [B, 2]: height and width of the pictures before.

    Returns:
        The new fields, and the pictures' sizes after. Steps in a row hand the sizes on.

    Raises:
        TransformError: a target is malformed, or cannot follow.
    """
    place = op.place(sizes, draws)
    found = targets_in(batch, op.field)
    if place is None and found and not hasattr(op, "displacements"):
        refuse(op, batch)
    new = {}
    for name, kind in found.items():
        if kind == "Mask":
            new[name] = _masks(op, name, batch[name], sizes, draws)
        elif len(sizes) and place is None:
            new[name] = _shifted(op, name, batch[name], sizes, draws)
        elif len(sizes) and place is not None:
            move = _boxes if kind == "Boxes" else _points
            new[name] = move(op, name, batch[name], place)
    return new, sizes if place is None else place.sizes


def refuse(op: Any, batch: Mapping[str, Any]) -> None:
    """TransformError if the batch has targets, for a transform that cannot carry any."""
    found = targets_in(batch, op.field)
    if found:
        raise TransformError(
            f"{type(op).__name__} moves pixels: {', '.join(map(repr, found))} cannot follow. "
            "Leave it out, or these fields"
        )


def _shifted(op: Any, name: str, value: Any, sizes: torch.Tensor, draws: Draws) -> Any:
    if targets_in({name: value}, op.field)[name] == "Boxes":
        rows, format = box_rows(name, value, len(sizes))
        return rows.back(shift_boxes(op, rows, format, sizes, draws), sizes=sizes)
    rows = _point_rows(name, value, len(sizes))
    return rows.back(shift_points(op, rows, sizes, draws), sizes=sizes)


def _boxes(op: Geometric, name: str, value: Any, place: Placement) -> Any:
    rows, format = box_rows(name, value, len(place.sizes))
    forward, unmoved = _forward(place)
    moved = map_boxes(rows.values, format, rows.per_row(forward))
    resized = (place.source != place.sizes).any(1)
    # torchvision's resize clamps rotated boxes alone
    cut = torch.full_like(resized, True) if op.clamps else resized & is_rotated(format)
    if bool(cut.any()):
        clamped = clamp_boxes(moved, format, rows.per_row(place.sizes), rows.mode)
        moved = torch.where(rows.per_row(cut)[:, None], clamped, moved)
    still = rows.per_row(unmoved)[:, None]
    return rows.back(
        torch.where(still, rows.values, to_dtype_of(moved, rows.values)), sizes=place.sizes
    )


def _points(op: Geometric, name: str, value: Any, place: Placement) -> Any:
    rows = _point_rows(name, value, len(place.sizes))
    forward, _ = _forward(place)
    mirrored = None
    if place.window:
        mirrored = rows.per_row(place.matrix[:, [0, 1], [0, 1]] < 0)
    moved = map_keypoints(rows.values, rows.per_row(forward), mirrored)
    return rows.back(moved, sizes=place.sizes)


def _point_rows(name: str, value: Any, batch: int) -> Rows:
    rows = Rows.of(name, value, batch)
    if rows.values.shape[-1] != 2:
        raise TransformError(f"{name!r} must hold points [..., 2], got {tuple(rows.values.shape)}")
    return rows


def _masks(op: Geometric, name: str, value: Any, sizes: torch.Tensor, draws: Draws) -> Any:
    masks = op.for_masks()

    def work(pictures: Any) -> Any:
        if isinstance(pictures, torch.Tensor) and pictures.ndim == 5:
            return per_frame(masks, pictures, draws)
        return masks.apply(pictures, draws)

    if isinstance(value, (list, tuple)):
        moved = move_masks(name, Ragged.from_list([plain(v) for v in value]), sizes, work)
        return type(value)([wrap_like(m, v) for m, v in zip(moved, value, strict=True)])
    return wrap_like(move_masks(name, plain(value), sizes, work), value)


def _forward(place: Placement) -> tuple[torch.Tensor, torch.Tensor]:
    """float64 [B, 3, 3]: input -> output; bool [B]: whether nothing moves at all."""
    matrix = place.matrix
    still = (matrix == torch.eye(3, dtype=matrix.dtype)).flatten(1).all(1)
    return torch.linalg.inv(matrix), still & (place.source == place.sizes).all(1)
