"""RandomCrop: pixels against torchvision's pad and crop, places against the uniform law."""

from __future__ import annotations

from typing import Any

import pytest
import scipy.stats
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, needs_cuda, photos, varied

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.vision.transforms import RandomCrop

OPS = [
    RandomCrop(40),
    RandomCrop((96, 120)),
    RandomCrop((50, 70), padding=3),
    RandomCrop((100, 130), padding=(1, 9, 12, 2), fill=7),
]


@pytest.mark.parametrize("op", OPS, ids=repr)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.float32])
def test_pixels_equal_torchvision(op: RandomCrop, dtype: torch.dtype) -> None:
    x = photos(7).to(dtype)
    draws = Draws(0, 0, torch.arange(7))
    places = op.places(torch.tensor([[96, 120]]).expand(7, 2), draws)
    padding = [op.padding] if isinstance(op.padding, int) else list(op.padding)
    size = (op.size, op.size) if isinstance(op.size, int) else op.size
    for out, source, (top, left) in zip(op(x, draws), x, places.tolist(), strict=True):
        assert torch.equal(out, F.crop(F.pad(source, padding, fill=op.fill), top, left, *size))


@pytest.mark.parametrize("op", OPS[:1] + OPS[2:], ids=repr)
def test_alone_or_together(op: RandomCrop) -> None:
    check_alone_or_together(op, photos(7))
    if op is not OPS[-1]:
        check_alone_or_together(op, varied(7))


def test_every_place_is_as_likely() -> None:
    op = RandomCrop((28, 25), padding=2)
    places = op.places(torch.tensor([[28, 28]]).expand(8000, 2), Draws(3, 0, torch.arange(8000)))
    counts = torch.zeros(5, 8)
    counts.index_put_(tuple(places.T), torch.ones(8000), accumulate=True)
    assert scipy.stats.chisquare(counts.flatten()).pvalue > 0.01
    assert counts.min() > 0


def test_neighbouring_samples_differ() -> None:
    x = photos(1).expand(50, -1, -1, -1)
    out = RandomCrop(20)(x, Draws(0, 0, torch.arange(50)))
    assert len({picture.numpy().tobytes() for picture in out}) > 45


def test_the_seed_of_torch_decides_without_draws() -> None:
    torch.manual_seed(4)
    first = RandomCrop(20)(photos(7))
    torch.manual_seed(4)
    assert torch.equal(first, RandomCrop(20)(photos(7)))
    assert not torch.equal(first, RandomCrop(20)(photos(7)))


def test_an_empty_batch() -> None:
    assert RandomCrop(4, padding=1)(torch.zeros(0, 1, 8, 8)).shape == (0, 1, 4, 4)


def test_too_small() -> None:
    with pytest.raises(TransformError, match=r"96 x 120 with padding 0 .* \(97, 97\)"):
        RandomCrop(97)(photos(2))
    with pytest.raises(TransformError, match="smaller than the window"):
        RandomCrop(139)(varied(7))


@pytest.mark.parametrize("args", [{"size": 0}, {"size": 4, "padding": -1}, {"size": "4"}])
def test_wrong_arguments(args: dict[str, Any]) -> None:
    with pytest.raises(TransformError, match="RandomCrop"):
        RandomCrop(**args)


@needs_cuda
def test_on_a_gpu() -> None:
    draws = Draws(0, 0, torch.arange(7))
    op = RandomCrop((50, 70), padding=3, fill=2)
    assert torch.equal(op(photos(7).cuda(), draws).cpu(), op(photos(7), draws))
