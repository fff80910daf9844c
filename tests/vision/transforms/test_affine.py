"""RandomAffine, Affine, RandomRotation, Rotate and RandomPerspective against torchvision v2."""

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
    Affine,
    RandomAffine,
    RandomPerspective,
    RandomRotation,
    Rotate,
)

BILINEAR = InterpolationMode.BILINEAR
WITHIN = {torch.uint8: 1.0, torch.float32: 5e-5, torch.float64: 1e-6}
WHOLE: dict[str, Any] = {
    "degrees": 30,
    "translate": (0.1, 0.2),
    "scale": (0.7, 1.3),
    "shear": (-8, 8, -5, 5),
}


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    off = (ours.double() - theirs.double()).abs()
    assert off.max() <= WITHIN[ours.dtype], float(off.max())
    assert (off > 0.5).double().mean() < 2e-3


@pytest.mark.parametrize("dtype", list(WITHIN))
@pytest.mark.parametrize(
    "op",
    [
        RandomAffine(**WHOLE, interpolation="bilinear"),
        RandomAffine(45, shear=10, interpolation=BILINEAR, fill=None),
        RandomAffine((10, 20), center=(5, 80.5), interpolation="bilinear", fill=(0.2, 0.0, 0.7)),
        Affine(-33, (3, -5), 1.4, (4, 9), "bilinear", 0.5),
    ],
    ids=str,
)
def test_affine_pixels(op: Any, dtype: torch.dtype) -> None:
    x, draws = photos(5, dtype=dtype), Draws(3, 0, torch.arange(5))
    sizes = torch.tensor([[96, 120]]).expand(5, 2)
    angle, translate, scale, shear = op.parameters(sizes, draws)
    fill = list(op.fill) if isinstance(op.fill, tuple) else op.fill
    center = None if op.center is None else list(op.center)
    for i, out in enumerate(op(x, draws)):
        given = (float(angle[i]), translate[i].tolist(), float(scale[i]), shear[i].tolist())
        close(out, F.affine(x[i], *given, BILINEAR, fill, center))


@pytest.mark.parametrize("dtype", list(WITHIN))
@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize("size", [(96, 120), (31, 44), (1, 7), (1, 1)])
def test_rotation_pixels(dtype: torch.dtype, expand: bool, size: tuple[int, int]) -> None:
    op = RandomRotation(180, "bilinear", expand=expand, fill=0.25)
    x, draws = photos(6, dtype=dtype)[:, :, : size[0], : size[1]], Draws(3, 0, torch.arange(6))
    out = op(x, draws)
    for a, b, angle in zip(out, x, op.angles(draws).tolist(), strict=True):
        close(a, F.rotate(b, angle, BILINEAR, expand, fill=0.25))


@pytest.mark.parametrize("angle", [0, 90, 180, 270, -90, 360])
@pytest.mark.parametrize("size", [(96, 119), (40, 40), (3, 4)])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_quarter_turns_are_exact(angle: int, size: tuple[int, int], interpolation: str) -> None:
    x = photos(2)[:, :, : size[0], : size[1]]
    expected = F.rotate(x, angle, InterpolationMode(interpolation), expand=True)
    assert torch.equal(Rotate(angle, interpolation, expand=True)(x), expected)


def test_rotation_about_a_point() -> None:
    x = photos(2, dtype=torch.float64)
    for expand in (False, True):
        ours = Rotate(25, "bilinear", expand=expand, center=(10, 20))(x)
        close(ours, F.rotate(x, 25, BILINEAR, expand, [10, 20], 0))


@pytest.mark.parametrize("dtype", list(WITHIN))
@pytest.mark.parametrize("size", [(96, 120), (33, 21), (2, 3)])
def test_perspective_pixels(dtype: torch.dtype, size: tuple[int, int]) -> None:
    op, draws = RandomPerspective(0.5, 0.6, fill=0.3), Draws(4, 0, torch.arange(8))
    x = photos(8, dtype=dtype)[:, :, : size[0], : size[1]]
    corners = op.corners(torch.tensor([size]).expand(8, 2), draws).tolist()
    h, w = size
    start, mask = [[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]], op.mask(draws)
    assert 0 < mask.sum() < 8
    for i, out in enumerate(op(x, draws)):
        if not mask[i]:
            assert torch.equal(out, x[i])
        elif size != (2, 3):  # whose corners may fall together
            close(out, F.perspective(x[i], start, corners[i], BILINEAR, 0.3))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("kind", [RandomAffine, RandomRotation, RandomPerspective])
