"""CenterCrop against torchvision v2 functional."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, needs_cuda, photos, varied

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import CenterCrop


@pytest.mark.parametrize("height", range(1, 9))
@pytest.mark.parametrize("width", range(1, 9))
def test_every_small_size_equals_torchvision(height: int, width: int) -> None:
    x = torch.arange(1, 1 + 2 * 5 * 4).view(2, 1, 5, 4)
    assert torch.equal(CenterCrop((height, width))(x), F.center_crop(x, [height, width]))


@pytest.mark.parametrize("size", [64, 97, (50, 131), (200, 200)])
@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.int32, torch.bool, torch.float16, torch.float32]
)
def test_any_dtype(dtype: torch.dtype, size: Any) -> None:
    x = photos(2).to(dtype)
    expected = F.center_crop(x, [size, size] if isinstance(size, int) else list(size))
    assert torch.equal(CenterCrop(size)(x), expected)


def test_alone_or_together() -> None:
    for size in (30, 111):
        check_alone_or_together(CenterCrop(size), photos(7))
        check_alone_or_together(CenterCrop(size), varied(7))


def test_ragged_becomes_dense() -> None:
    x = varied(5)
    out = CenterCrop((60, 130))(x)
    assert isinstance(out, torch.Tensor) and out.shape == (5, 3, 60, 130)
    assert all(torch.equal(a, F.center_crop(b, [60, 130])) for a, b in zip(out, x, strict=True))


def test_the_input_stays() -> None:
    x = photos(2)
    before = x.clone()
    CenterCrop(200)(x)
    assert torch.equal(x, before)


def test_wrong_use() -> None:
    with pytest.raises(TransformError, match="size must be a positive int"):
        CenterCrop(-1)
    with pytest.raises(TransformError, match=r"\[B, C, H, W\]"):
        CenterCrop(3)(torch.zeros(8, 8))
    with pytest.raises(TransformError, match="Ragged of pictures"):
        CenterCrop(3)(Ragged.from_list([torch.zeros(4, 5, 3)], inner=1))


@needs_cuda
def test_on_a_gpu() -> None:
    x = photos(2)
    assert torch.equal(CenterCrop((50, 150))(x.cuda()).cpu(), CenterCrop((50, 150))(x))
