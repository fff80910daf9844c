"""ToDtype against torchvision v2 functional."""

from __future__ import annotations

import itertools

import pytest
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, needs_cuda, photos, varied

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import ToDtype

INTS = {"uint8": torch.uint8, "int16": torch.int16, "int32": torch.int32, "int64": torch.int64}
FLOATS = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}
ALL = {**INTS, **FLOATS}


def source(name: str) -> torch.Tensor:
    """[1, 1, 16, 17]: every uint8 value, or as many from the whole range of another dtype."""
    if name in FLOATS:
        return torch.linspace(0, 1, 272, dtype=torch.float64).view(1, 1, 16, 17).to(FLOATS[name])
    top = torch.iinfo(INTS[name]).max
    values = [top * i // 271 for i in range(272)]
    return torch.tensor(values, dtype=INTS[name]).view(1, 1, 16, 17)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize(("start", "end"), list(itertools.product(ALL, ALL)))
def test_equals_torchvision(start: str, end: str, scale: bool) -> None:
    x = source(start)
    try:
        expected = F.to_dtype(x, ALL[end], scale=scale)
    except RuntimeError:  # torchvision refuses what a floating type cannot hold
        with pytest.raises(TransformError, match="cannot hold the range"):
            ToDtype(end, scale)(x)
        return
    if start in ("float16", "bfloat16") and end in ("int32", "int64") and scale:
        # torchvision lets these overflow; refused here
        with pytest.raises(TransformError, match="cannot hold the range"):
            ToDtype(end, scale)(x)
        return
    assert torch.equal(ToDtype(end, scale)(x), expected)


def test_to_float_and_back_is_the_same() -> None:
    x = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    there = ToDtype("float32", scale=True)(x)
    assert there.min() == 0 and there.max() == 1
    assert torch.equal(ToDtype("uint8", scale=True)(there), x)


def test_alone_or_together() -> None:
    check_alone_or_together(ToDtype("float32", scale=True), photos(7))
    check_alone_or_together(ToDtype("float16", scale=True), varied(7))


def test_ragged_keeps_its_sizes() -> None:
    out = ToDtype("float32", scale=True)(varied(4))
    assert isinstance(out, Ragged) and out.dtype == torch.float32
    assert (out.host_shapes == varied(4).host_shapes).all()
    assert torch.equal(out[2], F.to_dtype(varied(4)[2], torch.float32, scale=True))


def test_wrong_use() -> None:
    with pytest.raises(TransformError, match="dtype must be one of uint8"):
        ToDtype("float")
    with pytest.raises(TransformError, match="got bool"):
        ToDtype("float32")(torch.zeros(1, 1, 2, 2, dtype=torch.bool))
    with pytest.raises(TransformError, match="ToDtype takes a tensor"):
        ToDtype("float32")(torch.zeros(2, 2))


@needs_cuda
def test_on_a_gpu() -> None:
    op = ToDtype("float32", scale=True)
    assert torch.equal(op(photos(2).cuda()).cpu(), op(photos(2)))
