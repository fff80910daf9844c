"""Box maths against torchvision v2 functional and torchvision.ops."""

from __future__ import annotations

import pytest
import torch
import torchvision.ops
import torchvision.transforms.v2.functional as F
from support.moves import Loose, Move, placement
from torchvision.transforms.v2.functional._geometry import (
    _get_inverse_affine_matrix,
    _get_perspective_coeffs,
)
from torchvision.tv_tensors import BoundingBoxFormat

from domainkit.errors import TransformError
from domainkit.vision.transforms.boxes import area, clamp_boxes, convert_boxes, iou

UPRIGHT, ROTATED = ("xyxy", "xywh", "cxcywh"), ("xywhr", "cxcywhr", "xyxyxyxy")
CANVAS = (71, 90)


def some_boxes(format: str, count: int = 40, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Boxes inside CANVAS, turned by any angle if the format has one."""
    unit = torch.rand(count, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    if format in UPRIGHT:
        corner = unit[:, :2] * torch.tensor([50.0, 40.0])
        xyxy = torch.cat([corner, corner + 1 + unit[:, 2:4] * torch.tensor([38.0, 29.0])], 1)
        xyxy = xyxy if dtype.is_floating_point else xyxy.round()
        return F.convert_bounding_box_format(xyxy, old_format="xyxy", new_format=format).to(dtype)
    middle = torch.tensor([45.0, 35.0]) + 10 * (unit[:, :2] - 0.5)
    sides = 3 + unit[:, 2:4] * 20
    boxes = torch.cat([middle, sides, 360 * unit[:, 4:] - 180], 1)
    return F.convert_bounding_box_format(boxes, old_format="cxcywhr", new_format=format).to(dtype)


def moved(op: Move, boxes: torch.Tensor, format: str) -> torch.Tensor:
    """Boxes of one picture through a geometry."""
    from torchvision import tv_tensors

    batch = {
        "image": torch.zeros(1, 3, *CANVAS),
        "boxes": [tv_tensors.BoundingBoxes(boxes, format=format.upper(), canvas_size=CANVAS)],
    }
    out = op(batch)["boxes"][0]
    assert out.canvas_size == tuple(op.placed.sizes[0].tolist())
    assert out.format.value.lower() == format
    return out.as_subclass(torch.Tensor)


def close(a: torch.Tensor, b: torch.Tensor, format: str, tolerance: float = 1e-4) -> bool:
    if format in ("xywhr", "cxcywhr"):  # an angle may be a whole turn off
        turn = (a[:, 4:] - b[:, 4:] + 180) % 360 - 180
        a, b = torch.cat([a[:, :4], turn], 1), torch.cat([b[:, :4], torch.zeros_like(turn)], 1)
    return bool((a - b).abs().max() < tolerance)


@pytest.mark.parametrize("formats", [UPRIGHT, ROTATED])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.int32])
def test_formats(formats: tuple[str, ...], dtype: torch.dtype) -> None:
    if formats is ROTATED and not dtype.is_floating_point:
        return  # torchvision's rotated boxes are floating
    for old in formats:
        boxes = some_boxes(old, dtype=dtype)
        for new in formats:
            expected = F.convert_bounding_box_format(boxes, old_format=old, new_format=new)
            ours = convert_boxes(boxes, old, new)
            assert ours.dtype == dtype
            if dtype.is_floating_point:
                assert close(ours, expected, new), (old, new)
            else:
                assert torch.equal(ours, expected), (old, new)


def test_upright_and_rotated_do_not_mix() -> None:
    with pytest.raises(TransformError, match="one has an angle"):
        convert_boxes(torch.zeros(1, 4), "xyxy", "xywhr")
    with pytest.raises(TransformError, match="must be one of xyxy"):
        convert_boxes(torch.zeros(1, 4), "yxyx", "xyxy")


@pytest.mark.parametrize("format", UPRIGHT + ROTATED)
@pytest.mark.parametrize("mode", ["soft", "hard", None])
def test_clamping(format: str, mode: str | None) -> None:
    boxes = some_boxes(format)
    boxes[:, 0] -= 30
    sizes = torch.tensor([[50, 60]]).expand(len(boxes), 2)
    expected = F.clamp_bounding_boxes(
        boxes, format=BoundingBoxFormat[format.upper()], canvas_size=(50, 60), clamping_mode=mode
    )
    assert close(clamp_boxes(boxes, format, sizes, mode), expected, format)


def test_area_and_overlap() -> None:
    boxes = some_boxes("xyxy")
    assert torch.allclose(area(boxes), torchvision.ops.box_area(boxes))
    expected = torchvision.ops.box_iou(boxes, boxes)
    assert torch.allclose(iou(boxes[:, None], boxes[None]), expected)
    assert iou(torch.zeros(4), torch.zeros(4)) == 0


@pytest.mark.parametrize("format", UPRIGHT + ROTATED)
@pytest.mark.parametrize("turn", [0.0, 31.0, -90.0, 180.0, 137.5])
def test_affine(format: str, turn: float) -> None:
    shear = [12.0, -5.0] if format in UPRIGHT else [0.0, 0.0]
    middle = [CANVAS[1] / 2, CANVAS[0] / 2]
    vector = _get_inverse_affine_matrix(middle, turn, [7, -9], 1.3, shear)
    matrix = torch.tensor([*vector, 0, 0, 1], dtype=torch.float64).view(3, 3)
    boxes = some_boxes(format)
    expected = F.affine_bounding_boxes(
        boxes,
        format=BoundingBoxFormat[format.upper()],
        canvas_size=CANVAS,
        angle=turn,
        translate=[7, -9],
        scale=1.3,
        shear=shear,
    )
    ours = moved(Move(placement(matrix, CANVAS, CANVAS)), boxes, format)
    assert close(ours, expected, format)


@pytest.mark.parametrize("format", UPRIGHT)
def test_perspective(format: str) -> None:
    start = [[0, 0], [89, 0], [89, 70], [0, 70]]
    end = [[7, 4], [80, 9], [84, 61], [3, 66]]
    coefficients = _get_perspective_coeffs(start, end)
    matrix = torch.tensor([*coefficients, 1.0], dtype=torch.float64).view(3, 3)
    boxes = some_boxes(format, dtype=torch.float32)
    expected = F.perspective_bounding_boxes(
        boxes,
        format=BoundingBoxFormat[format.upper()],
        canvas_size=CANVAS,
        startpoints=start,
        endpoints=end,
    )
    ours = moved(Move(placement(matrix, CANVAS, CANVAS)), boxes, format)
    assert close(ours, expected, format)


@pytest.mark.parametrize("format", UPRIGHT + ROTATED)
def test_window(format: str) -> None:
    top, left, height, width = 11, 13, 51, 61
    matrix = torch.tensor([[1.0, 0, left], [0, 1, top], [0, 0, 1]])
    boxes = some_boxes(format)
    kind = BoundingBoxFormat[format.upper()]
    expected, _ = F._geometry.crop_bounding_boxes(boxes, kind, top, left, height, width)
    ours = moved(Move(placement(matrix, CANVAS, (height, width), window=True)), boxes, format)
    assert close(ours, expected, format)


@pytest.mark.parametrize("format", UPRIGHT + ROTATED)
@pytest.mark.parametrize("mirror", ["horizontal", "vertical"])
def test_mirror(format: str, mirror: str) -> None:
    matrix = torch.eye(3)
    axis = 0 if mirror == "horizontal" else 1
    matrix[axis, axis], matrix[axis, 2] = -1, CANVAS[1 - axis]
    boxes = some_boxes(format)
    boxes[:, 0] -= 40  # beyond the border they stay
    work = getattr(F, f"{mirror}_flip_bounding_boxes")
    expected = work(boxes, BoundingBoxFormat[format.upper()], CANVAS)
    ours = moved(Loose(placement(matrix, CANVAS, CANVAS, window=True)), boxes, format)
    assert close(ours, expected, format)


@pytest.mark.parametrize("format", UPRIGHT + ROTATED)
def test_other_size(format: str) -> None:
    size = (33, 111)
    if format in ROTATED:
        size = (142, 180)  # where boxes stay rectangles
    matrix = torch.diag(torch.tensor([CANVAS[1] / size[1], CANVAS[0] / size[0], 1.0]).double())
    boxes = some_boxes(format)
    expected, _ = F._geometry.resize_bounding_boxes(
        boxes, CANVAS, list(size), format=BoundingBoxFormat[format.upper()]
    )
    ours = moved(Loose(placement(matrix, CANVAS, size, window=True)), boxes, format)
    assert close(ours, expected, format)


@pytest.mark.parametrize("format", ROTATED)
def test_a_sheared_box_becomes_a_rectangle(format: str) -> None:
    """Of torchvision's the cases in which its angles do not pass half a turn."""
    boxes = convert_boxes(some_boxes("cxcywhr"), "cxcywhr", "cxcywhr")
    boxes[:, 4] = boxes[:, 4] / 8
    boxes = convert_boxes(boxes, "cxcywhr", format)
    size = (61, 140)
    matrix = torch.diag(torch.tensor([CANVAS[1] / size[1], CANVAS[0] / size[0], 1.0]).double())
    expected, _ = F._geometry.resize_bounding_boxes(
        boxes, CANVAS, list(size), format=BoundingBoxFormat[format.upper()]
    )
    ours = moved(Loose(placement(matrix, CANVAS, size, window=True)), boxes, format)
    assert close(ours, expected, format)


def test_whole_numbers_are_cut() -> None:
    boxes = some_boxes("xyxy", dtype=torch.int64)
    matrix = torch.diag(torch.tensor([1 / 3, 1 / 3, 1.0], dtype=torch.float64))
    op = Loose(placement(matrix, CANVAS, (213, 270), window=True))
    assert torch.equal(moved(op, boxes, "xyxy"), boxes * 3)
    matrix = torch.diag(torch.tensor([2.0, 2.0, 1.0]))
    op = Loose(placement(matrix, CANVAS, (35, 45), window=True))
    assert torch.equal(moved(op, boxes, "xyxy"), boxes // 2)
