"""``RandomErasing``: where it paints against torchvision's law, and what."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
import torchvision.transforms.v2 as v2
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, needs_cuda, photos, varied

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import RandomErasing


def sizes(count: int, height: int, width: int) -> torch.Tensor:
    return torch.tensor([height, width]).expand(count, 2)


@pytest.mark.parametrize("value", [0, 7.9, (10, 20, 30)])
def test_equals_torchvisions_erase(value: Any) -> None:
    op, draws = RandomErasing(0.6, value=value), Draws(0, 0, torch.arange(16))
    for dtype in (torch.uint8, torch.float32):
        x = photos(16, 3, dtype)
        before = x.clone()
        boxes = op.boxes(sizes(16, 96, 120), draws)[:, 0].tolist()
        filling = torch.tensor(value, dtype=torch.float32).reshape(-1, 1, 1)
        for mine, source, (i, j, h, w) in zip(op(x, draws), x, boxes, strict=True):
            assert torch.equal(mine, F.erase(source, i, j, h, w, filling) if h else source)
        assert torch.equal(x, before)


def torchvisions_boxes(count: int, size: tuple[int, int], **args: Any) -> np.ndarray:
    op, x = v2.RandomErasing(1.0, **args), torch.zeros(1, *size)
    drawn = [op.make_params([x]) for _ in range(count)]
    assert all(p["v"] is not None for p in drawn)
    return np.array([[p[key] for key in "ijhw"] for p in drawn])


def test_boxes_follow_torchvisions_law() -> None:
    torch.manual_seed(0)
    theirs = torchvisions_boxes(3000, (224, 200))
    mine = RandomErasing(1.0).boxes(sizes(3000, 224, 200), Draws(0, 0, torch.arange(3000)))
    found = mine[:, 0].numpy()
    columns = [(a[:, 0], a[:, 1], a[:, 2], a[:, 3], a[:, 2] * a[:, 3]) for a in (theirs, found)]
    for a, b in zip(*columns, strict=True):
        assert scipy.stats.ks_2samp(a, b).pvalue > 0.01 / 5
    area = found[:, 2] * found[:, 3] / (224 * 200)
    assert area.min() > 0.019 and area.max() < 0.335
    ratio = found[:, 2] / found[:, 3]
    assert ratio.min() > 0.28 and ratio.max() < 3.5


def test_the_coin_is_fair() -> None:
    boxes = RandomErasing(0.3).boxes(sizes(4000, 90, 80), Draws(2, 0, torch.arange(4000)))
    painted = int((boxes[:, 0, 2] > 0).sum())
    assert scipy.stats.binomtest(painted, 4000, 0.3).pvalue > 0.01


def test_where_nothing_fits_the_picture_stays() -> None:
    op = RandomErasing(1.0, scale=(1.0, 1.0))
    assert not op.boxes(sizes(50, 30, 40), Draws(0, 0, torch.arange(50)))[..., 2:].any()
    x = photos(4)
    assert torch.equal(op(x), x)
    for size in ((1, 1), (1, 9), (2, 2)):
        tiny = torch.rand(6, 3, *size)
        assert RandomErasing(1.0)(tiny).shape == tiny.shape


def test_several_rectangles_share_the_area() -> None:
    op = RandomErasing(1.0, scale=(0.2, 0.2), ratio=(1.0, 1.0), min_count=2, max_count=5)
    boxes = op.boxes(sizes(3000, 100, 100), Draws(0, 0, torch.arange(3000)))
    count = (boxes[..., 2] > 0).sum(1)
    assert scipy.stats.chisquare(count.bincount(minlength=6)[2:]).pvalue > 0.01
    for n in range(2, 6):
        assert (boxes[count == n, :n, 2] == round(math.sqrt(2000 / n))).all()
    # the first is where it would be alone, if the area were the same
    one = RandomErasing(1.0, scale=(0.2 / 5,) * 2, ratio=(1.0, 1.0))
    where = one.boxes(sizes(3000, 100, 100), Draws(0, 0, torch.arange(3000)))
    assert torch.equal(boxes[count == 5, 0], where[count == 5, 0])
    # areas of any pictures may cover each other: the last one is on top
    x = torch.zeros(8, 3, 100, 100)
    done = RandomErasing(1.0, value=1.0, max_count=5, min_count=5, scale=(0.9, 0.9))(x)
    assert set(done.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("mode", ["rand", "pixel", "random"])
def test_random_paint(mode: str, dtype: torch.dtype) -> None:
    chosen: dict[str, Any] = {"value": "random"} if mode == "random" else {"mode": mode}
    op, draws = RandomErasing(1.0, **chosen), Draws(0, 0, torch.arange(400))
    x = torch.full((400, 3, 24, 20), 0, dtype=dtype)
    boxes = op.boxes(sizes(400, 24, 20), draws)[:, 0].tolist()
    done, painted = op(x, draws), []
    for picture, (top, left, height, width) in zip(done, boxes, strict=True):
        inside = picture[:, top : top + height, left : left + width]
        assert picture.count_nonzero() == inside.count_nonzero()
        if mode == "rand":
            assert (inside == inside[:, :1, :1]).all()
            inside = inside[:, :1, :1]
        painted.append(inside.flatten())
    values = torch.cat(painted)
    if dtype == torch.uint8:
        counts = (values // 16).long().bincount(minlength=16)
        assert scipy.stats.chisquare(counts).pvalue > 0.01
    else:
        assert scipy.stats.kstest(values.double().numpy(), "norm").pvalue > 0.01


def test_inplace_writes_into_what_it_got() -> None:
    x, draws = photos(6), Draws(0, 0, torch.arange(6))
    want = RandomErasing(1.0)(x, draws)
    assert RandomErasing(1.0, inplace=True)(x, draws).data_ptr() == x.data_ptr()
    assert torch.equal(x, want)


OPS = [
    RandomErasing(0.7),
    RandomErasing(0.7, mode="rand", max_count=3),
    RandomErasing(0.7, value="random", max_count=2),
]


@pytest.mark.parametrize("op", OPS, ids=["const", "rand", "pixel"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32])
def test_alone_or_together(op: RandomErasing, dtype: torch.dtype) -> None:
    x = photos(6, 3, dtype)
    check_alone_or_together(op, x)
    check_alone_or_together(op, varied(6, 3, dtype))
    draws = Draws(0, 0, torch.arange(6))
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(op(last, draws), op(x, draws))
    assert isinstance(op(varied(6, 3, dtype), draws), Ragged)
    assert len(op(x[:0])) == 0 and len(op(varied(6)[:0])) == 0
    four = torch.zeros(2, 4, 9, 9, dtype=dtype)
    assert op(four).shape == four.shape


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: RandomErasing(-0.1), "p must be in"),
        (lambda: RandomErasing(scale=(0.5, 0.2)), "scale must be"),
        (lambda: RandomErasing(scale=(0.5, 1.2)), "scale must be within"),
        (lambda: RandomErasing(ratio=(0.0, 1.0)), "ratio must be"),
        (lambda: RandomErasing(value="red"), "value must be"),
        (lambda: RandomErasing(value=()), "value must be"),
        (lambda: RandomErasing(mode="noise"), "mode must be one of"),
        (lambda: RandomErasing(min_count=2), "min_count <= max_count"),
        (lambda: RandomErasing(max_count=65), "max_count <= 64"),
        (lambda: RandomErasing(value=(1, 2))(photos()), "2 numbers, the pictures have 3"),
        (lambda: RandomErasing()(torch.zeros(1, 3, 4, 4).int()), "got int32"),
        (lambda: RandomErasing()(torch.zeros(3, 4, 4)), "RandomErasing takes"),
    ],
)
def test_wrong_arguments_and_input(make: Callable[[], Any], match: str) -> None:
    with pytest.raises(TransformError, match=match):
        make()


@needs_cuda
@pytest.mark.parametrize("op", OPS, ids=["const", "rand", "pixel"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_on_a_gpu_the_same(op: RandomErasing, dtype: torch.dtype) -> None:
    x, draws = photos(12, 3, dtype), Draws(0, 0, torch.arange(12))
    there = op(x.cuda(), draws).cpu()
    torch.testing.assert_close(there, op(x, draws), rtol=0, atol=2e-6)
