"""Formats and clamping of a batch's boxes and points, against torchvision v2."""

from __future__ import annotations

import pytest
import torch
import torchvision.transforms.v2 as V2
import torchvision.transforms.v2.functional as F
from torchvision import tv_tensors

from domainkit import Ragged
from domainkit.errors import TransformError
from domainkit.vision.transforms import (
    ClampBoundingBoxes,
    ClampKeyPoints,
    ConvertBoundingBoxFormat,
    SetClampingMode,
)

CANVAS = (40, 60)
IMAGE = torch.zeros(3, 3, *CANVAS)
BOXES = [torch.rand(n, 4, generator=torch.Generator().manual_seed(n)) * 80 - 10 for n in (2, 0, 5)]


def tv(boxes: torch.Tensor, format: str = "XYXY", **more: object) -> tv_tensors.BoundingBoxes:
    return tv_tensors.BoundingBoxes(boxes, format=format, canvas_size=CANVAS, **more)


@pytest.mark.parametrize("old", ["xyxy", "xywh", "cxcywh"])
@pytest.mark.parametrize("new", ["xyxy", "xywh", "cxcywh"])
def test_formats_of_every_form(old: str, new: str) -> None:
    op = ConvertBoundingBoxFormat(new, old)
    expected = [F.convert_bounding_box_format(b, old, new) for b in BOXES]
    forms = (
        Ragged.from_list(BOXES, inner=1),
        Ragged.from_list(list(BOXES)),  # 4 as a varying size
        BOXES,
        tuple(BOXES),
        [tv(b, old.upper()) for b in BOXES],
    )
    for form in forms:
        out = op({"boxes": form})["boxes"]
        assert type(out) is type(form)
        for ours, theirs in zip(out, expected, strict=True):
            assert torch.allclose(ours.as_subclass(torch.Tensor), theirs, atol=1e-4)
    wrapped = V2.ConvertBoundingBoxFormat(new.upper())(tv(BOXES[2], old.upper()))
    ours = op({"boxes": tv(BOXES[2], old.upper())})["boxes"]
    assert ours.format == wrapped.format and torch.allclose(ours, wrapped, atol=1e-4)


def test_rotated_formats() -> None:
    boxes = torch.tensor([[[20.0, 15, 8, 6, 30]]]).expand(3, 1, 5)
    corners = ConvertBoundingBoxFormat("xyxyxyxy", "cxcywhr")({"boxes": boxes})["boxes"]
    assert corners.shape == (3, 1, 8)
    back = ConvertBoundingBoxFormat("cxcywhr", "xyxyxyxy")({"boxes": corners})["boxes"]
    assert torch.allclose(back, boxes, atol=1e-4)


def test_torchvisions_name_of_a_format() -> None:
    assert ConvertBoundingBoxFormat(tv_tensors.BoundingBoxFormat.XYWH).format == "xywh"
    assert ConvertBoundingBoxFormat("XYWH") == ConvertBoundingBoxFormat("xywh")


def test_clamping() -> None:
    batch = {"image": IMAGE, "boxes": Ragged.from_list(BOXES, inner=1)}
    out = ClampBoundingBoxes()(batch)["boxes"]
    for ours, before in zip(out, BOXES, strict=True):
        assert torch.equal(ours, V2.ClampBoundingBoxes()(tv(before)).as_subclass(torch.Tensor))
    assert torch.equal(ClampBoundingBoxes(None)(batch)["boxes"].values, batch["boxes"].values)


def test_clamping_of_torchvisions_boxes_needs_no_picture() -> None:
    for mode in ("soft", None):
        boxes = [tv(BOXES[0], clamping_mode=mode), tv(BOXES[2], clamping_mode=mode)]
        out = ClampBoundingBoxes()({"boxes": boxes})["boxes"]
        for ours, before in zip(out, boxes, strict=True):
            assert torch.equal(ours, F.clamp_bounding_boxes(before))


def test_pictures_of_several_sizes() -> None:
    image = Ragged.from_list([torch.zeros(3, 8, 9), torch.zeros(3, 4, 20)])
    boxes = torch.tensor([[-1, -1, 50, 50]]).expand(2, 4)
    out = ClampBoundingBoxes()({"image": image, "boxes": boxes})["boxes"]
    assert out.tolist() == [[0, 0, 9, 8], [0, 0, 20, 4]]
    points = torch.tensor([[[[50.0, 50], [-3, 2]]]]).expand(2, 1, 2, 2)
    out = ClampKeyPoints()({"image": image, "keypoints": points})["keypoints"]
    assert out.tolist() == [[[[8, 7], [0, 2]]], [[[19, 3], [0, 2]]]]


def test_clamping_of_points() -> None:
    points = torch.rand(3, 4, 5, 2) * 90 - 20
    out = ClampKeyPoints()({"image": IMAGE, "keypoints": points})["keypoints"]
    expected = F.clamp_keypoints(tv_tensors.KeyPoints(points, canvas_size=CANVAS))
    assert torch.equal(out, expected.as_subclass(torch.Tensor))


def test_the_mode_is_set() -> None:
    out = SetClampingMode("hard")({"boxes": [tv(b) for b in BOXES]})["boxes"]
    assert [b.clamping_mode for b in out] == ["hard"] * 3
    with pytest.raises(TransformError, match="plain boxes"):
        SetClampingMode("hard")({"boxes": BOXES})


def test_wrong_use() -> None:
    with pytest.raises(TransformError, match="format must be one of xyxy"):
        ConvertBoundingBoxFormat("yx")
    with pytest.raises(TransformError, match="must be soft, hard, auto or None"):
        ClampBoundingBoxes("firm")
    with pytest.raises(TransformError, match="must be soft, hard or None"):
        SetClampingMode("auto")
    with pytest.raises(TransformError, match="boxes or bboxes; the batch has 'image'"):
        ClampBoundingBoxes()({"image": IMAGE})
    with pytest.raises(TransformError, match="a mapping of fields, got Tensor"):
        ClampBoundingBoxes()(IMAGE)
    with pytest.raises(TransformError, match="needs the pictures"):
        ClampBoundingBoxes()({"boxes": BOXES})
    with pytest.raises(TransformError, match="set old_format"):
        ConvertBoundingBoxFormat("xyxyxyxy", "xywhr")({"boxes": BOXES})
    with pytest.raises(TransformError, match="one has an angle"):
        ConvertBoundingBoxFormat("xywhr", "xyxy")({"boxes": BOXES})
