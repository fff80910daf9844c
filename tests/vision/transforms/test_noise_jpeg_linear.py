"""``GaussianNoise``, ``JPEG`` and ``LinearTransformation`` against torchvision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import scipy.stats
import torch
import torchvision.transforms.v2 as v2
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, needs_cuda, photos, varied

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import JPEG, GaussianNoise, LinearTransformation

# torchvision's codecs say since 0.29 that they will go
pytestmark = pytest.mark.filterwarnings("ignore:The image decoding and encoding")


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_noise_equals_torchvision_with_the_same_numbers(
    dtype: torch.dtype, clip: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, draws = photos(3, 3, dtype), Draws(1, 0, torch.arange(3))
    mine = GaussianNoise(0.05, 0.2, clip)(x, draws)
    normal = draws.normal(x[0].numel()).view(x.shape)
    monkeypatch.setattr(torch, "randn_like", lambda _, dtype=x.dtype: normal.to(dtype))
    theirs = F.gaussian_noise(x, 0.05, 0.2, clip)
    torch.testing.assert_close(mine, theirs, rtol=0, atol=0 if dtype == torch.uint8 else 1e-6)


def test_noise_is_normal_and_of_each_picture() -> None:
    x = torch.zeros(20, 3, 30, 31)
    noise = GaussianNoise(0.5, 2.0, clip=False)(x, Draws(0, 0, torch.arange(20)))
    assert scipy.stats.kstest(noise.flatten().numpy(), scipy.stats.norm(0.5, 2.0).cdf).pvalue > 0.01
    corner = torch.corrcoef(noise.flatten(1))
    assert (corner - torch.eye(20)).abs().max() < 0.1
    clips = torch.zeros(2, 4, 3, 8, 8)
    frames = GaussianNoise(clip=False)(clips)
    assert bool((frames == frames[:, :1]).all()) and not torch.equal(frames[0], frames[1])


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_equals_torchvision(channels: int) -> None:
    op, draws = JPEG((1, 100)), Draws(0, 0, torch.arange(24))
    for x in (photos(24, channels), photos(24, channels)[:, :, :33, :17]):
        quality = op.qualities(draws).tolist()
        for mine, source, q in zip(op(x, draws), x, quality, strict=True):
            assert torch.equal(mine, F.jpeg(source, q))
    for q in (1, 50, 95, 96, 100):
        x = photos(2, channels)
        assert torch.equal(JPEG(q)(x), F.jpeg(x, q))
    tiny = torch.randint(0, 256, (3, channels, 1, 1)).byte()
    assert torch.equal(JPEG(30)(tiny), F.jpeg(tiny, 30))


def test_qualities_follow_their_law() -> None:
    drawn = JPEG((30, 41)).qualities(Draws(0, 0, torch.arange(6000)))
    assert scipy.stats.chisquare((drawn - 30).bincount(minlength=12)).pvalue > 0.01
    pair: Any = [5, 7]
    assert JPEG(pair) == JPEG((5, 7))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32])
def test_alone_or_together(dtype: torch.dtype) -> None:
    ops: list[Any] = [GaussianNoise(), *([JPEG((10, 90))] if dtype == torch.uint8 else [])]
    draws = Draws(0, 0, torch.arange(6))
    for op in ops:
        for channels in (1, 3):
            x = photos(6, channels, dtype)
            before = x.clone()
            check_alone_or_together(op, x)
            check_alone_or_together(op, varied(6, channels, dtype))
            assert torch.equal(x, before)
            assert op(x[:0]).shape == (0, *x.shape[1:])
        last = x.contiguous(memory_format=torch.channels_last)
        assert torch.equal(op(last, draws), op(x, draws))
        assert isinstance(op(varied(6, 3, dtype), draws), Ragged)


def test_linear_transformation_equals_torchvision() -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(108, 108, generator=generator) / 10
    mean = torch.rand(108, generator=generator)
    x = torch.rand(5, 3, 6, 6, generator=generator)
    op = LinearTransformation(matrix, mean)
    torch.testing.assert_close(op(x), v2.LinearTransformation(matrix, mean)(x))
    torch.testing.assert_close(op(x.transpose(2, 3)), op(x.transpose(2, 3).contiguous()))
    torch.testing.assert_close(op(Ragged.from_list(list(x))), op(x))
    assert op(x[:0]).shape == (0, 3, 6, 6)
    assert op(x[:1].expand(2, -1, -1, -1)).shape == (2, 3, 6, 6)
    listed = LinearTransformation([[2.0, 0.0], [0.0, 3.0]], [1.0, 1.0])
    assert listed(torch.ones(1, 2, 1, 1) * 2).flatten().tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: GaussianNoise(sigma=-1.0), "sigma must be a number >= 0"),
        (lambda: GaussianNoise(mean="light"), "mean must be a number"),
        (lambda: GaussianNoise()(torch.zeros(1, 3, 4, 4).int()), "got int32"),
        (lambda: JPEG(0), "quality must be a whole number in 1..100"),
        (lambda: JPEG((50, 20)), "quality must be"),
        (lambda: JPEG(50.0), "quality must be"),
        (lambda: JPEG(50)(torch.zeros(1, 3, 4, 4)), "takes uint8 pictures, got float32"),
        (lambda: JPEG(50)(torch.zeros(1, 4, 4, 4).byte()), "1 or 3 channels, got 4"),
        (lambda: LinearTransformation(torch.zeros(3, 4), torch.zeros(3)), "must be floating"),
        (lambda: LinearTransformation(torch.eye(3), torch.zeros(4)), "mean_vector must be"),
        (lambda: LinearTransformation("many", torch.zeros(4)), "takes tensors or lists"),
        (
            lambda: LinearTransformation(torch.eye(3), torch.zeros(3))(torch.zeros(1, 3, 2, 2)),
            "takes pictures with 3 values, got 3 x 2 x 2 = 12",
        ),
        (
            lambda: LinearTransformation(torch.eye(3), torch.zeros(3))(varied(2).to(torch.float32)),
            "pictures of one size",
        ),
    ],
)
def test_wrong_arguments_and_input(make: Callable[[], Any], match: str) -> None:
    with pytest.raises(TransformError, match=match):
        make()


@needs_cuda
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_on_a_gpu_the_same(dtype: torch.dtype) -> None:
    x, draws = photos(6, 3, dtype), Draws(0, 0, torch.arange(6))
    limit = 1 if dtype == torch.uint8 else 2e-6
    there, here = GaussianNoise()(x.cuda(), draws).cpu(), GaussianNoise()(x, draws)
    assert (there.double() - here.double()).abs().max() <= limit
    if dtype == torch.uint8:
        assert torch.equal(JPEG((10, 90))(x.cuda(), draws).cpu(), JPEG((10, 90))(x, draws))
