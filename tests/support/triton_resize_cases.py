"""Cases of kernels/_triton_resize.py; run by tests/vision/transforms/kernels."""

from __future__ import annotations

import pytest
import torch
from support.triton_cases import DEVICE

from domainkit.ragged import Ragged
from domainkit.vision.transforms.kernels._triton_resize import can_run, resize_windows_triton
from domainkit.vision.transforms.kernels.window import resize_window
from domainkit.vision.transforms.resize import Resize

HOW = Resize(8)
TOLERANCE = {torch.uint8: 1, torch.float32: 1e-5, torch.float16: 1e-3}


def noise(*shape, dtype=torch.uint8):
    x = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(3))
    return x.to(dtype) if not dtype.is_floating_point else (x / 255).to(dtype)


def windows_of(x, box, full, cut, flips):
    """Every window by ``resize_window``."""
    out = []
    for n, (picture, (top, left, height, width)) in enumerate(zip(x, box.tolist(), strict=True)):
        seen = picture[None, :, top : top + height, left : left + width]
        turn = [axis for axis, on in zip((2, 3), flips, strict=True) if on is not None and on[n]]
        part = seen.new_empty(1, len(picture), *cut[n, 2:].tolist())
        resize_window(part, seen, full[n].tolist(), cut[n].tolist(), how=HOW, turn=turn)
        out.append(part)
    return torch.cat(out).double()


def check(x, box, full, cut=None, flips=(None, None)):
    cut = torch.cat([torch.zeros_like(full), full], 1) if cut is None else cut
    assert can_run(x.to(DEVICE), HOW)
    got = resize_windows_triton(x.to(DEVICE), box, full, cut, vflip=flips[0], hflip=flips[1])
    values = got.cpu().double()
    assert (values - windows_of(x, box, full, cut, flips)).abs().max() <= TOLERANCE[x.dtype]
    if x.dtype == torch.uint8:  # as floating numbers, which are not rounded between two directions
        exact = windows_of([item.float() for item in x], box, full, cut, flips)
        assert (values - exact).abs().max() < 0.5001
    return got


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.int64)


SIZES = boxes([9, 13]).expand(3, 2)
WINDOWS = boxes([0, 0, 31, 23], [5, 2, 9, 13], [29, 22, 2, 1])  # shrunk, as it is, enlarged


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
@pytest.mark.parametrize("channels", [1, 3])
def test_windows(dtype, channels):
    x = noise(3, channels, 31, 23, dtype=dtype)
    got = check(x, WINDOWS, SIZES)
    assert torch.equal(got[1].cpu(), x[1, :, 5:14, 2:15])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_mirrors_and_parts(dtype):
    x = noise(3, 3, 31, 23, dtype=dtype)
    flips = (torch.tensor([True, False, False]), torch.tensor([True, True, False]))
    check(x, WINDOWS, SIZES, flips=flips)
    full = boxes([9, 13], [20, 40], [17, 18])
    check(x, WINDOWS, full, boxes([1, 2, 6, 5], [14, 35, 6, 5], [0, 0, 6, 5]), flips)


def test_much_smaller():
    x = noise(1, 3, 15, 20, dtype=torch.float32)
    check(x, boxes([0, 0, 15, 20]), boxes([3, 4]))


@pytest.mark.parametrize("last", [False, True])
def test_ragged(last):
    items = [noise(3, *size) for size in [(2, 3), (17, 20), (7, 2)]]
    if last:
        items = [i.permute(1, 2, 0).contiguous().permute(2, 0, 1) for i in items]
    x = Ragged.from_list(items)
    got = check(x, boxes([1, 0, 1, 3], [3, 1, 11, 17], [0, 0, 7, 2]), boxes([5, 34]).expand(3, 2))
    assert got.is_contiguous(memory_format=torch.channels_last) == last


def test_strides_and_alone():
    x = noise(3, 3, 62, 24).to(memory_format=torch.channels_last)
    assert check(x, WINDOWS, SIZES).is_contiguous(memory_format=torch.channels_last)
    x = x[:, :, ::2, 1:]
    got = check(x, WINDOWS, SIZES)
    cut = torch.cat([torch.zeros_like(SIZES), SIZES], 1)[:1]
    alone = resize_windows_triton(x[:1].to(DEVICE), WINDOWS[:1], SIZES[:1], cut)
    assert torch.equal(alone[0].cpu(), got[0].cpu())


def test_what_it_leaves_to_torch():
    x = noise(1, 3, 4, 4, dtype=torch.float32)
    assert can_run(x, HOW) and not can_run(x, Resize(8, "bicubic"))
    assert not can_run(x, Resize(8, antialias=False)) and not can_run(x[:, :2], HOW)
    assert not can_run(x.double(), HOW) and not can_run(x.clone().requires_grad_(), HOW)
