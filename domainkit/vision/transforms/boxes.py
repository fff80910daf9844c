"""Boxes as plain tensors: formats, mapping through a transform, clamping, area and overlap.

Upright boxes are "xyxy", "xywh" or "cxcywh" [..., 4]. Rotated ones are "xywhr" and "cxcywhr"
[..., 5], whose angle is in degrees against the clock, and "xyxyxyxy" [..., 8]: the corners upper
left, upper right, lower right and lower left of the box before it was turned. All in pixels; the
upper left corner of the picture is (0, 0).
"""

from __future__ import annotations

import math

import torch

from domainkit.errors import TransformError

__all__ = [
    "COLUMNS",
    "area",
    "clamp_boxes",
    "convert_boxes",
    "corners_of",
    "iou",
    "is_rotated",
    "map_boxes",
    "to_dtype_of",
]

COLUMNS = {"xyxy": 4, "xywh": 4, "cxcywh": 4, "xywhr": 5, "cxcywhr": 5, "xyxyxyxy": 8}


def is_rotated(format: str) -> bool:
    """Whether boxes of this format have an angle."""
    return COLUMNS[format] != 4


def convert_boxes(boxes: torch.Tensor, old: str, new: str) -> torch.Tensor:
    """Boxes [..., 4, 5 or 8] in another format, in their dtype.

    Exactness: within 1e-4 pixels (degrees) of torchvision's ``convert_bounding_box_format``; whole
    numbers are equal to it.

    Raises:
        TransformError: an unknown format, or one that is upright and one that is rotated.

    Example:
        >>> convert_boxes(torch.tensor([[1.0, 2.0, 4.0, 8.0]]), "xyxy", "cxcywh").tolist()
        [[2.5, 5.0, 3.0, 6.0]]
    """
    check_format("old format", old)
    check_format("new format", new)
    if is_rotated(old) != is_rotated(new):
        raise TransformError(f"boxes cannot be changed from {old} to {new}: one has an angle")
    if old == new:
        return boxes
    exact = boxes.to(torch.float64)
    if is_rotated(old):
        return to_dtype_of(_from_corners(corners_of(exact, old), new), boxes)
    whole = not boxes.is_floating_point()
    first, second = exact.split(2, -1)
    if old == "cxcywh":
        first, second = first - second / 2, first + second / 2
        if whole:  # torchvision cuts here, and measures the sides afterwards
            first, second = first.trunc(), second.trunc()
    elif old == "xywh":
        second = first + second
    if new == "xywh":
        second = second - first
    elif new == "cxcywh":
        first, second = (first + second) / 2, second - first
        first = first.floor() if whole else first
    return torch.cat([first, second], -1).to(boxes.dtype)


def check_format(name: str, format: object) -> None:
    """TransformError unless it is one of the six formats."""
    if format not in COLUMNS:
        raise TransformError(f"{name} must be one of {', '.join(COLUMNS)}, got {format!r}")


def corners_of(boxes: torch.Tensor, format: str) -> torch.Tensor:
    """[..., 4, 2]: the corners of boxes of any format, clockwise from the upper left one."""
    if format == "xyxyxyxy":
        return boxes.unflatten(-1, (4, 2))
    if not is_rotated(format):
        boxes = convert_boxes(boxes, format, "xyxy")
        return boxes[..., [0, 1, 2, 1, 2, 3, 0, 3]].unflatten(-1, (4, 2))
    place, wide, tall, angle = boxes.split([2, 1, 1, 1], -1)
    cos, sin = torch.deg2rad(angle).cos(), torch.deg2rad(angle).sin()
    # y points down: a turn against the clock takes (1, 0) to (cos, -sin) and (0, 1) to (sin, cos)
    along, down = wide * torch.cat([cos, -sin], -1), tall * torch.cat([sin, cos], -1)
    start = place - (along + down) / 2 if format == "cxcywhr" else place
    return torch.stack([start, start + along, start + along + down, start + down], -2)


def _from_corners(corners: torch.Tensor, format: str) -> torch.Tensor:
    if format == "xyxyxyxy":
        return corners.flatten(-2)
    one, two, three, _ = corners.unbind(-2)
    along = two - one
    angle = torch.rad2deg(torch.atan2(-along[..., 1:], along[..., :1]))
    sides = [along.norm(dim=-1, keepdim=True), (three - two).norm(dim=-1, keepdim=True)]
    place = (one + three) / 2 if format == "cxcywhr" else one
    return torch.cat([place, *sides, angle], -1)


