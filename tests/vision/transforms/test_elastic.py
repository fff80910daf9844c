"""ElasticTransform against torchvision v2."""

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
from domainkit.vision.transforms import ElasticTransform

WITHIN = {torch.uint8: 1.0, torch.float32: 2e-5, torch.float64: 1e-12}


@pytest.mark.parametrize("dtype", list(WITHIN))
@pytest.mark.parametrize("fill", [None, 0.4])
@pytest.mark.parametrize("alpha", [50.0, (200.0, 20.0)])
def test_pixels(dtype: torch.dtype, fill: Any, alpha: Any) -> None:
    op, draws = ElasticTransform(alpha, (4.0, 3.0), fill=fill), Draws(0, 0, torch.arange(3))
    x = photos(3, dtype=dtype)
    moved = op.displacements(96, 120, draws)
    for i, out in enumerate(op(x, draws)):
        expected = F.elastic(x[i], moved[i : i + 1], InterpolationMode.BILINEAR, fill)
        off = (out.double() - expected.double()).abs()
        assert off.max() <= WITHIN[dtype] and (off > 0.5).double().mean() < 1e-3


@pytest.mark.parametrize("sigma", [5.0, 0.8, (3.0, 2.0)])
def test_the_field_is_torchvisions(sigma: Any) -> None:
    draws, pair = Draws(0, 0, torch.arange(2)), sigma if isinstance(sigma, tuple) else (sigma,) * 2
    noise = (draws.uniform(2 * 60 * 70) * 2 - 1).view(2, 2, 60, 70)
    moved = ElasticTransform(9.0, sigma).displacements(60, 70, draws)
    for axis, extent in ((0, 70), (1, 60)):
        window = int(8 * pair[axis] + 1) | 1
        blurred = F.gaussian_blur(noise[:, axis : axis + 1], [window, window], list(pair))
        expected = blurred[:, 0] * 9.0 / extent
        assert (moved[..., axis] - expected).abs().max() < 1e-7


def test_law_of_the_field() -> None:
    moved = ElasticTransform(8.0, 0.0).displacements(20, 40, Draws(0, 0, torch.arange(5)))
    assert scipy.stats.kstest(moved[..., 0].flatten() * 5, "uniform", (-1, 2)).pvalue > 0.01
    assert scipy.stats.kstest(moved[..., 1].flatten() * 2.5, "uniform", (-1, 2)).pvalue > 0.01


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_alone_or_together(interpolation: str) -> None:
    op = ElasticTransform(80.0, 3.0, interpolation)
    check_alone_or_together(op, photos(5)[..., :50, :40])
    check_alone_or_together(op, varied(5))


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 3)])
def test_windows_beyond_the_picture(size: tuple[int, int]) -> None:
    x = torch.ones(2, 3, *size)
    assert ElasticTransform(1.0, 5.0)(x).shape == x.shape


def test_edges_of_use() -> None:
    op = ElasticTransform()
    assert op.place(torch.tensor([[4, 4]]), Draws(0, 0, torch.arange(1))) is None
    assert op(torch.zeros(0, 3, 4, 4)).shape == (0, 3, 4, 4)
    stepped = photos(2).permute(0, 1, 3, 2)
    draws = Draws(0, 0, torch.arange(2))
    assert torch.equal(op(stepped, draws), op(stepped.contiguous(), draws))
    for wrong in ({"alpha": (1, 2, 3)}, {"sigma": -1.0}, {"interpolation": "cubic"}):
        with pytest.raises(TransformError):
            ElasticTransform(**wrong)
