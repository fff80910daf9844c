"""Batches with everything that can lie on a picture, and their comparison with torchvision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from support.pictures import photos, varied
from torchvision import tv_tensors

from domainkit import Draws, Ragged

__all__ = ["Reference", "draws_of", "each_form", "targets", "wrapped"]

Reference = Callable[[Any, int], Any]  # (tv_tensor, sample) -> tv_tensor


def draws_of(count: int) -> Draws:
    return Draws(seed=4, epoch=1, ids=torch.arange(count) * 7 + 3)


def targets(x: torch.Tensor | Ragged, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """Boxes (some reach beyond the border), masks of both kinds and points for pictures."""
    g = torch.Generator().manual_seed(9)
    boxes, classes, objects, points, chains = [], [], [], [], []
    for i, picture in enumerate(x):
        height, width = picture.shape[-2:]
        count = (i * 5) % 4  # 0, 1, 2, 3 boxes
        full = torch.tensor([width, height]).double()
        low = torch.rand(count, 2, generator=g, dtype=torch.float64) * full
        box = torch.cat([low, low + torch.rand(count, 2, generator=g) * full / 2], 1)
        boxes.append(box.to(dtype))
        classes.append(torch.randint(0, 20, (height, width), generator=g, dtype=torch.uint8))
        objects.append(torch.rand(count, height, width, generator=g) < 0.4)
        points.append((torch.rand(3 + i % 2, 2, generator=g) * full).to(dtype))
        chains.append((torch.rand(count, 5, 2, generator=g) * full).to(dtype))
    dense = isinstance(x, torch.Tensor)
    return {
        "image": x,
        "boxes": Ragged.from_list(boxes, inner=1),
        "mask": torch.stack(classes) if dense else Ragged.from_list(classes),
        "masks": Ragged.from_list(objects),
        "keypoints": Ragged.from_list(points, inner=1),
        "polygons": [
            tv_tensors.KeyPoints(c, canvas_size=tuple(p.shape[-2:]))
            for c, p in zip(chains, x, strict=True)
        ],
        "name": [f"sample {i}" for i in range(len(x))],
    }


def wrapped(batch: dict[str, Any], i: int) -> dict[str, Any]:
    """What torchvision's user would have for sample i."""
    canvas = tuple(batch["image"][i].shape[-2:])
    return {
        "boxes": tv_tensors.BoundingBoxes(batch["boxes"][i], format="XYXY", canvas_size=canvas),
        "mask": tv_tensors.Mask(batch["mask"][i]),
        "masks": tv_tensors.Mask(batch["masks"][i]),
        "keypoints": tv_tensors.KeyPoints(batch["keypoints"][i], canvas_size=canvas),
        "polygons": batch["polygons"][i],
    }


def check(
    op: Any, x: torch.Tensor | Ragged, reference: Reference, *, pixels: int, tolerance: float
) -> None:
    draws, batch = draws_of(len(x)), targets(x)
    out = op(batch, draws)
    image = op(x, draws)
    assert all(torch.equal(a, b) for a, b in zip(out["image"], image, strict=True))
    assert out["name"] is batch["name"]
    assert isinstance(out["boxes"], Ragged) and isinstance(out["masks"], Ragged)
    for i in range(len(x)):
        for name, value in wrapped(batch, i).items():
            expected, ours = reference(value, i), out[name][i]
            assert ours.dtype == expected.dtype, name
            assert ours.shape == expected.shape, name
            if name in ("mask", "masks"):
                assert int((ours != expected).sum()) <= pixels, (name, i)
            elif ours.numel():
                assert (ours - expected).abs().max() < tolerance, (name, i)
        assert out["polygons"][i].canvas_size == tuple(image[i].shape[-2:])


def each_form(
    op: Any,
    reference: Callable[[Any, Any, Draws], Reference],
    *,
    pixels: int = 0,
    tolerance: float = 1e-4,
) -> None:
    """Dense and ragged pictures with all their targets against torchvision, sample by sample.

    Args:
        reference: (pictures, sizes, draws) -> what torchvision makes of (a tv_tensor, of sample i).
        pixels: how many pixels of a mask may differ (points halfway between two pixels).
        tolerance: of boxes and points, in pixels.
    """
    for x in (photos(7), varied(7)):
        sizes = torch.tensor([p.shape[-2:] for p in x])
        check(op, x, reference(x, sizes, draws_of(7)), pixels=pixels, tolerance=tolerance)
