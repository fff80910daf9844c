"""Colour transforms that a coin decides, against torchvision for the pictures that were chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import scipy.stats
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, needs_cuda, photos, varied

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision import transforms as T
from domainkit.vision.transforms._program import Code, Colored
from domainkit.vision.transforms.levels import PERMUTATIONS

# made with p, and torchvision's function for uint8 pictures
CASES: dict[str, tuple[Callable[[float], Colored], Callable[[torch.Tensor], torch.Tensor]]] = {
    "invert": (T.RandomInvert, F.invert),
    "solarize": (lambda p: T.RandomSolarize(100, p), lambda x: F.solarize(x, 100)),
    "posterize": (lambda p: T.RandomPosterize(3, p), lambda x: F.posterize(x, 3)),
    "autocontrast": (T.RandomAutocontrast, F.autocontrast),
    "equalize": (T.RandomEqualize, F.equalize),
    "grayscale": (T.RandomGrayscale, lambda x: F.rgb_to_grayscale(x, len(x))),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_torchvision_where_the_coin_says_so(case: str) -> None:
    make, theirs = CASES[case]
    draws = Draws(3, 1, torch.arange(20))
    for p in (0.0, 0.4, 1.0):
        op, x = make(p), photos(20)
        chosen = draws.uniform(1)[:, 0] < p
        for mine, source, yes in zip(op(x, draws), x, chosen.tolist(), strict=True):
            assert torch.equal(mine, theirs(source) if yes else source)


@pytest.mark.parametrize("case", CASES)
def test_alone_or_together(case: str) -> None:
    make, _ = CASES[case]
    for dtype, channels in ((torch.uint8, 3), (torch.uint8, 1), (torch.float32, 3)):
        op = T.RandomSolarize(0.4) if case == "solarize" and dtype != torch.uint8 else make(0.5)
        check_alone_or_together(op, photos(6, channels, dtype))
        check_alone_or_together(op, varied(6, channels, dtype))
    turned = photos(6).transpose(2, 3)
    assert not turned.is_contiguous()
    same = turned.contiguous()
    draws = Draws(0, 0, torch.arange(6))
    assert torch.equal(make(0.5)(turned, draws), make(0.5)(same, draws))
    assert len(make(0.5)(turned[:0])) == 0


@pytest.mark.parametrize("case", CASES)
def test_the_coin_is_fair(case: str) -> None:
    op = CASES[case][0](0.3)
    codes = op.program(Draws(0, 0, torch.arange(4000)), torch.uint8).codes
    assert scipy.stats.binomtest(int((codes != 0).sum()), 4000, 0.3).pvalue > 0.01


def test_clips_have_one_coin() -> None:
    clips = photos(12).view(4, 3, 3, 96, 120)
    done = T.RandomInvert(0.5)(clips, Draws(0, 0, torch.arange(4)))
    changed = (done != clips).flatten(2).any(2)
    assert changed.any() and not changed.all()
    assert bool((changed == changed[:, :1]).all())


def test_channel_permutation() -> None:
    draws = Draws(0, 0, torch.arange(40))
    op, x = T.RandomChannelPermutation(), photos(40)
    index = op.program(draws, x.dtype).amounts[:, 0].long().tolist()
    for mine, source, i in zip(op(x, draws), x, index, strict=True):
        assert torch.equal(mine, F.permute_channels(source, list(PERMUTATIONS[i])))
    drawn = op.program(Draws(1, 0, torch.arange(6000)), x.dtype).amounts[:, 0]
    assert scipy.stats.chisquare(drawn.long().bincount(minlength=6)).pvalue > 0.01
    check_alone_or_together(op, photos(6))
    check_alone_or_together(op, varied(6, 1))


@pytest.mark.parametrize("channels", [1, 3])
def test_grayscale(channels: int) -> None:
    for count in (1, 3):
        op = T.Grayscale(count)
        for x in (photos(3, channels), photos(3, channels, torch.float32)):
            want = F.rgb_to_grayscale(x, count)
            torch.testing.assert_close(op(x), want, rtol=0, atol=1e-6)
        many = op(varied(3, channels))
        assert isinstance(many, Ragged) and many.host_shapes[:, 0].tolist() == [count] * 3
        for mine, source in zip(many, varied(3, channels), strict=True):
            assert torch.equal(mine, F.rgb_to_grayscale(source, count))
    check_alone_or_together(T.Grayscale(), photos(5, channels))
    check_alone_or_together(T.Grayscale(3), varied(5, channels))


THEIRS: dict[int, Callable[[torch.Tensor, float], torch.Tensor]] = {
    Code.BRIGHTNESS: F.adjust_brightness,
    Code.CONTRAST: F.adjust_contrast,
    Code.SATURATION: F.adjust_saturation,
    Code.HUE: F.adjust_hue,
    Code.PERMUTE: lambda x, i: F.permute_channels(x, list(PERMUTATIONS[int(i)])),
}


def test_photometric_distort_in_torchvisions_order() -> None:
    op, draws = T.RandomPhotometricDistort(), Draws(2, 0, torch.arange(16))
    for dtype, limit in ((torch.uint8, 2), (torch.float32, 1e-5)):
        x = photos(16, 3, dtype)
        table = op.program(draws, dtype)
        for i, mine in enumerate(op(x, draws)):
            want = x[i]
            for code, amount in zip(table.codes[i].tolist(), table.amounts[i], strict=True):
                want = THEIRS[code](want, amount.item()) if code else want
            assert (mine.double() - want.double()).abs().max() <= limit
    check_alone_or_together(op, photos(6))
    check_alone_or_together(op, varied(6, 1))


def test_photometric_distort_follows_its_law() -> None:
    op = T.RandomPhotometricDistort(p=0.4)
    table = op.program(Draws(5, 0, torch.arange(6000)), torch.uint8)
    used = table.codes != 0
    level = 0.01 / 11  # eleven tests at once
    for slot, share in ((0, 0.4), (1, 0.2), (2, 0.4), (3, 0.4), (4, 0.2), (5, 0.4)):
        assert scipy.stats.binomtest(int(used[:, slot].sum()), 6000, share).pvalue > level
    assert not (used[:, 1] & used[:, 4]).any()
    for slot, (low, high) in enumerate([(0.875, 1.125), (0.5, 1.5), (0.5, 1.5), (-0.05, 0.05)]):
        law = scipy.stats.uniform(low, high - low)
        seen = table.amounts[:, slot][used[:, slot]]
        assert scipy.stats.kstest(seen.numpy(), law.cdf).pvalue > level
    order = table.amounts[:, 5][used[:, 5]].long().bincount(minlength=6)
    assert scipy.stats.chisquare(order).pvalue > level


def test_lists_become_tuples() -> None:
    lists: Any = [0.5, 1.5]
    op = T.RandomPhotometricDistort(contrast=lists)
    assert op == T.RandomPhotometricDistort() and hash(op) is not None


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: T.RandomInvert(1.5), "RandomInvert: p must be in"),
        (lambda: T.RandomEqualize("half"), "RandomEqualize: p must be in"),
        (lambda: T.RandomSolarize("high"), "threshold must be a number"),
        (lambda: T.RandomPosterize(9), "bits must be a whole number in 0..8"),
        (lambda: T.RandomPosterize(2.0), "bits must be a whole number in 0..8"),
        (lambda: T.Grayscale(2), "num_output_channels must be 1 or 3"),
        (lambda: T.RandomPhotometricDistort(hue=(0, 0.6)), "hue must be"),
        (lambda: T.RandomPhotometricDistort(contrast=1.5), "contrast must be"),
        (lambda: T.RandomSolarize(256)(photos()), "at most 255 for uint8"),
        (lambda: T.RandomSolarize(100)(photos(2, 3, torch.float32)), "at most 1 for float32"),
        (lambda: T.RandomInvert()(torch.zeros(1, 3, 4, 4).int()), "got int32"),
        (lambda: T.RandomAutocontrast()(torch.zeros(1, 4, 4, 4)), "1 or 3 channels, got 4"),
        (lambda: T.Grayscale()(torch.zeros(3, 4, 4)), "Grayscale takes"),
    ],
)
def test_wrong_arguments_and_input(make: Callable[[], Any], match: str) -> None:
    with pytest.raises(TransformError, match=match):
        make()


@needs_cuda
@pytest.mark.parametrize("case", [*CASES, "distort"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_on_a_gpu_the_bits_are_the_same(case: str, dtype: torch.dtype) -> None:
    op: Any = T.RandomPhotometricDistort() if case == "distort" else CASES[case][0](0.5)
    if case == "solarize" and dtype != torch.uint8:
        op = T.RandomSolarize(0.4)
    x, draws = photos(12, 3, dtype), Draws(0, 0, torch.arange(12))
    assert torch.equal(op(x.cuda(), draws).cpu(), op(x, draws))
