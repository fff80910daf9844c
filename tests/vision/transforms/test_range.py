"""Floating pictures in 0..255 are told where they would turn white, and only there."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.pictures import photos, varied
from torchvision.transforms.v2.functional import normalize

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision import transforms as T

NEED_IT: list[Any] = [
    T.ColorJitter(0.4),
    T.RandomPhotometricDistort(),
    T.RandomInvert(),
    T.RandomSolarize(0.5),
    T.RandomPosterize(3),
    T.RandomAutocontrast(),
    T.RandomEqualize(),
    T.RandomAdjustSharpness(2.0),
    T.GaussianNoise(),
    T.AutoAugment(),
    T.RandAugment(),
    T.TrivialAugmentWide(),
    T.AugMix(),
    T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    T.ToDtype("uint8", scale=True),
    T.ToPILImage(),
]
LEVELS = photos(3).float()  # 0..255


@pytest.mark.parametrize("op", NEED_IT, ids=lambda op: type(op).__name__)
def test_levels_as_floats_are_told(op: Any) -> None:
    name = type(op).__name__
    several = Ragged.from_list([item.float() for item in varied(3)])
    for x in (LEVELS, LEVELS.double(), several, {"image": LEVELS}):
        if isinstance(x, dict) and name == "ToPILImage":
            continue
        with pytest.raises(TransformError, match=rf"{name} takes .* 0\.\.1, got a value of \d+"):
            op(x)
    op(LEVELS / 255)  # as it should be
    # what lies a little beyond is nobody's mistake: overshoot, and what was normalised
    op((LEVELS / 255 - 0.45) / 0.22)


@pytest.mark.parametrize(
    "op",
    [
        *(T.Normalize((123.7,), (58.4,)), T.RandomGrayscale(1.0), T.RandomChannelPermutation()),
        *(T.ToDtype("uint8"), T.Resize(20), T.RandomAffine(9), T.GaussianBlur(3)),
        *(T.GaussianNoise(clip=False), T.ToDtype("float64", scale=True), T.RandomErasing()),
    ],
    ids=lambda op: type(op).__name__,
)
def test_what_is_right_in_any_unit_takes_them(op: Any) -> None:
    assert float(op(LEVELS).max()) > 1


def test_planned_pipelines_tell_it_too() -> None:
    finish = T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    for steps, x in (
        ([T.RandomHorizontalFlip(), T.ColorJitter(0.4), finish], LEVELS),
        ([T.RandomGrayscale(), finish], LEVELS),
        ([T.ToDtype("float32"), finish], LEVELS.byte()),  # scale=True was forgotten
    ):
        for fuse in (True, False):
            with pytest.raises(TransformError, match=r"0\.\.1, got a value of"):
                T.Compose(steps, fuse=fuse)(x)
    caffe = [T.ToDtype("float32"), T.Normalize((123.7, 116.3, 103.5), (58.4, 57.1, 57.4))]
    assert torch.equal(T.Compose(caffe)(LEVELS.byte()), T.Compose(caffe, fuse=False)(LEVELS.byte()))


def test_nothing_to_look_at() -> None:
    T.ColorJitter(0.4)(LEVELS[:0])
    T.ColorJitter(0.4)(torch.zeros(2, 3, 0, 4))
    T.ColorJitter(0.4)(torch.full((1, 3, 4, 4), float("nan")))


@pytest.mark.parametrize(
    ("mean", "std"), [([0.0] * 3, [255.0] * 3), ([0.0], [500.0]), ([0.5] * 3, [2.0] * 3)]
)
def test_normalize_may_be_what_scales(mean, std):
    whole = LEVELS.round()
    expected = normalize(whole, mean * (3 // len(mean)), std * (3 // len(std)))
    torch.testing.assert_close(T.Normalize(mean, std)(whole), expected)
    both = T.Compose([T.ToDtype("float32"), T.Normalize(mean, std)])
    torch.testing.assert_close(both(whole.to(torch.uint8)), expected)
