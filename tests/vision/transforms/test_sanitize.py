"""What stays of boxes and points, against torchvision v2 functional."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision.transforms.v2 as V2
import torchvision.transforms.v2.functional as F
from torchvision import tv_tensors

from domainkit import Ragged
from domainkit.errors import TransformError
from domainkit.vision.transforms import SanitizeBoundingBoxes, SanitizeKeyPoints

CANVAS = (40, 60)


def sample(i: int, count: int) -> dict[str, Any]:
    """Boxes of which some are small, inside out, or beyond the border."""
    g = torch.Generator().manual_seed(i)
    low = torch.rand(count, 2, generator=g) * torch.tensor([64.0, 44]) - 2
    boxes = torch.cat([low, low + torch.rand(count, 2, generator=g) * 12 - 2], 1)
    return {
        "image": torch.zeros(3, *CANVAS),
        "boxes": boxes,
        "labels": torch.arange(count) + 100 * i,
        "score": torch.rand(count, 2, generator=g),
        "masks": torch.rand(count, *CANVAS, generator=g) < 0.5,
        "mask": torch.zeros(CANVAS, dtype=torch.uint8),
    }


SAMPLES = [sample(i, count) for i, count in enumerate((12, 0, 30, 7))]
ROWS = ("boxes", "labels", "score")


def ragged() -> dict[str, Any]:
    batch = {k: Ragged.from_list([s[k] for s in SAMPLES], inner=k != "labels") for k in ROWS}
    batch["image"] = torch.stack([s["image"] for s in SAMPLES])
    batch["masks"] = Ragged.from_list([s["masks"] for s in SAMPLES])
    batch["mask"] = torch.stack([s["mask"] for s in SAMPLES])
    return batch


@pytest.mark.parametrize("limits", [(1.0, 1.0), (3.0, 1.0), (1.0, 20.0)])
@pytest.mark.parametrize("form", ["ragged", "lists", "wrapped"])
def test_the_same_boxes_stay(limits: tuple[float, float], form: str) -> None:
    batch = ragged()
    if form != "ragged":
        batch |= {k: [s[k] for s in SAMPLES] for k in (*ROWS, "masks")}
    if form == "wrapped":
        batch["boxes"] = [
            tv_tensors.BoundingBoxes(b, format="XYXY", canvas_size=CANVAS) for b in batch["boxes"]
        ]
        batch["masks"] = [tv_tensors.Mask(m) for m in batch["masks"]]
    out = SanitizeBoundingBoxes(*limits, labels_getter=("labels", "score"))(batch)
    stayed = 0
    for i, before in enumerate(SAMPLES):
        expected, valid = F.sanitize_bounding_boxes(before["boxes"], "XYXY", CANVAS, *limits)
        assert torch.equal(out["boxes"][i], expected)
        for name in ("labels", "score", "masks"):
            assert torch.equal(out[name][i], before[name][valid]), name
            assert type(out[name]) is type(batch[name])
        stayed += int(valid.sum())
    assert 0 < stayed < 49
    assert out["mask"] is batch["mask"]
    if form == "wrapped":
        assert type(out["boxes"][0]) is tv_tensors.BoundingBoxes
        assert type(out["masks"][0]) is tv_tensors.Mask


@pytest.mark.parametrize("format", ["XYWH", "CXCYWH"])
def test_other_formats(format: str) -> None:
    boxes = tv_tensors.BoundingBoxes(
        F.convert_bounding_box_format(SAMPLES[2]["boxes"].double(), "xyxy", format),
        format=format,
        canvas_size=CANVAS,
    )
    ours = SanitizeBoundingBoxes(labels_getter=None)({"boxes": boxes})["boxes"]
    assert torch.equal(
        ours, V2.SanitizeBoundingBoxes(labels_getter=None)({"boxes": boxes})["boxes"]
    )


def test_rotated_boxes() -> None:
    boxes = torch.tensor([[20.0, 20, 8, 6, 30], [20, 20, 8, 0.5, 30], [1, 20, 8, 6, 30]])
    corners = F.convert_bounding_box_format(boxes, "cxcywhr", "xyxyxyxy")[None]
    batch = {"image": torch.zeros(1, 3, *CANVAS), "boxes": corners}
    out = SanitizeBoundingBoxes(labels_getter=None)(batch)
    assert torch.equal(out["boxes"][0], corners[0, :1])


def test_dense_fields_become_ragged() -> None:
    boxes = torch.tensor([[[0, 0, 9, 9], [5, 5, 5, 9]], [[1, 1, 4, 4], [2, 2, 30, 30]]])
    batch = {
        "image": torch.zeros(2, 3, *CANVAS),
        "boxes": boxes,
        "labels": torch.tensor([[1, 2], [3, 4]]),
        "masks": torch.arange(4).view(2, 2, 1, 1).expand(2, 2, *CANVAS),
    }
    out = SanitizeBoundingBoxes()(batch)
    assert [item.tolist() for item in out["labels"]] == [[1], [3, 4]]
    assert [len(item) for item in out["boxes"]] == [1, 2]
    assert [item[:, 0, 0].tolist() for item in out["masks"]] == [[0], [2, 3]]


def test_labels_are_found() -> None:
    batch = ragged()
    batch["Labels"] = batch.pop("labels")
    out = SanitizeBoundingBoxes()(batch)
    assert len(out["Labels"].values) == len(out["boxes"].values) < 49
    batch["class_label"] = batch.pop("Labels")
    assert len(SanitizeBoundingBoxes()(batch)["class_label"].values) < 49
    out = SanitizeBoundingBoxes(labels_getter=lambda b: (b["score"], b["class_label"]))(batch)
    assert len(out["score"].values) == len(out["class_label"].values) < 49
    assert SanitizeBoundingBoxes(labels_getter=["score"]) == SanitizeBoundingBoxes(
        labels_getter=("score",)
    )


@pytest.mark.parametrize("shape", [(4, 2), (4, 6, 2), (4, 6, 3, 2)])
def test_points(shape: tuple[int, ...]) -> None:
    g = torch.Generator().manual_seed(1)
    points = torch.rand(3, *shape, generator=g) * torch.tensor([64.0, 43]) - 1
    labels = torch.arange(12).view(3, 4)
    batch = {"image": torch.zeros(3, 3, *CANVAS), "keypoints": points, "labels": labels}
    out = SanitizeKeyPoints("labels")(batch)
    for i in range(3):
        expected, valid = F.sanitize_keypoints(points[i], CANVAS)
        assert torch.equal(out["keypoints"][i], expected)
        assert torch.equal(out["labels"][i], labels[i][valid])


def test_empty() -> None:
    none = Ragged.from_list([torch.zeros(0, 4)] * 2, inner=1)
    batch = {"image": torch.zeros(2, 3, 8, 8), "boxes": none}
    out = SanitizeBoundingBoxes(labels_getter=None)(batch)["boxes"]
    assert out.host_shapes.tolist() == [[0], [0]]


def test_wrong_use() -> None:
    with pytest.raises(TransformError, match="min_size must be >= 1"):
        SanitizeBoundingBoxes(0.5)
    with pytest.raises(TransformError, match="min_area must be >= 1"):
        SanitizeBoundingBoxes(1, 0)
    with pytest.raises(TransformError, match="labels_getter must be a name"):
        SanitizeBoundingBoxes(labels_getter=3)  # type: ignore[arg-type]
    batch = {"image": torch.zeros(2, 3, 8, 8), "boxes": torch.zeros(2, 3, 4)}
    with pytest.raises(TransformError, match="found no field of labels"):
        SanitizeBoundingBoxes()(batch)
    with pytest.raises(TransformError, match="no field 'kind'"):
        SanitizeBoundingBoxes(labels_getter="kind")(batch)
    with pytest.raises(TransformError, match="'label' must have an item for each box"):
        SanitizeBoundingBoxes()({**batch, "label": torch.tensor([1, 2])})
    with pytest.raises(TransformError, match="must have an item for each box"):
        SanitizeBoundingBoxes()({**batch, "labels": torch.zeros(2, 4)})
    with pytest.raises(TransformError, match="values of the batch"):
        SanitizeBoundingBoxes(labels_getter=lambda b: torch.zeros(2))(batch)
    with pytest.raises(TransformError, match="takes one such field"):
        SanitizeBoundingBoxes()({**batch, "bboxes": batch["boxes"]})
