"""Resize against torchvision v2 functional."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import check_alone_or_together, needs_cuda, photos, varied
from torchvision.transforms import InterpolationMode

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import Resize

MODES = ["bilinear", "bicubic", "nearest"]
SIZES = [(40, 56), (150, 97), (96, 61), (7, 200)]


def by_torchvision(x: torch.Tensor, op: Resize) -> torch.Tensor:
    return F.resize(
        x,
        [op.size] if isinstance(op.size, int) else list(op.size),
        interpolation=InterpolationMode(op.interpolation),
        max_size=op.max_size,
        antialias=op.antialias,
    )


def levels_apart(a: torch.Tensor, b: torch.Tensor) -> int:
    assert a.shape == b.shape and a.dtype == b.dtype == torch.uint8
    return int((a.int() - b.int()).abs().max())


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_floating_equals_torchvision(
    channels: int, size: tuple[int, int], mode: str, antialias: bool
) -> None:
    op = Resize(size, mode, antialias=antialias)
    for dtype in (torch.float32, torch.float64):
        x = photos(2, channels, dtype)
        torch.testing.assert_close(op(x), by_torchvision(x, op), rtol=0, atol=1e-6)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_uint8_is_within_one_level_of_the_floating_path(
    channels: int, size: tuple[int, int], mode: str, antialias: bool
) -> None:
    op = Resize(size, mode, antialias=antialias)
    for x in (photos(2, channels), torch.randint(0, 256, (2, channels, 60, 70)).byte()):
        exact = by_torchvision(x.double(), op).round().clamp(0, 255).byte()
        assert levels_apart(op(x), exact) <= 1
        if mode != "bicubic":  # there torchvision clips between the directions
            assert levels_apart(op(x), by_torchvision(x, op)) <= 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_floats_are_computed_in_float32(dtype: torch.dtype) -> None:
    x = photos(2, 3, torch.float32).to(dtype)
    out = Resize((40, 50))(x)
    assert out.dtype == dtype
    assert torch.equal(out, Resize((40, 50))(x.float()).to(dtype))


@pytest.mark.parametrize("args", [{"size": 50}, {"size": 150}, {"size": 50, "max_size": 56}])
@pytest.mark.parametrize("shape", [(96, 120), (120, 96), (90, 90), (33, 100)])
def test_the_shorter_side(args: dict[str, Any], shape: tuple[int, int]) -> None:
    x = torch.rand(1, 3, *shape)
    out, truth = Resize(**args)(x), by_torchvision(x, Resize(**args))
    assert out.shape == truth.shape == (1, 3, *Resize(**args).output_size(*shape))
    torch.testing.assert_close(out, truth, rtol=0, atol=1e-6)


@pytest.mark.parametrize("source", [1, 2, 7, 28, 97, 224, 500])
@pytest.mark.parametrize("target", [1, 3, 28, 100, 224, 257])
def test_nearest_takes_the_same_pixels(source: int, target: int) -> None:
    x = torch.arange(source * 5).view(1, 1, source, 5).double()
    op = Resize((target, 4), "nearest")
    assert torch.equal(op(x), by_torchvision(x, op))


def test_nearest_takes_any_dtype() -> None:
    x = torch.randint(0, 1 << 40, (2, 1, 9, 9))
    assert torch.equal(Resize((4, 6), "nearest")(x), Resize((4, 6), "nearest")(x.double()).long())


def test_the_same_size_is_left_alone() -> None:
    x = photos(2)
    assert Resize((96, 120))(x) is x


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_alone_or_together(mode: str, dtype: torch.dtype) -> None:
    for size in ((40, 60), 150):
        check_alone_or_together(Resize(size, mode), photos(7, 3, dtype))
        check_alone_or_together(Resize(size, mode), varied(7, 3, dtype))
    check_alone_or_together(Resize((31, 33), mode), photos(7, 1, dtype))


def test_ragged_becomes_dense_when_sizes_agree() -> None:
    x = varied(7)
    out = Resize((32, 48))(x)
    assert isinstance(out, torch.Tensor) and out.shape == (7, 3, 32, 48)
    other = Resize(32)(x)
    assert isinstance(other, Ragged) and len(other) == 7
    for item, source in zip(other, x, strict=True):
        assert levels_apart(item, by_torchvision(source, Resize(32))) <= 1
        assert min(item.shape[1:]) == 32


def test_an_empty_batch() -> None:
    assert Resize(8)(torch.zeros(0, 3, 20, 30)).shape == (0, 3, 8, 12)


@pytest.mark.parametrize(
    "args",
    [
        {"size": 0},
        {"size": (3, -1)},
        {"size": (1, 2, 3)},
        {"size": 2.5},
        {"size": True, "interpolation": "cubic"},
        {"size": 8, "interpolation": "lanczos"},
        {"size": 8, "max_size": 8},
        {"size": (8, 8), "max_size": 9},
    ],
)
def test_wrong_arguments(args: dict[str, Any]) -> None:
    with pytest.raises(TransformError, match="Resize"):
        Resize(**args)


def test_a_list_becomes_a_tuple() -> None:
    assert Resize([4, 5]) == Resize((4, 5)) and hash(Resize([4, 5]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(3, 8, 8), r"\[B, C, H, W\].*\(3, 8, 8\): a single picture needs \[None\]"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int32), "uint8, float16.*got int32"),
        (Ragged.from_list([torch.zeros(3), torch.zeros(4)]), "Ragged of pictures"),
        (["picture"], "got list"),
        (torch.zeros(1, 3, 0, 8), "no pixels"),
    ],
)
def test_wrong_input(x: Any, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        Resize(4)(x)


@needs_cuda
@pytest.mark.parametrize("mode", MODES)
def test_on_a_gpu(mode: str) -> None:
    op = Resize((50, 70), mode)
    assert levels_apart(op(photos(3).cuda()).cpu(), op(photos(3))) <= 1
    x = photos(3, 3, torch.float32)
    torch.testing.assert_close(op(x.cuda()).cpu(), op(x), rtol=0, atol=1e-5)
