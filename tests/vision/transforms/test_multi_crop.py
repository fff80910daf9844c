"""FiveCrop, TenCrop and RandomVerticalFlip against torchvision v2."""

from __future__ import annotations

import pytest
import scipy.stats
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, photos, varied

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.vision.transforms import FiveCrop, RandomVerticalFlip, TenCrop


@pytest.mark.parametrize("size", [1, (30, 41), (31, 40), (96, 120)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_crops_equal_torchvision(size: int | tuple[int, int], dtype: torch.dtype) -> None:
    x, pair = photos(3, dtype=dtype), [size, size] if isinstance(size, int) else list(size)
    for op, expected in (
        (FiveCrop(size), F.five_crop(x, pair)),
        (TenCrop(size), F.ten_crop(x, pair)),
        (TenCrop(size, vertical_flip=True), F.ten_crop(x, pair, vertical_flip=True)),
    ):
        ours = op(x)
        assert isinstance(ours, tuple) and len(ours) == len(expected)
        for a, b in zip(ours, expected, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("vertical", [False, True])
def test_ragged_crops(vertical: bool) -> None:
    x, op = varied(4), TenCrop((51, 40), vertical)
    ours = op(x)
    for i, picture in enumerate(x):
        for a, b in zip(ours, F.ten_crop(picture, [51, 40], vertical), strict=True):
            assert torch.equal(a[i], b)


def test_crops_of_clips_mappings_and_nothing() -> None:
    clips = photos(6).unflatten(0, (2, 3))
    five = FiveCrop(8)(clips)
    assert [tuple(c.shape) for c in five] == [(2, 3, 3, 8, 8)] * 5
    assert torch.equal(five[0], clips[..., :8, :8])
    assert len(FiveCrop(8)({"image": photos(2)})["image"]) == 5
    assert FiveCrop(2)(torch.zeros(0, 3, 4, 4))[4].shape == (0, 3, 2, 2)
    with pytest.raises(TransformError, match="smaller than the window"):
        TenCrop(97)(photos(2))
    with pytest.raises(TransformError, match="size must be"):
        FiveCrop(0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.float32])
def test_vertical_flip(dtype: torch.dtype) -> None:
    op, draws = RandomVerticalFlip(0.5), Draws(0, 0, torch.arange(12))
    x, mask = photos(12).to(dtype), op.mask(draws)
    assert 0 < mask.sum() < 12
    expected = [F.vertical_flip(p) if yes else p for p, yes in zip(x, mask, strict=True)]
    assert torch.equal(op(x, draws), torch.stack(expected))
    placed = op.place(torch.tensor([[96, 120]]).expand(12, 2), draws)
    at = placed.matrix @ torch.tensor([3.0, 10.0, 1.0]).double()
    assert torch.equal(at[:, 1], torch.where(mask, 86.0, 10.0).double())


def test_vertical_flip_alone_and_its_share() -> None:
    check_alone_or_together(RandomVerticalFlip(), photos(7))
    check_alone_or_together(RandomVerticalFlip(), varied(7))
    count = int(RandomVerticalFlip(0.3).mask(Draws(1, 0, torch.arange(5000))).sum())
    assert scipy.stats.binomtest(count, 5000, 0.3).pvalue > 0.01
    with pytest.raises(TransformError, match="p must be"):
        RandomVerticalFlip(2)
