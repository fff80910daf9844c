"""``warp`` against torchvision's affine and perspective, and its forms against each other."""

from __future__ import annotations

import math

import pytest
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import needs_cuda, photos, to_dtype, varied
from torchvision.transforms import InterpolationMode

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms.kernels.forms import use_form
from domainkit.vision.transforms.kernels.warp import warp

ANGLES = [0.0, 17.3, 90.0, -63.1, 181.0]


def about_centre(angle: float, height: int, width: int, scale: float = 1.0) -> torch.Tensor:
    """Output -> input of torchvision's affine(angle, scale)."""
    c, s = math.cos(math.radians(angle)) / scale, math.sin(math.radians(angle)) / scale
    to, back = torch.eye(3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
    to[:2, 2] = torch.tensor([-width / 2, -height / 2])
    back[:2, 2] = torch.tensor([width / 2, height / 2])
    turn = torch.tensor([[c, s, 0], [-s, c, 0], [0, 0, 1]], dtype=torch.float64)
    return back @ turn @ to


def case(dtype: torch.dtype, channels: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x = photos(5, channels, dtype)
    matrix = torch.stack([about_centre(a, 96, 120, 1.0731) for a in ANGLES])
    return x, matrix, torch.tensor([[96, 120]]).expand(5, 2)


@pytest.mark.parametrize("form", ["torch", "numba"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
@pytest.mark.parametrize("fill", [None, 0, 7.0, (3.0, 0.0, 9.0)])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_affine_equals_torchvision(form: str, dtype: torch.dtype, fill: object, mode: str) -> None:
    x, matrix, sizes = case(dtype)
    if dtype.is_floating_point and fill is not None:
        fill = tuple(f / 255 for f in fill) if isinstance(fill, tuple) else fill / 255
    with use_form(form):
        out = warp(x, matrix, sizes, mode, fill)
    for a, b, angle in zip(out, x, ANGLES, strict=True):
        fills = list(fill) if isinstance(fill, tuple) else fill
        expected = F.affine(b, angle, [0, 0], 1.0731, [0, 0], InterpolationMode(mode), fills)
        off = (a.double() - expected.double()).abs()
        if mode == "bilinear":
            tolerance = {torch.uint8: 1, torch.float32: 2e-5, torch.float64: 1e-12}[dtype]
            assert off.max() <= tolerance, off.max()
            assert (off > 0.5).double().mean() < 5e-3  # halves
        else:  # a float32 point near the middle between two pixels falls to either side
            assert (off > 1e-6).double().mean() < 5e-3


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_forms_agree_on_homographies(dtype: torch.dtype, mode: str, channels: int) -> None:
    x = photos(4, 1 if channels == 1 else 3, dtype)
    x = torch.cat([x, x[:, :1]], 1) if channels == 4 else x
    matrix = torch.stack([about_centre(a, 96, 120) for a in ANGLES[:4]])
    # the last one has its horizon within the picture
    matrix[:, 2] = torch.tensor([[0, 0, 1], [1e-3, 2e-3, 1], [-2e-3, 1e-3, 0.9], [-0.03, 0.01, 1]])
    sizes = torch.tensor([[96, 120]]).expand(4, 2)
    outs = []
    for form in ("torch", "numba"):
        with use_form(form):
            outs.append(warp(x, matrix, sizes, mode, 0.0))
    off = (outs[0].double() - outs[1].double()).abs()
    assert (off > (1 if dtype == torch.uint8 else 1e-4)).double().mean() < 1e-3


def test_layouts_and_ragged_agree() -> None:
    for dtype in (torch.uint8, torch.float32):
        x, matrix, sizes = case(dtype)
        plain = warp(x, matrix, sizes, "bilinear", 5)
        last = warp(x.to(memory_format=torch.channels_last), matrix, sizes, "bilinear", 5)
        assert torch.equal(plain, last) and not last.is_contiguous()
        stepped = torch.stack([x, x], -1)[..., 0]
        assert torch.equal(plain, warp(stepped, matrix, sizes, "bilinear", 5))
        ragged = warp(Ragged.from_list(list(x)), matrix, sizes, "bilinear", 5)
        assert torch.equal(plain, ragged)


@pytest.mark.parametrize("form", ["torch", "numba"])
def test_sizes_of_their_own(form: str) -> None:
    x = varied(4)
    sizes = torch.tensor([[50, 40], [1, 1], [7, 90], [33, 2]])
    matrix = torch.stack([about_centre(a, 60, 60) for a in ANGLES[:4]])
    with use_form(form):
        out = warp(x, matrix, sizes)
        assert isinstance(out, Ragged) and out.host_shapes[:, 1:].tolist() == sizes.tolist()
        for i in range(4):
            alone = warp(x[i][None], matrix[i : i + 1], sizes[i : i + 1])
            assert torch.equal(alone[0], out[i])


@pytest.mark.parametrize("form", ["torch", "numba"])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 1), (2, 2)])
def test_tiny_pictures(form: str, size: tuple[int, int]) -> None:
    x = photos(1, dtype=torch.float32)[:, :, : size[0], : size[1]]
    for angle in (0.0, 30.0):
        with use_form(form):
            m = about_centre(angle, *size)[None]
            out = warp(x, m, torch.tensor([size]), "bilinear", 0.0)
        expected = F.affine(x, angle, [0, 0], 1.0, [0, 0], InterpolationMode.BILINEAR, 0.0)
        assert (out - expected).abs().max() < 1e-5


def test_bicubic_is_grid_samples() -> None:
    x, matrix, sizes = case(torch.uint8)
    out = warp(x, matrix, sizes, "bicubic")
    near = warp(x, matrix, sizes, "bilinear")
    assert (out.double() - near.double()).abs().mean() < 4


def test_every_dtype_keeps_its_values() -> None:
    x = torch.tensor([[[[2**40 + 1, 5]]]])
    matrix = torch.eye(3, dtype=torch.float64)[None]
    assert torch.equal(warp(x, matrix, torch.tensor([[1, 2]]), "nearest"), x)
    half = to_dtype(photos(1), torch.float16)
    assert warp(half, matrix, torch.tensor([[96, 120]])).dtype == torch.float16


def test_nothing_and_gradients() -> None:
    empty = torch.zeros(0, 3, 4, 4)
    assert warp(empty, torch.zeros(0, 3, 3).double(), torch.zeros(0, 2).long()) is empty
    x = photos(1, dtype=torch.float32).requires_grad_()
    warp(x, torch.eye(3).double()[None], torch.tensor([[96, 120]])).sum().backward()
    assert torch.allclose(x.grad, torch.ones_like(x), atol=1e-3)
    with pytest.raises(TransformError, match="one per channel"):
        warp(x, torch.eye(3).double()[None], torch.tensor([[96, 120]]), "bilinear", (1.0, 2.0))


@needs_cuda
def test_on_a_gpu() -> None:
    x, matrix, sizes = case(torch.uint8)
    off = warp(x.cuda(), matrix, sizes, "bilinear", 5).cpu().int() - warp(
        x, matrix, sizes, "bilinear", 5
    )
    assert off.abs().max() <= 1