def map_boxes(boxes: torch.Tensor, format: str, forward: torch.Tensor) -> torch.Tensor:
    """float64 [N, columns]: boxes after the picture has been moved.

    An upright box becomes the upright envelope of its moved corners. A rotated one becomes, where
    it is no rectangle any more, the smallest rectangle around it that keeps its longer side's
    direction (and so its longer diagonal).

    Args:
        boxes: [N, columns], in ``format``.
        forward: float64 [N, 3, 3], homogeneous: a point (x, y, 1) of the input -> the output.
    """
    corners = map_points(corners_of(boxes.to(torch.float64), format), forward)
    if not is_rotated(format):
        upright = torch.cat(torch.aminmax(corners, dim=-2), -1)
        return convert_boxes(upright, "xyxy", format)
    mirrored = torch.linalg.det(forward[:, :2, :2]) < 0
    # in a mirror the second corner is the new upper left one
    corners = torch.where(mirrored[:, None, None], corners[:, [1, 0, 3, 2]], corners)
    kept = (forward - torch.eye(3, dtype=forward.dtype, device=forward.device)).abs()
    kept[:, :2, 2] = 0  # shifted
    kept[:, [0, 1], [0, 1]] = (forward[:, [0, 1], [0, 1]].abs() - 1).abs()  # or mirrored
    same_shape = (kept.amax((1, 2)) < 1e-12)[:, None, None]
    return _from_corners(torch.where(same_shape, corners, _rectangle(corners)), format)


def map_points(points: torch.Tensor, forward: torch.Tensor) -> torch.Tensor:
    """Points float64 [N, ..., 2] through matrices float64 [N, 3, 3]."""
    flat = points.flatten(1, -2) if points.ndim > 2 else points[:, None]
    moved = flat @ forward[:, :2, :2].mT + forward[:, None, :2, 2]
    depth = flat @ forward[:, 2, :2, None] + forward[:, None, 2:, 2]
    return (moved / depth).view(points.shape)


def _rectangle(corners: torch.Tensor) -> torch.Tensor:
    """The envelope of parallelograms [N, 4, 2] in the frame of their longer side."""
    one, two, _, four = corners.unbind(-2)
    across, down = two - one, four - one
    wider = across.norm(dim=-1, keepdim=True) >= down.norm(dim=-1, keepdim=True)
    along = torch.where(wider, across, torch.stack([down[..., 1], -down[..., 0]], -1))
    along = along / along.norm(dim=-1, keepdim=True).clamp_min(1e-300)
    frame = torch.stack([along, torch.stack([-along[..., 1], along[..., 0]], -1)], -1)
    middle = (one + corners[..., 2, :])[..., None, :] / 2
    half = ((corners - middle) @ frame).abs().amax(-2)[..., None, :]
    signs = corners.new_tensor([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return middle + (signs * half) @ frame.mT


def clamp_boxes(
    boxes: torch.Tensor, format: str, sizes: torch.Tensor, mode: str | None = "soft"
) -> torch.Tensor:
    """Boxes [N, columns] cut to their pictures, in their dtype.

    Args:
        sizes: int64 [N, 2]: height and width of each box's picture.
        mode: "soft", "hard" or None (not at all). They differ for rotated boxes only, and are
            torchvision's: "hard" keeps all corners inside, "soft" encloses what is visible.
    """
    if mode is None or len(boxes) == 0:
        return boxes
    if is_rotated(format):
        return _clamp_rotated(boxes, format, sizes, mode)
    upright = convert_boxes(boxes.to(torch.float64), format, "xyxy")
    limit = sizes.to(boxes.device, torch.float64)[:, [1, 0, 1, 0]]
    upright = torch.minimum(upright.clamp_min(0), limit)
    return to_dtype_of(convert_boxes(upright, "xyxy", format), boxes)


def _clamp_rotated(
    boxes: torch.Tensor, format: str, sizes: torch.Tensor, mode: str
) -> torch.Tensor:
    from torchvision.transforms.v2.functional import clamp_bounding_boxes
    from torchvision.tv_tensors import BoundingBoxFormat

    kind = BoundingBoxFormat[format.upper()]
    canvases, which = torch.unique(sizes.cpu(), dim=0, return_inverse=True)
    out = boxes.clone()
    for i, (height, width) in enumerate(canvases.tolist()):  # nearly always one
        rows = (which == i).to(boxes.device)
        out[rows] = clamp_bounding_boxes(
            boxes[rows], format=kind, canvas_size=(height, width), clamping_mode=mode
        ).to(boxes.dtype)
    return out


def area(boxes: torch.Tensor) -> torch.Tensor:
    """[...]: areas of boxes xyxy [..., 4]; 0 for those turned inside out."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(-1)


def iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """[...]: intersection over union of boxes xyxy [..., 4] that broadcast; 0 where both are empty.

    Example:
        >>> iou(torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 0, 3, 2]))
        tensor(0.3333)
    """
    common = torch.cat(
        [torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])], -1
    )
    both = area(common)
    union = area(a) + area(b) - both
    return torch.where(union > 0, both / union.clamp_min(math.ulp(0.0)), 0.0)


def to_dtype_of(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """float64 coordinates in the dtype of ``like``; whole numbers are cut, as torchvision does."""
    if like.is_floating_point():
        return values.to(like.dtype)
    # 2.9999999999 is a 3 that float64 could not hold
    return ((values * 65536).round() / 65536).trunc().to(like.dtype)
