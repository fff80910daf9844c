"""Transforms whose pictures come out in sizes of their own, and borders, against torchvision v2."""

from __future__ import annotations

from typing import Any

import pytest
import scipy.stats
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, photos, varied
from torchvision.transforms import InterpolationMode

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import (
    Pad,
    RandomCrop,
    RandomResize,
    RandomShortestSize,
    RandomZoomOut,
    Resize,
    ScaleJitter,
)
from domainkit.vision.transforms._images import item_sizes

DRAWS = Draws(5, 0, torch.arange(6))
SIZES = torch.tensor([[96, 120]]).expand(6, 2)
RESIZES = [
    RandomResize(20, 60),
    RandomShortestSize((30, 50, 70), max_size=80),
    RandomShortestSize([33]),
    ScaleJitter((64, 80), (0.2, 1.5)),
    ScaleJitter((64, 80), interpolation="nearest-exact"),
]


@pytest.mark.parametrize("op", RESIZES, ids=str)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_resized_pixels(op: Any, dtype: torch.dtype) -> None:
    for x in (photos(6, dtype=dtype), varied(6, dtype=dtype)):
        sizes = item_sizes(x)
        after = op.output_sizes(sizes, DRAWS).tolist()
        assert torch.equal(op.place(sizes, DRAWS).sizes, torch.tensor(after))
        for a, b, size in zip(op(x, DRAWS), x, after, strict=True):
            expected = F.resize(b, size, InterpolationMode(op.interpolation), antialias=True)
            assert (a.double() - expected.double()).abs().max() <= (dtype == torch.uint8) + 1e-5


@pytest.mark.parametrize("op", [*RESIZES, RandomZoomOut(3, (1.0, 2.0), 0.6)], ids=str)
def test_alone_together_and_empty(op: Any) -> None:
    check_alone_or_together(op, photos(5))
    check_alone_or_together(op, varied(5))
    assert len(op(torch.zeros(0, 3, 4, 4))) == 0
    for size in ((1, 1), (1, 9), (7, 2)):
        assert op(torch.ones(1, 3, *size))[0].shape[0] == 3


def test_laws_of_the_sizes() -> None:
    n = 4000
    draws, sizes = Draws(1, 0, torch.arange(n)), torch.tensor([[1000, 500]]).expand(n, 2)
    short = RandomResize(20, 30).output_sizes(sizes, draws)[:, 1]
    assert scipy.stats.chisquare(torch.bincount(short - 20, minlength=10)).pvalue > 0.01
    short = RandomShortestSize((20, 30, 40)).output_sizes(sizes, draws)[:, 1]
    assert scipy.stats.chisquare(torch.bincount(short)[[20, 30, 40]]).pvalue > 0.01
    scales = ScaleJitter((10, 10), (0.5, 1.5)).scales(draws)
    assert scipy.stats.kstest(scales, "uniform", (0.5, 1)).pvalue > 0.01
    op = RandomZoomOut(0, (1, 3), 0.4)
    assert scipy.stats.binomtest(int(op.mask(draws).sum()), n, 0.4).pvalue > 0.01
    sizes = sizes * 1000
    sides = RandomZoomOut(0, (1, 3), 1.0).borders(sizes, draws).double()
    room = sides[:, :2] + sides[:, 2:]
    assert scipy.stats.kstest(room[:, 0] / 5e5, "uniform", (0, 2)).pvalue > 0.01
    for axis in (0, 1):
        assert scipy.stats.kstest(sides[:, axis] / room[:, axis], "uniform").pvalue > 0.01


@pytest.mark.parametrize("fill", [0, 7, (1.0, 2.0, 3.0)])
def test_zoom_out_pixels(fill: Any) -> None:
    op = RandomZoomOut(fill, (1.0, 2.0), 0.6)
    sides, x = op.borders(SIZES, DRAWS).tolist(), photos(6)
    assert 0 < int(op.mask(DRAWS).sum()) < 6
    out = op(x, DRAWS)
    assert isinstance(out, Ragged)
    for a, b, side in zip(out, x, sides, strict=True):
        expected = F.pad(b, side, list(fill) if isinstance(fill, tuple) else fill)
        assert torch.equal(a, expected)
    # what the GPU does: the nearest pixels of a shift
    from domainkit.vision.transforms.kernels.warp import warp_torch

    placed = op.place(SIZES, DRAWS)
    warped = warp_torch(x, placed.matrix, placed.sizes, "nearest", fill)
    assert all(torch.equal(a, b) for a, b in zip(out, warped, strict=True))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_borders_equal_torchvision(mode: str, dtype: torch.dtype) -> None:
    x = photos(2).to(dtype)
    for sides in (3, (5, 2), (1, 0, 7, 30)):
        given = [sides] if isinstance(sides, int) else list(sides)
        expected = F.pad(x, given, 0, mode)
        assert torch.equal(Pad(sides, padding_mode=mode)(x), expected)
    if mode == "constant":
        expected = F.pad(x, [1, 2, 3, 4], [1.0, 2.0, 3.0], mode)
        assert torch.equal(Pad((1, 2, 3, 4), (1.0, 2.0, 3.0))(x), expected)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_random_crop_with_borders(mode: str) -> None:
    op = RandomCrop((130, 100), padding=(2, 3), pad_if_needed=True, padding_mode=mode)
    x, places, sides = photos(6), op.places(SIZES, DRAWS), op.borders(SIZES)
    placed = op.place(SIZES, DRAWS).matrix
    for i, out in enumerate(op(x, DRAWS)):
        top, left = places[i].tolist()
        expected = F.crop(F.pad(x[i], sides[i].tolist(), 0, mode), top, left, 130, 100)
        assert torch.equal(out, expected)
        assert placed[i, 1, 2] == top - sides[i, 1] and placed[i, 0, 2] == left - sides[i, 0]
    ragged = RandomCrop(100, pad_if_needed=True, fill=(9.0, 8.0, 7.0))
    check_alone_or_together(ragged, varied(6))
    assert ragged(varied(6)).shape == (6, 3, 100, 100)


def test_names_of_interpolations() -> None:
    x = photos(1)
    for mode in (InterpolationMode.NEAREST_EXACT, "nearest-exact"):
        expected = F.resize(x, [41, 77], InterpolationMode.NEAREST_EXACT)
        assert torch.equal(Resize((41, 77), mode)(x), expected)
    assert Resize(8, InterpolationMode.BICUBIC) == Resize(8, "bicubic") == Resize(8, 3)


def test_wrong_use() -> None:
    for make in (
        lambda: RandomResize(5, 5),
        lambda: RandomShortestSize(()),
        lambda: RandomShortestSize(3, max_size=0),
        lambda: ScaleJitter((3, 3), (2, 1)),
        lambda: ScaleJitter((3, 3), interpolation="sinc"),
        lambda: RandomZoomOut(side_range=(0.5, 2)),
        lambda: Pad(1, padding_mode="wrap"),
        lambda: Pad(1, (1.0, 2.0), "edge"),
        lambda: Pad(1, (1.0, 2.0))(photos(1)),
        lambda: Pad(9, padding_mode="reflect")(torch.zeros(1, 1, 9, 9)),
        lambda: RandomCrop(97, padding_mode="edge")(photos(1)),
        lambda: RandomResize(5, 6)(torch.zeros(1, 3, 0, 4)),
    ):
        with pytest.raises(TransformError):
            make()