def test_alone_or_together(kind: Any, interpolation: str) -> None:
    first = () if kind is RandomPerspective else (40,)
    op = kind(*first, interpolation=interpolation)
    for dtype in (torch.uint8, torch.float32):
        check_alone_or_together(op, photos(5, dtype=dtype))
        check_alone_or_together(op, varied(5, dtype=dtype))
    check_alone_or_together(RandomRotation(40, expand=True), photos(5))


@pytest.mark.parametrize("op", [RandomAffine(30), RandomRotation(30), RandomPerspective(p=0.5)])
def test_sizes_stay_and_layouts_agree(op: Any) -> None:
    x = varied(5)
    last = Ragged.from_list([p.permute(1, 2, 0).contiguous().permute(2, 0, 1) for p in x])
    assert last.channels_last
    draws = Draws(0, 0, torch.arange(5))
    for a, b, c in zip(op(x, draws), op(last, draws), x, strict=True):
        assert torch.equal(a, b) and a.shape == c.shape
    assert op(torch.zeros(0, 3, 4, 4)).shape == (0, 3, 4, 4)
    clip = op(photos(6).unflatten(0, (2, 3)).contiguous(), Draws(0, 0, torch.arange(2)))
    assert clip.shape == (2, 3, 3, 96, 120)


def test_laws_of_the_draws() -> None:
    n = 4000
    draws, sizes = Draws(1, 0, torch.arange(n)), torch.tensor([[50, 80]]).expand(n, 2)
    op = RandomAffine(**WHOLE)
    angle, translate, scale, shear = op.parameters(sizes, draws)
    for values, low, high in (
        (angle, -30, 30),
        (scale, 0.7, 1.3),
        (shear[:, 0], -8, 8),
        (shear[:, 1], -5, 5),
        (RandomRotation((10, 50)).angles(draws), 10, 50),
    ):
        assert scipy.stats.kstest(values, "uniform", (low, high - low)).pvalue > 0.01
    for axis, most in ((0, 8), (1, 10)):
        counts = torch.bincount((translate[:, axis] + most).long(), minlength=2 * most + 1)
        share = torch.full((2 * most + 1,), n / (2 * most)).double()
        share[0] = share[-1] = n / (4 * most)  # half as wide before rounding
        assert scipy.stats.chisquare(counts, share).pvalue > 0.01
    op = RandomPerspective(0.5, 0.3)
    assert scipy.stats.binomtest(int(op.mask(draws).sum()), n, 0.3).pvalue > 0.01
    corners = op.corners(sizes, draws)
    for corner, (x, y) in enumerate([(0, 0), (59, 0), (59, 37), (0, 37)]):
        for values, low, count in ((corners[:, corner, 0], x, 21), (corners[:, corner, 1], y, 13)):
            counts = torch.bincount(values - low, minlength=count)
            assert len(counts) == count and scipy.stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("op", [RandomRotation(30, expand=True), RandomAffine(**WHOLE)])
def test_place_says_where_pixels_come_from(op: Any) -> None:
    # a smooth picture x + 2 y: its value at a place is known anywhere inside
    draws, size = Draws(2, 0, torch.arange(3)), (40, 60)
    y, x = torch.meshgrid(torch.arange(40.0) + 0.5, torch.arange(60.0) + 0.5, indexing="ij")
    op = type(op)(**{**op.__dict__, "interpolation": "bilinear", "fill": -1e6})
    out = op((x + 2 * y).double().expand(3, 1, 40, 60), draws)
    placed = op.place(torch.tensor([size]).expand(3, 2), draws)
    for i in range(3):
        height, width = placed.sizes[i].tolist()
        assert out[i].shape[1:] == (height, width)
        row, column = height // 2, width // 2
        at = placed.matrix[i] @ torch.tensor([column + 0.5, row + 0.5, 1]).double()
        assert abs(float(out[i][0, row, column] - at[0] - 2 * at[1])) < 1e-9


def test_wrong_use() -> None:
    for make in (
        lambda: RandomAffine(-1),
        lambda: RandomAffine(1, translate=(0.5, 2)),
        lambda: RandomAffine(1, scale=(0, 1)),
        lambda: RandomAffine(1, shear=(1, 2, 3)),
        lambda: RandomAffine(1, fill="red"),
        lambda: RandomRotation((3, 1)),
        lambda: RandomRotation(1, "lanczos"),
        lambda: RandomRotation(1, center=(1,)),
        lambda: RandomPerspective(2),
        lambda: RandomPerspective(p=2),
        lambda: Affine(scale=0),
        lambda: RandomRotation(10)(torch.zeros(3, 4, 4)),
        lambda: RandomRotation(10)(torch.zeros(1, 3, 0, 4)),
        lambda: RandomRotation(10, "bilinear")(torch.zeros(1, 3, 4, 4, dtype=torch.int64)),
    ):
        with pytest.raises(TransformError):
            make()
