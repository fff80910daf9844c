"""Normalize against torchvision v2 functional."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, needs_cuda, photos, varied

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import Normalize

RGB = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_equals_torchvision(dtype: torch.dtype) -> None:
    x = photos(2, 3, dtype)
    assert torch.equal(RGB(x), F.normalize(x, list(RGB.mean), list(RGB.std)))
    grey = photos(2, 1, dtype)
    assert torch.equal(Normalize((0.3,), (0.2,))(grey), F.normalize(grey, [0.3], [0.2]))


def test_one_number_is_for_all_channels() -> None:
    x = photos(2, 3, torch.float32)
    assert torch.equal(Normalize(0.5, 0.25)(x), (x - 0.5) / 0.25)  # type: ignore[arg-type]


def test_alone_or_together() -> None:
    check_alone_or_together(RGB, photos(7, 3, torch.float32))
    check_alone_or_together(RGB, varied(7, 3, torch.float32))


def test_ragged_stays_ragged() -> None:
    x = varied(5, 3, torch.float32)
    out = RGB(x)
    assert isinstance(out, Ragged) and (out.host_shapes == x.host_shapes).all()
    for a, b in zip(out, x, strict=True):
        assert torch.equal(a, F.normalize(b, list(RGB.mean), list(RGB.std)))


def test_the_input_stays() -> None:
    x = photos(2, 3, torch.float32)
    before = x.clone()
    RGB(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    ("mean", "std"), [((0.5,), (0.0,)), ((0.5, 0.5), (1.0,)), ((), ()), ("half", (1.0,))]
)
def test_wrong_arguments(mean: Any, std: Any) -> None:
    with pytest.raises(TransformError, match="Normalize"):
        Normalize(mean, std)


def test_wrong_input() -> None:
    with pytest.raises(TransformError, match=r"got uint8. Put ToDtype\(.float32., scale=True\)"):
        RGB(photos(2))
    with pytest.raises(TransformError, match="3 channels, got 1"):
        RGB(photos(2, 1, torch.float32))
    with pytest.raises(TransformError, match="3 channels, got 1"):
        RGB(varied(3, 1, torch.float32))


@needs_cuda
def test_on_a_gpu() -> None:
    x = photos(2, 3, torch.float32)
    assert torch.equal(RGB(x.cuda()).cpu(), RGB(x))
