"""Steps that map levels to levels, against torchvision with an amount per sample."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import photos

from domainkit.vision.transforms import levels
from domainkit.vision.transforms._program import (
    STEPS,
    Code,
    Program,
    run_program_torch,
)

PERMUTATIONS = list(itertools.permutations(range(3)))

# code -> amounts for uint8 pictures, for floating ones, and torchvision's function of one picture
CASES: dict[Code, tuple[list[float], list[float], Callable[[torch.Tensor, float], torch.Tensor]]]
CASES = {
    Code.INVERT: ([0.0] * 9, [0.0] * 9, lambda x, a: F.invert(x)),
    Code.SOLARIZE: (
        [0, 1, 99.5, 100, 128, 200, 254, 255, 17],
        [0, 0.1, 0.25, 0.5, 0.7, 0.9, 1, 0.33, 0.05],
        F.solarize,
    ),
    Code.POSTERIZE: (
        [0, 1, 2, 3, 4, 5, 6, 7, 8],
        [0, 1, 2, 3, 4, 5, 6, 7, 8],
        lambda x, a: F.posterize(x, int(a)),
    ),
    Code.GRAYSCALE: ([0.0] * 9, [0.0] * 9, lambda x, a: F.rgb_to_grayscale(x, len(x))),
    Code.PERMUTE: (
        [0, 1, 2, 3, 4, 5, 4, 3, 2],
        [0, 1, 2, 3, 4, 5, 4, 3, 2],
        lambda x, a: F.permute_channels(x, list(PERMUTATIONS[int(a)])) if len(x) == 3 else x,
    ),
    Code.AUTOCONTRAST: ([0.0] * 9, [0.0] * 9, lambda x, a: F.autocontrast(x)),
    Code.EQUALIZE: ([0.0] * 9, [0.0] * 9, lambda x, a: F.equalize(x)),
}
NAMES = [code.name.lower() for code in CASES]


def pictures(channels: int) -> list[torch.Tensor]:
    """Photographs, dull ones, noise, few levels, flat ones, one pixel wide."""
    photo = photos(9, channels)
    flat = torch.arange(9, dtype=torch.uint8).mul(31).view(9, 1, 1, 1).expand(9, channels, 17, 33)
    noise = torch.randint(0, 256, (9, channels, 40, 31)).byte()
    few = torch.randint(0, 3, (9, channels, 20, 20)).byte() * 100
    return [photo, photo // 3 + 40, noise, few, flat, noise[:, :, :, :1], noise[:, :, :1, :1]]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("code", CASES, ids=NAMES)
def test_uint8_equals_torchvision(code: Code, channels: int) -> None:
    amounts, _, theirs = CASES[code]
    for x in pictures(channels):
        before = x.clone()
        mine = STEPS[code](x, torch.tensor(amounts))
        assert mine.dtype == torch.uint8 and torch.equal(x, before)
        for got, source, a in zip(mine, x, amounts, strict=True):
            assert torch.equal(got, theirs(source, a))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("code", CASES, ids=NAMES)
def test_floats_equal_torchvision(code: Code, channels: int) -> None:
    _, amounts, theirs = CASES[code]
    for x in pictures(channels):
        for dtype, limit in ((torch.float32, 1e-6), (torch.float64, 1e-7)):
            y = x.to(dtype) / 255
            mine = STEPS[code](y, torch.tensor(amounts))
            assert mine.dtype == dtype
            for got, source, a in zip(mine, y, torch.tensor(amounts).tolist(), strict=True):
                torch.testing.assert_close(got, theirs(source, a), rtol=0, atol=limit)
        half = STEPS[code](x.half() / 255, torch.tensor(amounts))
        assert half.dtype == torch.float16 and bool(half.isfinite().all())


def test_the_grey_of_every_colour() -> None:
    level = torch.arange(256, dtype=torch.uint8)
    rest = torch.cartesian_prod(level, level).T
    apart = 0
    for red in range(0, 256, 5):
        x = torch.cat([torch.full((1, 65536), red, dtype=torch.uint8), rest]).view(1, 3, 256, 256)
        apart = max(apart, int((levels.grayscale(x).int() - F.rgb_to_grayscale(x, 3)).abs().max()))
    assert apart <= 1  # torchvision's sum is a fused one on a CPU


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_many_steps_in_an_order_per_sample(dtype: torch.dtype) -> None:
    x = photos(9, 3, dtype)
    generator = torch.Generator().manual_seed(3)
    codes = torch.stack([torch.randperm(12, generator=generator)[:6] for _ in range(9)])
    amounts = torch.full((9, 6), 1.3)
    amounts[codes == Code.HUE] = 0.2
    amounts[codes == Code.SOLARIZE] = 100 if dtype == torch.uint8 else 0.4
    amounts[codes == Code.POSTERIZE] = 5
    amounts[codes == Code.PERMUTE] = 4
    done = run_program_torch(x, Program(codes, amounts))
    for i in range(9):
        one = x[i : i + 1]
        for code, amount in zip(codes[i].tolist(), amounts[i], strict=True):
            one = one if code == Code.NONE else STEPS[code](one, amount[None])
        assert torch.equal(done[i], one[0])


def test_nothing_in_nothing_out() -> None:
    for code in CASES:
        assert STEPS[code](torch.zeros(0, 3, 4, 4), torch.zeros(0)).shape == (0, 3, 4, 4)
