"""Pad against torchvision v2 functional."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, needs_cuda, photos, varied

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import Pad


@pytest.mark.parametrize("padding", [0, 3, (2, 5), (1, 2, 3, 4)])
@pytest.mark.parametrize("fill", [0, 9])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_equals_torchvision(padding: Any, fill: int, dtype: torch.dtype) -> None:
    x = photos(2).to(dtype)
    expected = F.pad(x, [padding] if isinstance(padding, int) else list(padding), fill=fill)
    assert torch.equal(Pad(padding, fill)(x), expected)


def test_alone_or_together() -> None:
    check_alone_or_together(Pad((1, 2, 3, 4), 7), photos(7))
    check_alone_or_together(Pad((1, 2, 3, 4), 7), varied(7))


def test_ragged_stays_ragged() -> None:
    out = Pad(2)(varied(3))
    assert isinstance(out, Ragged)
    assert (out.host_shapes - varied(3).host_shapes).tolist() == [[0, 4, 4]] * 3


@pytest.mark.parametrize("padding", [-1, (1, 2, 3), (1, -2), 1.5, "1"])
def test_wrong_arguments(padding: Any) -> None:
    with pytest.raises(TransformError, match="padding must be"):
        Pad(padding)


def test_wrong_input() -> None:
    with pytest.raises(TransformError, match="Pad takes"):
        Pad(1)(torch.zeros(3, 3))


@needs_cuda
def test_on_a_gpu() -> None:
    assert torch.equal(Pad(2, 5)(photos(2).cuda()).cpu(), Pad(2, 5)(photos(2)))
