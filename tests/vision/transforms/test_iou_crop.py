"""RandomIoUCrop: its windows' law against torchvision's, its pixels and targets against crop."""

from __future__ import annotations

from typing import Any

import pytest
import scipy.stats
import torch
import torchvision.transforms.v2 as V2
import torchvision.transforms.v2.functional as F
from support.pictures import photos, varied
from torchvision import tv_tensors

from domainkit import Draws, Ragged
from domainkit.errors import TransformError
from domainkit.vision.transforms import RandomIoUCrop, SanitizeBoundingBoxes

BOXES = [torch.tensor([[10.0, 20, 60, 70], [50, 10, 84, 60]]), torch.tensor([[5.0, 5, 40, 80]])]


def batch_of(x: Any) -> dict[str, Any]:
    boxes = [BOXES[i % 2] for i in range(len(x))]
    return {
        "image": x,
        "boxes": Ragged.from_list(boxes, inner=1),
        "labels": Ragged.from_list([torch.arange(len(b)) for b in boxes]),
        "mask": Ragged.from_list([p[0] for p in x]),
        "keypoints": Ragged.from_list([b[:, :2] for b in boxes], inner=1),
    }


def windows_of(op: RandomIoUCrop, batch: dict[str, Any], draws: Draws) -> torch.Tensor:
    boxes = batch["boxes"]
    owner = torch.arange(len(boxes)).repeat_interleave(torch.from_numpy(boxes.host_shapes[:, 0]))
    sizes = torch.tensor([p.shape[-2:] for p in batch["image"]])
    return op.windows(sizes, boxes.values, owner, draws)


@pytest.mark.parametrize("ragged", [False, True])
def test_everything_is_cut_alike(ragged: bool) -> None:
    op, draws = RandomIoUCrop(), Draws(5, 0, torch.arange(7))
    batch = batch_of(varied(7) if ragged else photos(7))
    out, windows = op(batch, draws), windows_of(op, batch, draws).tolist()
    gone = 0
    for i, window in enumerate(windows):
        canvas = tuple(batch["image"][i].shape[-2:])
        boxes = tv_tensors.BoundingBoxes(batch["boxes"][i], format="XYXY", canvas_size=canvas)
        points = tv_tensors.KeyPoints(batch["keypoints"][i], canvas_size=canvas)
        assert torch.equal(out["image"][i], F.crop(batch["image"][i], *window))
        assert torch.equal(out["mask"][i], F.crop(batch["mask"][i], *window))
        assert torch.equal(out["keypoints"][i], F.crop(points, *window))
        expected = F.crop(boxes, *window).as_subclass(torch.Tensor)
        top, left, height, width = window
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        low = torch.tensor([left, top])
        inside = ((middle > low) & (middle < low + torch.tensor([width, height]))).all(1)
        expected = torch.where(inside[:, None], expected, 0.0)
        assert torch.equal(out["boxes"][i], expected)
        gone += int((~inside).sum())
    assert gone > 0 and any(w[2:] != list(photos(1).shape[2:]) for w in windows)
    clean = SanitizeBoundingBoxes()(out)
    assert len(clean["labels"].values) == len(clean["boxes"].values) == 11 - gone


def test_the_windows_law_is_torchvisions() -> None:
    """Sizes and places of the windows, and how often the sample is left as it is."""
    count, canvas = 300, (96, 120)
    boxes = tv_tensors.BoundingBoxes(BOXES[0], format="XYXY", canvas_size=canvas)
    theirs = []
    torch.manual_seed(0)
    other = V2.RandomIoUCrop()
    picture = tv_tensors.Image(torch.zeros(3, *canvas))
    for _ in range(count):
        got = other.make_params([picture, boxes])
        theirs.append([got[k] for k in ("top", "left", "height", "width")] if got else [0] * 4)
    op, sizes = RandomIoUCrop(), torch.tensor([canvas]).expand(count, 2)
    owner = torch.arange(count).repeat_interleave(2)
    draws = Draws(3, 0, torch.arange(count))
    ours = op.windows(sizes, BOXES[0].repeat(count, 1), owner, draws)
    ours[(ours[:, 2:] == sizes).all(1)] = 0
    for a, b in zip(ours.T, torch.tensor(theirs).T, strict=True):
        assert scipy.stats.ks_2samp(a.numpy(), b.numpy()).pvalue > 0.01


def test_a_sample_alone() -> None:
    op, batch, ids = RandomIoUCrop(), batch_of(photos(6)), torch.arange(6) * 13
    whole = op(batch, Draws(1, 2, ids))
    for i in range(6):
        alone = op({k: v[i : i + 1] for k, v in batch.items()}, Draws(1, 2, ids[i : i + 1]))
        for name in ("image", "boxes", "mask", "keypoints"):
            assert torch.equal(alone[name][0], whole[name][i]), name


def test_no_boxes_and_nothing_that_fits() -> None:
    x = photos(2)
    none = {"image": x, "boxes": Ragged.from_list([torch.zeros(0, 4)] * 2, inner=1)}
    assert torch.equal(RandomIoUCrop()(none)["image"], x)
    far = {"image": x, "boxes": torch.tensor([[[-9.0, -9, -5, -5]]] * 2)}
    out = RandomIoUCrop(sampler_options=(0.5,))(far)
    assert torch.equal(out["image"], x) and torch.equal(out["boxes"], far["boxes"])
    as_is = RandomIoUCrop(sampler_options=[2.0])(batch_of(x))
    assert torch.equal(as_is["image"], x)


def test_torchvisions_boxes() -> None:
    boxes = [
        tv_tensors.BoundingBoxes([[30.0, 40, 50, 50]], format="CXCYWH", canvas_size=(96, 120))
    ] * 3
    out = RandomIoUCrop()({"image": photos(3), "boxes": boxes}, Draws(0, 0, torch.arange(3)))
    for picture, box in zip(out["image"], out["boxes"], strict=True):
        assert box.canvas_size == tuple(picture.shape[-2:])
        assert box.format == tv_tensors.BoundingBoxFormat.CXCYWH


def test_an_empty_batch() -> None:
    batch = {"image": torch.zeros(0, 3, 8, 8), "boxes": torch.zeros(0, 1, 4)}
    assert RandomIoUCrop()(batch)["image"].shape == (0, 3, 8, 8)


def test_wrong_use() -> None:
    with pytest.raises(TransformError, match="min_scale <= max_scale"):
        RandomIoUCrop(0.5, 0.2)
    with pytest.raises(TransformError, match="min_aspect_ratio <= max_aspect_ratio"):
        RandomIoUCrop(min_aspect_ratio=3)
    with pytest.raises(TransformError, match="trials must be >= 1"):
        RandomIoUCrop(trials=0)
    with pytest.raises(TransformError, match="sampler_options"):
        RandomIoUCrop(sampler_options=())
    with pytest.raises(TransformError, match="got pictures alone"):
        RandomIoUCrop()(photos(1))
    with pytest.raises(TransformError, match="works on a field named boxes"):
        RandomIoUCrop()({"image": photos(1)})
    with pytest.raises(TransformError, match="upright boxes"):
        RandomIoUCrop()({"image": photos(1), "boxes": torch.zeros(1, 1, 8)})
