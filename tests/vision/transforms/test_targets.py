"""Boxes, masks and keypoints beside pictures, sample by sample against torchvision v2."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision.transforms.v2.functional as F
from support.moves import Move, placement
from support.pictures import photos, varied
from support.targets import Reference, draws_of, each_form, targets
from torchvision import tv_tensors

from domainkit import Draws, Ragged
from domainkit.batch import Batch
from domainkit.errors import TransformError
from domainkit.vision.transforms import (
    CenterCrop,
    Compose,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
)


def test_center_crop() -> None:
    each_form(CenterCrop((50, 61)), lambda x, s, d: lambda v, i: F.center_crop(v, [50, 61]))


def test_flip() -> None:
    op = RandomHorizontalFlip(0.5)

    def reference(x: Any, sizes: torch.Tensor, draws: Draws) -> Reference:
        mask = op.mask(draws)
        assert 0 < mask.sum() < 7
        return lambda v, i: F.horizontal_flip(v) if mask[i] else v

    each_form(op, reference)


def test_pad() -> None:
    sides = [3, 1, 4, 7]
    each_form(Pad(tuple(sides), fill=9), lambda x, s, d: lambda v, i: F.pad(v, sides))


def test_random_crop() -> None:
    op = RandomCrop((60, 44), padding=(5, 2))

    def reference(x: Any, sizes: torch.Tensor, draws: Draws) -> Reference:
        places = op.places(sizes, draws).tolist()
        return lambda v, i: F.crop(F.pad(v, [5, 2]), *places[i], 60, 44)

    each_form(op, reference)


def test_random_resized_crop() -> None:
    op = RandomResizedCrop((40, 52), scale=(0.2, 1.0))

    def reference(x: Any, sizes: torch.Tensor, draws: Draws) -> Reference:
        boxes = op.boxes(sizes, draws).tolist()
        return lambda v, i: F.resized_crop(v, *boxes[i], [40, 52])

    each_form(op, reference)


@pytest.mark.parametrize("size", [37, (150, 33), (96, 120)])
def test_resize(size: Any) -> None:
    wanted = [size] if isinstance(size, int) else list(size)
    each_form(Resize(size), lambda x, s, d: lambda v, i: F.resize(v, wanted))


def test_a_pipeline_is_its_steps_in_turn() -> None:
    x, draws = varied(7), draws_of(7)
    steps = [RandomResizedCrop(48), RandomHorizontalFlip(0.5), Pad(2)]
    batch = targets(x)
    out = Compose(steps)(batch, draws)
    for op, step in enumerate(steps):
        batch = step(batch, draws.at(op))
    for name in ("boxes", "mask", "masks", "keypoints", "polygons"):
        for a, b in zip(out[name], batch[name], strict=True):
            assert a.shape == b.shape
            if "mask" in name or not a.numel():
                assert torch.equal(a, b), name
            else:
                assert (a - b).abs().max() < 1e-4, name


def test_a_sample_alone() -> None:
    x = photos(6)
    op, batch = RandomResizedCrop(32, scale=(0.3, 1.0)), targets(x)
    out = op(batch, draws_of(6))
    for i in range(6):
        draws = Draws(seed=4, epoch=1, ids=draws_of(6).ids[i : i + 1])
        alone = op({k: v[i : i + 1] for k, v in batch.items()}, draws)
        for name in ("image", "boxes", "mask", "masks", "keypoints", "polygons"):
            assert torch.equal(alone[name][0], out[name][i]), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.int64, torch.int32])
def test_dense_boxes_of_any_dtype(dtype: torch.dtype) -> None:
    x = photos(3)
    boxes = torch.tensor([[10, 20, 40, 60], [3, 4, 90, 80]]).expand(3, 2, 4).to(dtype)
    out = Resize((48, 60))({"image": x, "bboxes": boxes})["bboxes"]
    assert out.dtype == dtype and out.shape == (3, 2, 4)
    assert torch.equal(out, (boxes.double() / 2).to(dtype))
    one = Resize((48, 60))({"image": x, "boxes": boxes[:, 0]})["boxes"]
    assert torch.equal(one, out[:, 0])


def test_torchvisions_types_come_back() -> None:
    x = tv_tensors.Image(photos(2))
    boxes = [
        tv_tensors.BoundingBoxes([[5.0, 6, 10, 12]], format="CXCYWH", canvas_size=(96, 120)),
        tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="CXCYWH", canvas_size=(96, 120)),
    ]
    batch = {"image": x, "objects": boxes, "regions": tv_tensors.Mask(torch.ones(2, 96, 120))}
    out = RandomHorizontalFlip(1.0)(batch)
    assert type(out["image"]) is tv_tensors.Image
    assert type(out["regions"]) is tv_tensors.Mask
    assert all(type(b) is tv_tensors.BoundingBoxes for b in out["objects"])
    assert torch.equal(out["objects"][0], F.horizontal_flip(boxes[0]))
    assert out["objects"][0].format == boxes[0].format
    cut = CenterCrop((50, 40))(batch)
    assert cut["objects"][1].canvas_size == (50, 40)
    video = tv_tensors.Video(photos(6).view(2, 3, 3, 96, 120))
    assert type(CenterCrop(40)({"image": video})["image"]) is tv_tensors.Video


def test_torchvisions_boxes_of_one_sample() -> None:
    boxes = tv_tensors.BoundingBoxes(
        [[0.0, 0, 10, 10], [5, 5, 30, 30]], format="XYXY", canvas_size=(96, 120)
    )
    out = Pad(3)({"image": photos(1), "boxes": boxes})["boxes"]
    assert torch.equal(out, F.pad(boxes, [3])) and out.canvas_size == (102, 126)


def test_a_clip_has_one_draw() -> None:
    clips = photos(12).view(4, 3, 3, 96, 120)
    op, draws = RandomResizedCrop(40), draws_of(4)
    boxes = torch.tensor([[[10.0, 20, 60, 70]]]).expand(4, 1, 4)
    masks = torch.randint(0, 9, (4, 3, 96, 120), dtype=torch.uint8)
    out = op({"image": clips, "boxes": boxes, "masks": masks}, draws)
    assert torch.equal(out["image"], op(clips, draws))
    still = op({"image": clips[:, 0], "boxes": boxes, "masks": masks}, draws)
    assert torch.equal(out["boxes"], still["boxes"])
    assert torch.equal(out["masks"], still["masks"])


def test_the_clamping_mode_of_torchvisions_boxes() -> None:
    for mode in (None, "soft"):
        boxes = tv_tensors.BoundingBoxes(
            [[-5.0, 4, 200, 30]], format="XYXY", canvas_size=(96, 120), clamping_mode=mode
        )
        out = CenterCrop(60)({"image": photos(1), "boxes": [boxes]})["boxes"][0]
        assert torch.equal(out, F.center_crop(boxes, [60])) and out.clamping_mode == mode


def test_an_unmoved_sample_keeps_its_numbers() -> None:
    boxes = torch.tensor([[[-0.1, 0.7, 500.3, 3.3]]])
    assert torch.equal(
        RandomHorizontalFlip(0.0)({"image": photos(1), "boxes": boxes})["boxes"], boxes
    )


def test_empty() -> None:
    x = torch.zeros(0, 3, 8, 8)
    batch = {"image": x, "boxes": torch.zeros(0, 2, 4), "mask": torch.zeros(0, 8, 8)}
    assert Resize(4)(batch)["boxes"].shape == (0, 2, 4)
    none = Ragged.from_list([torch.zeros(0, 4)] * 2, inner=1)
    out = RandomResizedCrop(4)({"image": torch.zeros(2, 3, 8, 8), "boxes": none})
    assert out["boxes"].host_shapes.tolist() == [[0], [0]]


def test_the_batch_stays_one() -> None:
    batch = Batch({"image": photos(2), "boxes": torch.zeros(2, 1, 4)}, ids=torch.tensor([4, 9]))
    out = Resize(50)(batch)
    assert isinstance(out, Batch) and out.ids.tolist() == [4, 9]
    assert batch["image"].shape[-1] == 120


def test_the_input_stays() -> None:
    batch = targets(photos(5))
    before = {k: v.values.clone() for k, v in batch.items() if isinstance(v, Ragged)}
    RandomResizedCrop(20)(batch)
    assert all(torch.equal(batch[k].values, v) for k, v in before.items())


def test_wrong_targets() -> None:
    x, op = photos(2), Resize(50)
    for boxes, message in (
        (torch.zeros(2, 1, 5), "ConvertBoundingBoxFormat"),
        (torch.zeros(2, 1, 3), "got 3 numbers each"),
        (torch.zeros(3, 1, 4), "for each of 2 samples"),
        (["a", "b"], "for each of 2 samples"),
        (Ragged.from_list([torch.zeros(2, 4), torch.zeros(1, 5)]), "for each of 2 samples"),
    ):
        with pytest.raises(TransformError, match=message):
            op({"image": x, "boxes": boxes})
    with pytest.raises(TransformError, match="same sizes"):
        op({"image": x, "mask": torch.zeros(2, 96, 121)})
    with pytest.raises(TransformError, match=r"masks \[H, W\]"):
        op({"image": x, "mask": torch.zeros(2, 96)})
    with pytest.raises(TransformError, match="points"):
        op({"image": x, "keypoints": torch.zeros(2, 4, 3)})
    with pytest.raises(TransformError, match="single picture needs"):
        op({"image": tv_tensors.Image(x[0]), "boxes": torch.zeros(3, 4)})


def test_what_cannot_follow_is_refused() -> None:
    class Anywhere(Move):
        def place(self, sizes: torch.Tensor, draws: Draws) -> None:  # type: ignore[override]
            return None

    op = Anywhere(placement(torch.eye(3), (96, 120), (96, 120)))
    assert op({"image": photos(1)})["image"].shape == (1, 3, 96, 120)
    with pytest.raises(TransformError, match="'boxes' cannot follow"):
        op({"image": photos(1), "boxes": torch.zeros(1, 1, 4)})
