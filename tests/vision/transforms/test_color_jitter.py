"""ColorJitter against torchvision's colour functions in the drawn order."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import scipy.stats
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, needs_cuda, photos, varied

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import ColorJitter, color

THEIRS = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
MINE = (
    color.adjust_brightness,
    color.adjust_contrast,
    color.adjust_saturation,
    color.adjust_hue,
)
NAMES = ("brightness", "contrast", "saturation", "hue")
USUAL = ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
STRONG = ColorJitter(brightness=0.8, contrast=(0.2, 1.8), saturation=0.8, hue=0.5)


def in_order(x: torch.Tensor, amounts: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    for step in order.tolist():
        x = THEIRS[step](x, amounts[step].item())
    return x


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("step", range(4), ids=NAMES)
def test_each_step_with_a_factor_per_sample(step: int, channels: int) -> None:
    amounts = torch.linspace(-0.5, 0.5, 9) if step == 3 else torch.linspace(0, 2.5, 9)
    noise = torch.randint(0, 256, (9, channels, 40, 30)).byte()
    for x in (photos(9, channels), noise):
        for mine, source, f in zip(MINE[step](x, amounts), x, amounts.tolist(), strict=True):
            assert (mine.int() - THEIRS[step](source, f).int()).abs().max() <= 1
        for dtype, limit in ((torch.float32, 2e-6), (torch.float64, 1e-7)):
            y = x.to(dtype) / 255
            factors = amounts.to(dtype)
            for mine, source, f in zip(MINE[step](y, factors), y, factors.tolist(), strict=True):
                # torchvision works on the hue in float32 always
                atol = 2e-6 if step == 3 else limit
                torch.testing.assert_close(mine, THEIRS[step](source, f), rtol=0, atol=atol)


def test_hue_of_every_corner_of_the_colour_cube() -> None:
    corners = torch.tensor(list(itertools.product((0.0, 0.5, 1.0), repeat=3)))
    x = corners.T.reshape(1, 3, 1, 27)
    for shift in torch.linspace(-0.5, 0.5, 13):
        mine = color.adjust_hue(x, shift[None])
        torch.testing.assert_close(mine, F.adjust_hue(x, shift.item()), rtol=0, atol=2e-6)


@pytest.mark.parametrize("op", [USUAL, STRONG], ids=["usual", "strong"])
def test_all_four_equal_torchvision_in_the_drawn_order(op: ColorJitter) -> None:
    draws = Draws(0, 0, torch.arange(24))
    amounts, order = op.amounts(draws)
    assert len({tuple(row) for row in order.tolist()}) > 12
    x = photos(24)
    apart = torch.stack(
        [
            (mine.int() - in_order(source, a, o).int()).abs()
            for mine, source, a, o in zip(op(x, draws), x, amounts, order, strict=True)
        ]
    )
    assert (apart > 1).double().mean() < 1e-3
    assert (apart > 2).double().mean() < 1e-4
    y = photos(24, 3, torch.float32)
    for mine, source, a, o in zip(op(y, draws), y, amounts, order, strict=True):
        torch.testing.assert_close(mine, in_order(source, a, o), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "names", [("contrast",), ("hue", "brightness"), ("brightness", "saturation", "contrast")]
)
def test_some_of_the_four(names: tuple[str, ...]) -> None:
    op = ColorJitter(**dict.fromkeys(names, 0.4))  # type: ignore[arg-type]
    draws = Draws(2, 0, torch.arange(7))
    amounts, order = op.amounts(draws)
    y = photos(7, 3, torch.float32)
    for mine, source, a, o in zip(op(y, draws), y, amounts, order, strict=True):
        some = torch.tensor([step for step in o.tolist() if NAMES[step] in names])
        torch.testing.assert_close(mine, in_order(source, a, some), rtol=0, atol=1e-5)


def test_the_numbers_do_not_depend_on_the_other_arguments() -> None:
    draws = Draws(0, 0, torch.arange(9))
    alone, all_four = ColorJitter(hue=0.1).amounts(draws), USUAL.amounts(draws)
    assert torch.equal(alone[0][:, 3], all_four[0][:, 3]) and torch.equal(alone[1], all_four[1])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_alone_or_together(dtype: torch.dtype, channels: int) -> None:
    for op in (USUAL, ColorJitter(contrast=0.5)):
        check_alone_or_together(op, photos(7, channels, dtype))
        check_alone_or_together(op, varied(7, channels, dtype))


def test_the_mean_is_the_same_in_any_batch() -> None:
    # torch.mean is not: over a large picture it shares the sum among its threads
    x, f = torch.rand(8, 1, 230, 230), torch.full((8,), 0.5)
    together = color.adjust_contrast(x, f)
    for i in range(8):
        assert torch.equal(color.adjust_contrast(x[i : i + 1], f[:1])[0], together[i])


def test_ragged_stays_ragged() -> None:
    x = varied(7)
    out = USUAL(x, Draws(0, 0, torch.arange(7)))
    assert isinstance(out, Ragged) and (out.host_shapes == x.host_shapes).all()
    assert out.dtype == torch.uint8 and not torch.equal(out.values, x.values)


def test_the_input_stays() -> None:
    for channels, op in itertools.product((1, 3), (USUAL, ColorJitter(saturation=0.5))):
        x = photos(7, channels)
        before = x.clone()
        op(x)
        assert torch.equal(x, before)


def test_amounts_follow_their_ranges() -> None:
    amounts, order = STRONG.amounts(Draws(5, 0, torch.arange(6000)))
    ranges = [(0.2, 1.8), (0.2, 1.8), (0.2, 1.8), (-0.5, 0.5)]
    for column, (low, high) in zip(amounts.T, ranges, strict=True):
        law = scipy.stats.uniform(low, high - low)
        assert scipy.stats.kstest(column.numpy(), law.cdf).pvalue > 0.01
    counts = torch.unique(order, dim=0, return_counts=True)[1]
    assert len(counts) == 24 and scipy.stats.chisquare(counts).pvalue > 0.01


def test_nothing_asked_nothing_done() -> None:
    x = photos(2)
    assert ColorJitter()(x) is x
    assert ColorJitter(brightness=(1.0, 1.0), hue=(0.0, 0.0))(x) is x


def test_an_empty_batch() -> None:
    assert USUAL(torch.zeros(0, 3, 4, 4)).shape == (0, 3, 4, 4)


@pytest.mark.parametrize(
    "args",
    [
        {"brightness": -0.1},
        {"contrast": (-0.5, 1.0)},
        {"contrast": (1.5, 1.0)},
        {"saturation": "much"},
        {"hue": 0.6},
        {"hue": (-0.6, 0.1)},
    ],
)
def test_wrong_arguments(args: dict[str, Any]) -> None:
    with pytest.raises(TransformError, match=next(iter(args))):
        ColorJitter(**args)


def test_wrong_input() -> None:
    with pytest.raises(TransformError, match="1 or 3 channels, got 4"):
        USUAL(torch.zeros(1, 4, 8, 8))
    with pytest.raises(TransformError, match="got int32"):
        USUAL(torch.zeros(1, 3, 8, 8, dtype=torch.int32))
    with pytest.raises(TransformError, match="ColorJitter takes"):
        USUAL(torch.zeros(3, 8, 8))


@needs_cuda
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_on_a_gpu_the_bits_are_the_same(dtype: torch.dtype) -> None:
    draws = Draws(0, 0, torch.arange(24))
    x = photos(24, 3, dtype)
    assert torch.equal(USUAL(x.cuda(), draws).cpu(), USUAL(x, draws))
