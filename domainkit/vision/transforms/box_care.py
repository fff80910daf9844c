"""Care of boxes and points: other formats, and cutting to the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.transform import Transform, replace_fields
from domainkit.vision.transforms._rows import Rows, is_tv, plain
from domainkit.vision.transforms._targets import box_rows, find, sizes_of
from domainkit.vision.transforms.boxes import COLUMNS, check_format, clamp_boxes, convert_boxes
from domainkit.vision.transforms.keypoints import clamp_keypoints

__all__ = [
    "ClampBoundingBoxes",
    "ClampKeyPoints",
    "ConvertBoundingBoxFormat",
    "SetClampingMode",
    "TargetTransform",
]

_MODES = ("soft", "hard", None)


class TargetTransform(Transform):
    """A transform of what lies on pictures, so it takes a mapping and no picture alone."""

    field: ClassVar[str] = "image"
    kind: ClassVar[str] = "targets"

    def __call__(self, batch: Any, draws: Draws | None = None) -> Any:
        return self.apply_batch(self._mapping(batch), Draws.from_generator(0))

    def apply(self, x: Any, draws: Draws) -> Any:
        raise TransformError(
            f"{type(self).__name__} takes a batch with its targets, a mapping of fields, got "
            f"{type(x).__name__}"
        )

    def _mapping(self, batch: Any) -> Mapping[str, Any]:
        if not isinstance(batch, Mapping):
            self.apply(batch, Draws.from_generator(0))
        mapping: Mapping[str, Any] = batch
        return mapping

    def _sizes(self, batch: Mapping[str, Any], value: Any) -> torch.Tensor:
        """int64 [B, 2]: of the pictures, or of torchvision's canvases where there is no picture."""
        if self.field in batch:
            return sizes_of(plain(batch[self.field]))
        values = value if isinstance(value, (list, tuple)) else [value]
        sizes = [getattr(v, "canvas_size", None) for v in values]
        if not sizes or None in sizes:
            raise TransformError(
                f"{type(self).__name__} needs the pictures ({self.field!r}) for their sizes"
            )
        return torch.tensor(sizes)


@dataclass(frozen=True)
class ConvertBoundingBoxFormat(TargetTransform):
    """Write the boxes of a batch in another format.

    Takes a mapping with boxes, floating or whole numbers, in pixels: a ``Ragged`` of [n_i, 4], a
    tensor [B, N, 4], or a list of tensors; the same form comes back. Rotated boxes have 5 or 8
    numbers. torchvision's ``BoundingBoxes`` know their format and ``old_format`` is not looked at.

    Args:
        format: what to write: "xyxy", "xywh", "cxcywh"; of rotated boxes "xywhr", "cxcywhr" (the
            angle in degrees) or "xyxyxyxy" (corners). Geometry takes plain boxes as "xyxy" or
            "xyxyxyxy".
        old_format: what plain boxes are in.

    Exactness: within 1e-4 pixels of torchvision's ``convert_bounding_box_format``, whole numbers
    equal.

    Raises:
        TransformError: an unknown format, no boxes, a wrong number of columns, or an upright and a
            rotated format.

    Example:
        >>> convert = ConvertBoundingBoxFormat("xyxy", old_format="xywh")
        >>> convert({"boxes": torch.tensor([[[10, 10, 4, 6]]])})["boxes"].tolist()
        [[[10, 10, 14, 16]]]
    """

    format: str
    old_format: str = "xyxy"

    def __post_init__(self) -> None:
        for name in ("format", "old_format"):
            # torchvision's enumeration has its names in capitals
            value = getattr(getattr(self, name), "value", getattr(self, name))
            value = value.lower() if isinstance(value, str) else value
            check_format(f"ConvertBoundingBoxFormat: {name}", value)
            object.__setattr__(self, name, value)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        new = {}
        for name in find(self, batch, "Boxes"):
            rows = Rows.of(name, batch[name], _samples(batch[name]))
            old = rows.format or self.old_format
            if len(rows.counts) and rows.values.shape[-1] != COLUMNS[old]:
                raise TransformError(
                    f"ConvertBoundingBoxFormat: boxes {old} have {COLUMNS[old]} numbers, those of "
                    f"{name!r} have {rows.values.shape[-1]}: set old_format"
                )
            facts = {"format": _enumerated(self.format)} if rows.format else {}
            new[name] = rows.back(convert_boxes(rows.values, old, self.format), **facts)
        return replace_fields(batch, new)


