"""``RandomAdjustSharpness`` and ``GaussianBlur`` against torchvision, an amount per picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import scipy.ndimage
import scipy.stats
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, needs_cuda, photos, to_dtype, varied

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform
from domainkit.vision.transforms import GaussianBlur, RandomAdjustSharpness
from domainkit.vision.transforms.gaussian_blur import gaussian_blur
from domainkit.vision.transforms.kernels.forms import use_form
from domainkit.vision.transforms.sharpness import adjust_sharpness

SIZES = [(40, 31), (3, 3), (4, 3), (2, 9), (9, 1), (1, 1)]


def noise(height: int, width: int, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * width)
    return torch.randint(0, 256, (9, channels, height, width), generator=generator).byte()


@pytest.mark.parametrize("channels", [1, 3])
def test_sharpness_equals_torchvision(channels: int) -> None:
    factors = torch.tensor([0.0, 0.1, 0.5, 1.0, 1.3, 1.7, 2.0, 3.3, 9.0])
    for x in (photos(9, channels), *(noise(h, w, channels) for h, w in SIZES)):
        for mine, source, f in zip(adjust_sharpness(x, factors), x, factors.tolist(), strict=True):
            assert torch.equal(mine, F.adjust_sharpness(source, f))
        for dtype in (torch.float32, torch.float64):
            y = x.to(dtype) / 255
            done = adjust_sharpness(y, factors)
            for mine, source, f in zip(done, y, factors.tolist(), strict=True):
                limit = 1e-6 * max(1.0, f)
                theirs = F.adjust_sharpness(source, f)
                torch.testing.assert_close(mine, theirs, rtol=0, atol=limit)


def test_sharpness_changes_those_that_the_coin_chose() -> None:
    op, draws, x = RandomAdjustSharpness(2.0, p=0.4), Draws(1, 0, torch.arange(20)), photos(20)
    chosen = op.mask(draws)
    assert 0 < chosen.sum() < 20
    for mine, source, yes in zip(op(x, draws), x, chosen.tolist(), strict=True):
        assert torch.equal(mine, F.adjust_sharpness(source, 2.0) if yes else source)
    law = scipy.stats.binomtest(int(op.mask(Draws(0, 0, torch.arange(4000))).sum()), 4000, 0.4)
    assert law.pvalue > 0.01


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (3, 7), (9, 1), (1, 1), (23, 23)])
def test_blur_equals_torchvision(kernel: tuple[int, int], channels: int) -> None:
    sigmas = torch.linspace(0.1, 4.0, 9)
    whole = [noise(40, 31, channels), noise(29, 50, channels)]
    if channels != 4:
        whole.append(photos(9, channels))
    apart = count = 0
    for x in whole:
        for mine, source, s in zip(gaussian_blur(x, kernel, sigmas), x, sigmas, strict=True):
            theirs = F.gaussian_blur(source, list(kernel), [s.item()] * 2)
            assert (mine.int() - theirs.int()).abs().max() <= 1
            apart, count = apart + int((mine != theirs).sum()), count + mine.numel()
        for dtype, limit in (
            (torch.float32, 1e-6 if max(kernel) < 15 else 2e-6),
            (torch.float64, 1e-7),
        ):
            y = x.to(dtype) / 255
            done = gaussian_blur(y, kernel, sigmas)
            for mine, source, s in zip(done, y, sigmas, strict=True):
                theirs = F.gaussian_blur(source, list(kernel), [s.item()] * 2)
                torch.testing.assert_close(mine, theirs, rtol=0, atol=limit)
    assert apart <= count * 1e-3


@pytest.mark.parametrize("size", SIZES)
def test_blur_of_small_pictures_mirrors_them_again(size: tuple[int, int]) -> None:
    x = noise(*size).double() / 255
    taps = torch.exp(-(torch.arange(-4, 5.0, dtype=torch.float64) ** 2) / 2 / 1.5**2)
    taps = (taps / taps.sum()).numpy()
    done = gaussian_blur(x, (9, 9), torch.full((9,), 1.5))
    want = scipy.ndimage.correlate1d(x.numpy(), taps, axis=3, mode="mirror")
    want = scipy.ndimage.correlate1d(want, taps, axis=2, mode="mirror")
    torch.testing.assert_close(done, torch.from_numpy(want), rtol=0, atol=1e-6)


def test_blur_uses_the_drawn_sigmas() -> None:
    op, draws, x = GaussianBlur((5, 3), (0.3, 2.5)), Draws(1, 0, torch.arange(9)), photos(9)
    done = op(x, draws)
    assert torch.equal(done, gaussian_blur(x, (5, 3), op.sigmas(draws)))
    sigmas = op.sigmas(Draws(3, 0, torch.arange(4000)))
    assert scipy.stats.kstest(sigmas.numpy(), scipy.stats.uniform(0.3, 2.2).cdf).pvalue > 0.01
    assert GaussianBlur(5, 1.0).sigmas(draws).tolist() == [1.0] * 9
    sizes: Any = [3, 5]
    assert GaussianBlur(sizes) == GaussianBlur((3, 5))


OPS: list[Transform] = [RandomAdjustSharpness(1.7, 0.6), GaussianBlur(5), GaussianBlur((3, 7))]


@pytest.mark.parametrize("op", OPS, ids=["sharpness", "blur", "oblong blur"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32])
def test_alone_or_together(op: Transform, dtype: torch.dtype) -> None:
    for channels in (1, 3):
        x = photos(6, channels, dtype)
        before = x.clone()
        check_alone_or_together(op, x)
        check_alone_or_together(op, varied(6, channels, dtype))
        assert torch.equal(x, before)
    draws = Draws(0, 0, torch.arange(6))
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(op(last, draws), op(x, draws))
    turned = x.transpose(2, 3)
    assert torch.equal(op(turned, draws), op(turned.contiguous(), draws))
    many = op(varied(6, 3, dtype), draws)
    assert isinstance(many, Ragged) and many.dtype == dtype
    assert op(x[:0]).shape == (0, *x.shape[1:])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_both_forms_give_the_same_bits(dtype: torch.dtype) -> None:
    draws = Draws(0, 0, torch.arange(9))
    whole = [photos(9, 3, dtype), photos(9, 1, dtype).transpose(2, 3)]
    whole += [to_dtype(noise(h, w), dtype) for h, w in SIZES]
    for op in (*OPS, GaussianBlur(23, (0.1, 9.0)), RandomAdjustSharpness(0.3, 0.5)):
        for x in whole:
            with use_form("torch"):
                want = op(x, draws)
            with use_form("numba"):
                assert torch.equal(op(x, draws), want)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: RandomAdjustSharpness(-1.0), "sharpness_factor must be a number >= 0"),
        (lambda: RandomAdjustSharpness(float("nan")), "sharpness_factor must be"),
        (lambda: RandomAdjustSharpness(1.0, p=2), "p must be in"),
        (lambda: RandomAdjustSharpness(1.0)(torch.zeros(1, 4, 4, 4)), "1 or 3 channels, got 4"),
        (lambda: GaussianBlur(4), "kernel_size must be an odd, positive int"),
        (lambda: GaussianBlur((3, 5, 7)), "kernel_size must be"),
        (lambda: GaussianBlur(3, 0), "sigma must be"),
        (lambda: GaussianBlur(3, (2, 1)), "sigma must be"),
        (lambda: GaussianBlur(3)(torch.zeros(1, 3, 4, 4).int()), "got int32"),
        (lambda: GaussianBlur(3)(torch.zeros(3, 4, 4)), "GaussianBlur takes"),
    ],
)
def test_wrong_arguments_and_input(make: Callable[[], Any], match: str) -> None:
    with pytest.raises(TransformError, match=match):
        make()


@needs_cuda
@pytest.mark.parametrize("op", OPS, ids=["sharpness", "blur", "oblong blur"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_on_a_gpu_within_a_rounding(op: Transform, dtype: torch.dtype) -> None:
    x, draws = photos(12, 3, dtype), Draws(0, 0, torch.arange(12))
    there, here = op(x.cuda(), draws).cpu().double(), op(x, draws).double()
    assert (there - here).abs().max() <= (1 if dtype == torch.uint8 else 1e-6)
