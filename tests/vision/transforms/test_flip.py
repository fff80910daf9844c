"""RandomHorizontalFlip against torchvision v2 functional."""

from __future__ import annotations

import pytest
import scipy.stats
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, needs_cuda, photos, varied

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import RandomHorizontalFlip


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.bool, torch.float32])
def test_those_drawn_equal_torchvision(channels: int, dtype: torch.dtype) -> None:
    op, draws = RandomHorizontalFlip(0.5), Draws(0, 0, torch.arange(12))
    x = photos(12, channels).to(dtype)
    mask = op.mask(draws)
    assert 0 < mask.sum() < 12
    expected = [F.horizontal_flip(p) if yes else p for p, yes in zip(x, mask, strict=True)]
    assert torch.equal(op(x, draws), torch.stack(expected))


def test_ragged_stays_ragged() -> None:
    op, draws = RandomHorizontalFlip(0.5), Draws(0, 0, torch.arange(7))
    x = varied(7)
    out = op(x, draws)
    assert isinstance(out, Ragged) and (out.host_shapes == x.host_shapes).all()
    for a, b, yes in zip(out, x, op.mask(draws), strict=True):
        assert torch.equal(a, F.horizontal_flip(b) if yes else b)


def test_alone_or_together() -> None:
    check_alone_or_together(RandomHorizontalFlip(), photos(7))
    check_alone_or_together(RandomHorizontalFlip(), varied(7))


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_the_share_is_p(p: float) -> None:
    count = int(RandomHorizontalFlip(p).mask(Draws(1, 0, torch.arange(5000))).sum())
    assert scipy.stats.binomtest(count, 5000, p).pvalue > 0.01


def test_the_input_stays() -> None:
    x = photos(7)
    before = x.clone()
    RandomHorizontalFlip(1.0)(x)
    assert torch.equal(x, before)


def test_an_empty_batch() -> None:
    assert RandomHorizontalFlip()(torch.zeros(0, 3, 4, 4)).shape == (0, 3, 4, 4)


def test_wrong_use() -> None:
    for p in (-0.1, 1.1):
        with pytest.raises(TransformError, match=r"p must be in \[0, 1\]"):
            RandomHorizontalFlip(p)
    with pytest.raises(TransformError, match="RandomHorizontalFlip takes"):
        RandomHorizontalFlip()(torch.zeros(3, 4, 4))


@needs_cuda
def test_on_a_gpu() -> None:
    op, draws = RandomHorizontalFlip(), Draws(0, 0, torch.arange(7))
    assert torch.equal(op(photos(7).cuda(), draws).cpu(), op(photos(7), draws))
