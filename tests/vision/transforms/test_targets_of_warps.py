"""Boxes, masks and keypoints under warps and random sizes, against torchvision v2 functional."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import photos, varied
from support.targets import draws_of, each_form, targets, wrapped
from torchvision import tv_tensors

from domainkit import Draws, Ragged
from domainkit.errors import TransformError
from domainkit.vision import transforms as T

Reference = Callable[[Any, int], Any]


def test_vertical_flip() -> None:
    op = T.RandomVerticalFlip(0.5)

    def reference(x: Any, sizes: torch.Tensor, draws: Draws) -> Reference:
        mask = op.mask(draws)
        assert 0 < mask.sum() < 7
        return lambda v, i: F.vertical_flip(v) if mask[i] else v

    each_form(op, reference)


@pytest.mark.parametrize("center", [None, (10.0, 80.0)])
def test_affine(center: Any) -> None:
    op = T.RandomAffine(
        40, translate=(0.2, 0.1), scale=(0.6, 1.5), shear=(-9, 9, -4, 7), center=center
    )

    def reference(x: Any, sizes: torch.Tensor, draws: Draws) -> Reference:
        p = op.parameters(sizes, draws)
        return lambda v, i: F.affine(
            v,
            angle=float(p.angle[i]),
            translate=p.translate[i].tolist(),
            scale=float(p.scale[i]),
            shear=p.shear[i].tolist(),
            center=center and list(center),
        )

    each_form(op, reference, pixels=3)


@pytest.mark.parametrize("expand", [False, True])
def test_rotation(expand: bool) -> None:
    op = T.RandomRotation(120, expand=expand)

    def reference(x: Any, sizes: torch.Tensor, draws: Draws) -> Reference:
        angles = op.angles(draws).tolist()
        return lambda v, i: F.rotate(v, angles[i], expand=expand)

    # torchvision shifts what lies on a grown picture by half a pixel less than the picture itself
    each_form(op, reference, pixels=3, tolerance=1.01 if expand else 1e-4)


def test_perspective() -> None:
    op = T.RandomPerspective(0.5, p=0.7)

    def reference(x: Any, sizes: torch.Tensor, draws: Draws) -> Reference:
        ends, mask = op.corners(sizes, draws).tolist(), op.mask(draws)
        assert 0 < mask.sum() < 7

        def move(v: Any, i: int) -> Any:
            height, width = sizes[i].tolist()
            starts = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
            return F.perspective(v, starts, ends[i]) if mask[i] else v

        return move

    each_form(op, reference, pixels=3)


def test_elastic() -> None:
    op = T.ElasticTransform(60.0, 4.0)

    def reference(x: Any, sizes: torch.Tensor, draws: Draws) -> Reference:
        def move(v: Any, i: int) -> Any:
            one = Draws(draws.seed, draws.epoch, draws.ids[i : i + 1])
            return F.elastic(v, op.displacements(*sizes[i].tolist(), one))

        return move

    each_form(op, reference, pixels=3)


def test_zoom_out() -> None:
    op = T.RandomZoomOut(fill=7, p=0.6, side_range=(1.0, 2.0))

    def reference(x: Any, sizes: torch.Tensor, draws: Draws) -> Reference:
        sides, mask = op.borders(sizes, draws).tolist(), op.mask(draws)
        return lambda v, i: F.pad(v, sides[i]) if mask[i] else v

    each_form(op, reference)


@pytest.mark.parametrize(
    "op",
    [
        pytest.param(lambda: T.RandomResize(30, 90), id="RandomResize"),
        pytest.param(lambda: T.RandomShortestSize((32, 50, 64), 80), id="RandomShortestSize"),
        pytest.param(lambda: T.ScaleJitter((60, 70), (0.5, 1.5)), id="ScaleJitter"),
    ],
)
def test_random_sizes(op: Callable[[], Any]) -> None:
    step = op()

    def reference(x: Any, sizes: torch.Tensor, draws: Draws) -> Reference:
        after = step.output_sizes(sizes, draws).tolist()
        return lambda v, i: F.resize(v, after[i])

    each_form(step, reference)


@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric"])
def test_borders_of_other_modes(mode: str) -> None:
    """torchvision refuses boxes here; the objects themselves are where a plain border puts them."""
    x, batch = photos(4), targets(photos(4))
    out = T.Pad(3, padding_mode=mode)(batch)
    plain = T.Pad(3)(batch)
    for name in ("boxes", "keypoints"):
        assert torch.equal(out[name].values, plain[name].values)
    for i in range(4):
        mask = tv_tensors.Mask(batch["mask"][i])
        assert torch.equal(out["mask"][i], F.pad(mask, [3], padding_mode=mode))
    assert len(x) == 4


@pytest.mark.parametrize("op", [T.FiveCrop(8), T.TenCrop(8)])
def test_several_crops_carry_nothing(op: Any) -> None:
    with pytest.raises(TransformError, match="'boxes' cannot follow"):
        op({"image": photos(1), "boxes": torch.zeros(1, 1, 4)})


def test_a_sample_alone() -> None:
    x = varied(5)
    for op in (T.RandomAffine(30), T.RandomPerspective(p=1.0), T.ElasticTransform(30.0)):
        batch, draws = targets(x), draws_of(5)
        out = op(batch, draws)
        for i in (0, 3):
            one = Draws(draws.seed, draws.epoch, draws.ids[i : i + 1])
            alone = op({k: v[i : i + 1] for k, v in batch.items()}, one)
            for name in ("boxes", "mask", "masks", "keypoints", "polygons"):
                assert torch.equal(alone[name][0], out[name][i]), name


def test_no_objects_at_all() -> None:
    none = Ragged.from_list([torch.zeros(0, 4)] * 2, inner=1)
    for op in (T.RandomRotation(30), T.ElasticTransform(30.0)):
        out = op({"image": photos(2), "boxes": none, "keypoints": torch.zeros(2, 0, 2)})
        assert out["boxes"].host_shapes.tolist() == [[0], [0]]
        assert out["keypoints"].shape == (2, 0, 2)
    assert wrapped(targets(photos(2)), 0)["boxes"].shape == (0, 4)
