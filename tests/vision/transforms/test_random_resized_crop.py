"""RandomResizedCrop: windows against torchvision's law, pixels against its resized_crop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
import torchvision.transforms.v2 as T
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, needs_cuda, photos, varied
from torchvision.transforms import InterpolationMode

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import RandomResizedCrop
from domainkit.vision.transforms._images import item_sizes

COUNT = 4000
CASES: list[tuple[tuple[int, int], dict[str, Any]]] = [
    ((375, 500), {}),
    ((500, 375), {"scale": (0.5, 1.0)}),
    ((224, 224), {"ratio": (0.5, 0.9)}),
    ((60, 400), {}),  # few of the large windows fit
]


@pytest.mark.parametrize(("size", "args"), CASES)
def test_windows_follow_the_law_of_torchvision(size: tuple[int, int], args: dict[str, Any]) -> None:
    sizes = torch.tensor([size]).expand(COUNT, 2)
    mine = RandomResizedCrop(10, **args).boxes(sizes, Draws(0, 0, torch.arange(COUNT))).double()
    torch.manual_seed(0)
    theirs_op, blank = T.RandomResizedCrop(10, **args), torch.zeros(1, *size)
    params = [theirs_op.make_params([blank]) for _ in range(COUNT)]
    theirs = torch.tensor([[p[k] for k in ("top", "left", "height", "width")] for p in params])
    theirs = theirs.double()
    for name, law in {
        "area": lambda b: b[:, 2] * b[:, 3],
        "ratio": lambda b: b[:, 3] / b[:, 2],
        "height": lambda b: b[:, 2],
        "top": lambda b: b[:, 0],
        "left": lambda b: b[:, 1],
        "centre": lambda b: b[:, 0] + b[:, 2] / 2,
    }.items():
        test = scipy.stats.ks_2samp(law(mine).numpy(), law(theirs).numpy())
        assert test.pvalue > 0.005, f"{name}: {test}"


@pytest.mark.parametrize(("size", "args"), CASES)
def test_windows_lie_inside(size: tuple[int, int], args: dict[str, Any]) -> None:
    sizes = torch.tensor([size]).expand(COUNT, 2)
    boxes = RandomResizedCrop(10, **args).boxes(sizes, Draws(7, 1, torch.arange(COUNT)))
    assert boxes.dtype == torch.int64 and boxes.shape == (COUNT, 4)
    assert boxes[:, :2].min() >= 0 and boxes[:, 2:].min() > 0
    assert ((boxes[:, :2] + boxes[:, 2:]) <= sizes).all()


def test_the_first_try_that_fits_is_taken() -> None:
    # torchvision's own loop over the same numbers, one sample at a time
    op, ids = RandomResizedCrop(10, scale=(0.3, 1.0)), torch.arange(300)
    height, width = 60, 300
    boxes = op.boxes(torch.tensor([[height, width]]).expand(300, 2), Draws(5, 0, ids))
    unit = Draws(5, 0, ids).uniform(22).double().numpy()
    rejected = 0
    for numbers, box in zip(unit, boxes.tolist(), strict=True):
        for i in range(10):
            area = height * width * (0.3 + 0.7 * numbers[i])
            low, high = math.log(3 / 4), math.log(4 / 3)
            ratio = math.exp(low + (high - low) * numbers[10 + i])
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < w <= width and 0 < h <= height:
                top = math.floor(numbers[20] * (height - h + 1))
                assert box == [top, math.floor(numbers[21] * (width - w + 1)), h, w]
                break
            rejected += 1
        else:
            assert box == [0, (width - 80) // 2, 60, 80]  # 60 * 4 / 3, in the middle
    assert rejected > 100


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((10, 1000), [0, 493, 10, 13]),  # too wide: all of the height, 4 / 3 of it in width
        ((1000, 10), [493, 0, 13, 10]),  # too tall
        ((30, 30), [0, 0, 30, 30]),  # an allowed ratio: all of it
    ],
)
def test_when_none_fits_the_middle_is_taken(size: tuple[int, int], box: list[int]) -> None:
    op = RandomResizedCrop(10, scale=(4.0, 5.0))  # larger than the picture: nothing ever fits
    boxes = op.boxes(torch.tensor([size]).expand(20, 2), Draws(0, 0, torch.arange(20)))
    assert boxes.tolist() == [box] * 20
    params = T.RandomResizedCrop(10, scale=(4.0, 5.0)).make_params([torch.zeros(1, *size)])
    assert [params[k] for k in ("top", "left", "height", "width")] == box


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("antialias", [True, False])
def test_pixels_are_those_of_resized_crop(mode: str, antialias: bool, channels: int) -> None:
    op = RandomResizedCrop((32, 40), interpolation=mode, antialias=antialias)
    draws = Draws(0, 0, torch.arange(7))
    for x in (photos(7, channels, torch.float32), varied(7, channels, torch.float32)):
        boxes = op.boxes(item_sizes(x), draws).tolist()
        out = op(x, draws)
        assert isinstance(out, torch.Tensor) and out.shape == (7, channels, 32, 40)
        for mine, source, box in zip(out, x, boxes, strict=True):
            expected = F.resized_crop(source, *box, [32, 40], InterpolationMode(mode), antialias)
            torch.testing.assert_close(mine, expected, rtol=0, atol=1e-6)
        levels = (x * 255).byte() if isinstance(x, torch.Tensor) else varied(7, channels)
        for mine, source, box in zip(op(levels, draws), levels, boxes, strict=True):
            exact = F.resized_crop(
                source.double(), *box, [32, 40], InterpolationMode(mode), antialias
            )
            assert (mine.double() - exact.round().clamp(0, 255)).abs().max() <= 1


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_alone_or_together(dtype: torch.dtype) -> None:
    check_alone_or_together(RandomResizedCrop(24), photos(7, 3, dtype))
    check_alone_or_together(RandomResizedCrop(24), varied(7, 3, dtype))
    check_alone_or_together(RandomResizedCrop((9, 31)), photos(7, 1, dtype))


def test_another_epoch_another_window() -> None:
    sizes, op = torch.tensor([[96, 120]]).expand(50, 2), RandomResizedCrop(8)
    first = op.boxes(sizes, Draws(0, 0, torch.arange(50)))
    other = op.boxes(sizes, Draws(0, 1, torch.arange(50)))
    assert (first != other).any(1).double().mean() > 0.9
    rank = np.corrcoef(first[:, 2].numpy(), other[:, 2].numpy())[0, 1]
    assert abs(rank) < 0.35


def test_an_empty_batch() -> None:
    assert RandomResizedCrop(8)(torch.zeros(0, 3, 20, 30)).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    "args",
    [
        {"size": 0},
        {"size": 8, "scale": (1.0, 0.5)},
        {"size": 8, "scale": 0.5},
        {"size": 8, "ratio": (0.0, 1.0)},
        {"size": 8, "interpolation": "box"},
    ],
)
def test_wrong_arguments(args: dict[str, Any]) -> None:
    with pytest.raises(TransformError, match="RandomResizedCrop"):
        RandomResizedCrop(**args)


def test_wrong_input() -> None:
    with pytest.raises(TransformError, match="got int64"):
        RandomResizedCrop(8)(torch.zeros(1, 3, 8, 8, dtype=torch.int64))
    with pytest.raises(TransformError, match="RandomResizedCrop takes"):
        RandomResizedCrop(8)(torch.zeros(3, 8, 8))
    with pytest.raises(TransformError, match="no pixels"):
        RandomResizedCrop(8)(Ragged.from_list([torch.zeros(3, 8, 8), torch.zeros(3, 0, 8)]))


@needs_cuda
def test_on_a_gpu() -> None:
    op, draws = RandomResizedCrop((32, 40)), Draws(0, 0, torch.arange(7))
    x = photos(7)
    assert (op(x.cuda(), draws).cpu().int() - op(x, draws).int()).abs().max() <= 1