@dataclass(frozen=True)
class ClampBoundingBoxes(TargetTransform):
    """Cut the boxes of a batch to their pictures.

    Takes a mapping with boxes (xyxy [n_i, 4], or corners [n_i, 8]; torchvision's ``BoundingBoxes``
    in any format) and the pictures.

    Args:
        clamping_mode: "soft", "hard", None, or "auto": what ``BoundingBoxes`` say, else "soft".
            Upright boxes are cut at the border in both; of rotated ones "soft" encloses what can
            be seen, and "hard" keeps all corners inside.

    Exactness: equal to torchvision's ``clamp_bounding_boxes``.

    Raises:
        TransformError: wrong arguments, or no boxes.

    Example:
        >>> batch = {"image": torch.zeros(1, 3, 8, 8), "boxes": torch.tensor([[[-2, 3, 9, 5]]])}
        >>> ClampBoundingBoxes()(batch)["boxes"].tolist()
        [[[0, 3, 8, 5]]]
    """

    clamping_mode: str | None = "auto"

    def __post_init__(self) -> None:
        if self.clamping_mode not in ("auto", *_MODES):
            raise TransformError(
                "ClampBoundingBoxes: clamping_mode must be soft, hard, auto or None, got "
                f"{self.clamping_mode!r}"
            )

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        new = {}
        for name in find(self, batch, "Boxes"):
            sizes = self._sizes(batch, batch[name])
            rows, format = box_rows(name, batch[name], len(sizes))
            mode = rows.mode if self.clamping_mode == "auto" else self.clamping_mode
            new[name] = rows.back(clamp_boxes(rows.values, format, rows.per_row(sizes), mode))
        return replace_fields(batch, new)


@dataclass(frozen=True)
class ClampKeyPoints(TargetTransform):
    """Move the keypoints of a batch that lie outside to the last pixel of their pictures.

    Takes a mapping with keypoints ([n_i, ..., 2], x and y in pixels) and the pictures.

    Exactness: equal to torchvision's ``clamp_keypoints``.

    Raises:
        TransformError: no keypoints.

    Example:
        >>> batch = {"image": torch.zeros(1, 3, 8, 8), "keypoints": torch.tensor([[[-2, 9]]])}
        >>> ClampKeyPoints()(batch)["keypoints"].tolist()
        [[[0, 7]]]
    """

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        new = {}
        for name in find(self, batch, "KeyPoints"):
            sizes = self._sizes(batch, batch[name])
            rows = Rows.of(name, batch[name], len(sizes))
            new[name] = rows.back(clamp_keypoints(rows.values, rows.per_row(sizes)))
        return replace_fields(batch, new)


@dataclass(frozen=True)
class SetClampingMode(TargetTransform):
    """Say how later geometry cuts torchvision's ``BoundingBoxes``; plain boxes have no such mark.

    Args:
        clamping_mode: "soft", "hard" or None: not at all.

    Exactness: as torchvision's ``SetClampingMode``.

    Raises:
        TransformError: wrong arguments, or no ``BoundingBoxes``.

    Example:
        >>> from torchvision import tv_tensors
        >>> boxes = tv_tensors.BoundingBoxes([[0, 0, 4, 4]], format="XYXY", canvas_size=(8, 8))
        >>> print(SetClampingMode(None)({"boxes": [boxes]})["boxes"][0].clamping_mode)
        None
    """

    clamping_mode: str | None

    def __post_init__(self) -> None:
        if self.clamping_mode not in _MODES:
            raise TransformError(
                "SetClampingMode: clamping_mode must be soft, hard or None, got "
                f"{self.clamping_mode!r}"
            )

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        new = {}
        for name in find(self, batch, "Boxes"):
            rows = Rows.of(name, batch[name], _samples(batch[name]))
            if rows.format is None:
                raise TransformError(
                    f"SetClampingMode marks torchvision's BoundingBoxes; {name!r} are plain boxes: "
                    "give the mode to ClampBoundingBoxes"
                )
            new[name] = rows.back(rows.values, clamping_mode=self.clamping_mode)
        return replace_fields(batch, new)


def _samples(value: Any) -> int:
    """How many samples a field of boxes has; torchvision's [N, 4] are one sample's."""
    return 1 if is_tv(value, "BoundingBoxes") else len(value)


def _enumerated(format: str) -> Any:
    from torchvision.tv_tensors import BoundingBoxFormat

    return BoundingBoxFormat[format.upper()]
