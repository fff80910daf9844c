"""Cases of kernels/_triton_warp.py; run by tests/vision/transforms/kernels."""

from __future__ import annotations

import math

import pytest
import torch
from support.triton_cases import DEVICE

from domainkit.ragged import Ragged
from domainkit.vision.transforms.kernels._triton_warp import can_run, warp_triton
from domainkit.vision.transforms.kernels.warp import warp_torch

TOLERANCE = {torch.uint8: 1, torch.float32: 2e-5, torch.float16: 2e-3}


def noise(*shape, dtype=torch.uint8):
    x = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(3))
    return x.to(dtype) if not dtype.is_floating_point else (x / 255).to(dtype)


def matrices(count):
    """Turns, a perspective, and one whose horizon lies within the picture."""
    all_of_them = []
    for n in range(count):
        c, s = math.cos(0.7 * n), math.sin(0.7 * n)
        all_of_them.append([[c, s, 2.3 * n], [-s, c, 4.1 * n], [0, 0, 1]])
    all_of_them[-1] = [[1.1, 0.05, -1], [0.02, 0.9, 1], [0.004, -0.003, 1]]
    if count > 2:
        all_of_them[1] = [[1, 0, 0], [0, 1, 0], [-0.1, 0.03, 1.013]]
    return torch.tensor(all_of_them, dtype=torch.float64)


def check(x, matrix, sizes, mode, fill=None):
    want = warp_torch(x, matrix, sizes, mode, fill)
    here = x.to(DEVICE)
    assert can_run(here, sizes, mode)
    got = warp_triton(here, matrix, sizes, mode, fill)
    if isinstance(want, Ragged):
        assert torch.equal(got.shapes.cpu(), want.shapes)
        got = torch.cat([i.reshape(-1).cpu() for i in got])
        want = torch.cat([i.reshape(-1) for i in want])
    assert got.dtype == want.dtype and got.shape == want.shape
    off = (got.cpu().double() - want.double()).abs()
    if mode == "nearest":
        assert off.max() == 0
    else:  # near a horizon a float32 coordinate is pixels off
        assert (off > TOLERANCE[x.dtype]).double().mean() < 2e-3, off.max()
    return got


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
@pytest.mark.parametrize("fill", [None, (0.1, 0.0, 0.9)])
def test_bilinear(dtype, fill):
    if fill and dtype == torch.uint8:
        fill = tuple(255 * f for f in fill)
    x = noise(4, 3, 19, 21, dtype=dtype)
    check(x, matrices(4), torch.tensor([[18, 35]]).expand(4, 2), "bilinear", fill)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.int64])
def test_nearest(dtype):
    x = noise(4, 2, 19, 21, dtype=dtype)
    check(x, matrices(4), torch.tensor([[18, 35]]).expand(4, 2), "nearest", 7.4)
    half = torch.eye(3, dtype=torch.float64)[None].clone()
    half[:, :2, 2] = 0.5  # every point lies between two pixels
    check(x[:1], half, torch.tensor([[19, 21]]), "nearest")


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("last", [False, True])
def test_ragged(mode, last):
    items = [noise(3, *size) for size in [(1, 2), (17, 20), (7, 1)]]
    if last:
        items = [i.permute(1, 2, 0).contiguous().permute(2, 0, 1) for i in items]
    x = Ragged.from_list(items)
    got = check(x, matrices(3), torch.tensor([[9, 8]]).expand(3, 2), mode, 5)
    assert got.is_contiguous(memory_format=torch.channels_last) == last
    check(x, matrices(3), torch.tensor([[9, 8], [1, 40], [20, 3]]), mode, 5)


def test_strides_and_alone():
    x = noise(3, 3, 20, 31).to(memory_format=torch.channels_last)
    sizes = torch.tensor([[20, 31]]).expand(3, 2)
    got = check(x, matrices(3), sizes, "bilinear", 9)
    assert got.is_contiguous(memory_format=torch.channels_last)
    check(x[:, :, ::2, 1:], matrices(3), sizes, "bilinear", 9)
    alone = warp_triton(x[1:2].to(DEVICE), matrices(3)[1:2], sizes[:1], "bilinear", 9)
    assert torch.equal(alone[0].cpu(), got[1].cpu())


def test_what_it_leaves_to_torch():
    x, sizes = noise(1, 3, 4, 4, dtype=torch.float32), torch.tensor([[4, 4]])
    assert can_run(x, sizes, "bilinear") and not can_run(x, sizes, "bicubic")
    assert not can_run(x.double(), sizes, "bilinear")
    assert not can_run(x.clone().requires_grad_(), sizes, "bilinear")
    assert not can_run(x[:0], sizes[:0], "bilinear")
