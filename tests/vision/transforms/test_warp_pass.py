"""Neighbouring warps as one homography, held to closed forms and to the steps one by one."""

from __future__ import annotations

import pytest
import torch

from domainkit import Draws, Ragged
from domainkit.errors import TransformError
from domainkit.vision import transforms as T

DRAWS = Draws(seed=4, epoch=1, ids=torch.arange(6))


def pictures(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    x = torch.rand(6, 3, 41, 53, generator=torch.Generator().manual_seed(0))
    return x if dtype == torch.float32 else (x * 255).to(dtype)


def passes(pipeline: T.Compose) -> list[list[str]]:
    return [[type(step).__name__ for step in p.steps] for p in pipeline.plan().passes]


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_two_turns_are_one_turn_by_the_sum(dtype: torch.dtype, interpolation: str) -> None:
    two = T.Compose(
        [
            T.Rotate(11.0, interpolation=interpolation),
            T.Rotate(23.0, interpolation=interpolation),
        ]
    )
    assert passes(two) == [["Rotate", "Rotate"]]
    assert "sampled once" in str(two.plan())
    one = T.Rotate(34.0, interpolation=interpolation)(pictures(dtype))
    difference = (two(pictures(dtype)).double() - one.double()).abs()
    if interpolation == "nearest":  # a point midway between two pixels may fall to either
        assert (difference > 0).double().mean() < 1e-3
    else:
        assert difference.max() <= (1 if dtype == torch.uint8 else 1e-5)


def test_what_goes_out_of_the_frame_comes_back() -> None:
    there_and_back = T.Compose(
        [
            T.Affine(translate=(30, 0), interpolation="bilinear"),
            T.Affine(translate=(-30, 0), interpolation="bilinear"),
        ]
    )
    x = pictures()
    assert torch.allclose(there_and_back(x), x, atol=1e-6)
    stepwise = T.Compose(there_and_back.steps, fuse=False)
    assert (stepwise(x)[..., -30:] == 0).all()


@pytest.mark.parametrize("warp", [T.RandomAffine(20, scale=(0.8, 1.2)), T.RandomPerspective(p=0.5)])
def test_a_mirror_joins_without_a_change(warp: T.Transform) -> None:
    steps = [T.RandomHorizontalFlip(), T.RandomVerticalFlip(), warp]
    fused, stepwise = T.Compose(steps), T.Compose(steps, fuse=False)
    assert [len(p) for p in passes(fused)] == [3]
    a, b = fused(pictures(), DRAWS), stepwise(pictures(), DRAWS)
    assert ((a - b).abs() > 1e-4).double().mean() < 2e-3  # nearest pixels midway between two


def test_draws_are_those_of_the_steps() -> None:
    steps = [
        T.RandomRotation(25, interpolation="bilinear"),
        T.RandomAffine(0, translate=(0.2, 0.1), interpolation="bilinear"),
    ]
    batch = T.Compose(steps)(pictures(), DRAWS)
    angles = steps[0].angles(DRAWS.at(0))
    moved = steps[1].parameters(torch.tensor([[41, 53]]).expand(6, 2), DRAWS.at(1))
    for i in range(6):
        # x -> R x, then x -> x + t: one affine map with the shift after the turn
        one = T.Affine(
            -float(angles[i]), tuple(moved.translate[i].tolist()), interpolation="bilinear"
        )
        assert torch.allclose(batch[i], one(pictures()[i : i + 1])[0], atol=1e-5)
        own = Draws(seed=4, epoch=1, ids=torch.tensor([i]))
        assert torch.equal(T.Compose(steps)(pictures()[i : i + 1], own)[0], batch[i])


def test_ragged_pictures_and_targets_go_along() -> None:
    steps = [T.Rotate(90.0), T.Rotate(90.0), T.RandomHorizontalFlip(p=1.0), T.Rotate(180.0)]
    pipeline = T.Compose(steps)
    x = pictures(torch.uint8)
    sizes = Ragged.from_list([x[0], x[1][:, :21, :33]])
    boxes = [torch.tensor([[1.0, 2.0, 5.0, 9.0]]), torch.tensor([[3.0, 4.0, 8.0, 6.0]])]
    done = pipeline(
        {
            "image": sizes,
            "boxes": Ragged.from_list(boxes, inner=1),
            "mask": Ragged.from_list([p[0] for p in sizes]),
        }
    )
    for i, picture in enumerate(sizes):  # three half turns in all leave a mirror
        width = picture.shape[2]
        assert torch.equal(done["image"][i], picture.flip(2))
        assert torch.equal(done["mask"][i], picture[0].flip(1))
        x0, y0, x1, y1 = boxes[i][0].tolist()
        assert done["boxes"][i][0].tolist() == pytest.approx([width - x1, y0, width - x0, y1])


def test_what_samples_otherwise_stays_apart() -> None:
    for other in (
        T.RandomAffine(10, interpolation="bilinear"),
        T.RandomAffine(10, fill=3),
        T.RandomRotation(10, expand=True),
        T.ElasticTransform(),
    ):
        plan = T.Compose([T.RandomAffine(10), other])
        assert passes(plan) == [["RandomAffine"], [type(other).__name__]]


def test_wrong_input_is_told_in_the_steps_name() -> None:
    pipeline = T.Compose([T.Rotate(3.0, "bilinear"), T.RandomPerspective(interpolation="bilinear")])
    with pytest.raises(TransformError, match=r"Rotate takes .* got int64"):
        pipeline(torch.zeros(1, 3, 4, 4, dtype=torch.int64))
    with pytest.raises(TransformError, match=r"Rotate works on 'image'"):
        pipeline({"audio": torch.zeros(1, 3, 4, 4)})


def test_keypoints_go_step_by_step_and_the_rest_stays() -> None:
    steps = [T.RandomHorizontalFlip(p=1.0), T.Rotate(180.0), T.Rotate(180.0)]
    batch = {
        "image": pictures(torch.uint8),
        "keypoints": torch.tensor([[3.0, 4.0], [20.0, 30.0]]).expand(6, 2, 2).contiguous(),
        "label": torch.arange(6),
    }
    fused, stepwise = T.Compose(steps), T.Compose(steps, fuse=False)
    assert [len(p) for p in passes(fused)] == [3]
    a, b = fused(batch), stepwise(batch)
    assert list(a) == list(batch)
    assert torch.allclose(a["keypoints"], b["keypoints"])
    assert torch.equal(a["label"], batch["label"])
    assert torch.equal(a["image"], batch["image"].flip(3))
