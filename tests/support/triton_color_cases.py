"""Cases of kernels/_triton_color.py; run by tests/vision/transforms/kernels."""

from __future__ import annotations

import pytest
import torch
from support.triton_cases import DEVICE

from domainkit.ragged import Ragged
from domainkit.vision.transforms._program import Code, Program
from domainkit.vision.transforms.kernels._triton_color import color_finish_triton
from domainkit.vision.transforms.kernels.finish import color_finish_torch

AMOUNT = {Code.HUE: -0.3, Code.POSTERIZE: 3.0, Code.PERMUTE: 3.0}
TOLERANCE = {torch.uint8: 1, torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}


def pictures(batch, channels, dtype, height=37, width=43):
    generator = torch.Generator().manual_seed(5)
    x = torch.randint(0, 200, (batch, channels, height, width), generator=generator)
    x = x.to(torch.uint8)
    return x if dtype == torch.uint8 else (x.float() / 255).to(dtype)


def every_code(dtype):
    codes = torch.tensor([[code, 0] for code in Code])
    amounts = torch.tensor([[AMOUNT.get(code, 1.3), 0.0] for code in Code])
    amounts[Code.SOLARIZE, 0] = 100 if dtype == torch.uint8 else 0.4
    return Program(codes, amounts)


def jitter(batch):
    generator = torch.Generator().manual_seed(1)
    order = torch.rand(batch, 4, generator=generator).argsort(1)
    amounts = 0.5 + torch.rand(batch, 4, generator=generator)
    return Program(order + 1, torch.where(order == 3, amounts - 1, amounts))


def close(got, want, dtype, tolerance=None):
    if isinstance(want, Ragged):
        assert torch.equal(got.shapes.cpu(), want.shapes)
        got, want = got.values, want.values
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    difference = (got.cpu().double() - want.double()).abs().max().item()
    limit = TOLERANCE[dtype] if tolerance is None else tolerance
    assert difference <= limit, difference


@pytest.mark.parametrize(
    ("dtype", "channels"), [(torch.uint8, 1), (torch.uint8, 3), (torch.float32, 3)]
)
def test_every_step(dtype, channels):
    program = every_code(dtype)
    x = pictures(len(program), channels, dtype, 9, 11)  # one block: the interpreter is slow
    want = color_finish_torch(x, program)
    close(
        color_finish_triton(x.to(DEVICE), program), want, dtype, 0 if dtype == torch.uint8 else None
    )


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
def test_steps_in_order_with_mirrors_and_normalisation(dtype):
    x = pictures(4, 3, dtype, 11, 13)
    flips = {"hflip": torch.tensor([True, False, True, False]), "vflip": torch.arange(4) > 1}
    finish = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.3)}
    if dtype == torch.uint8:
        finish["out_dtype"] = torch.float32
    want = color_finish_torch(x, jitter(4), **flips, **finish)
    got = color_finish_triton(x.to(DEVICE), jitter(4), **flips, **finish)
    close(got, want, dtype, {torch.uint8: 1e-6, torch.float32: 5e-5, torch.float16: 2e-2}[dtype])


def test_several_statistics_in_one_program():
    codes = torch.tensor([[2, 10, 11, 2], [11, 3, 10, 4], [0, 2, 0, 11]])
    program = Program(codes, torch.full((3, 4), 0.4))
    x = pictures(3, 3, torch.uint8)
    close(color_finish_triton(x.to(DEVICE), program), color_finish_torch(x, program), x.dtype, 0)


@pytest.mark.parametrize("channels_last", [False, True])
def test_ragged_and_strides(channels_last):
    sizes = [(1, 1), (17, 20), (7, 1)]
    items = [pictures(1, 3, torch.uint8, h, w)[0] for h, w in sizes]
    if channels_last:
        items = [i.permute(1, 2, 0).contiguous().permute(2, 0, 1) for i in items]
    x = Ragged.from_list(items)
    want = color_finish_torch(x, jitter(3), hflip=torch.tensor([True, True, False]))
    got = color_finish_triton(x.to(DEVICE), jitter(3), hflip=torch.tensor([True, True, False]))
    close(got, want, torch.uint8, 0)
    dense = pictures(3, 3, torch.uint8, 20, 31).to(memory_format=torch.channels_last)[:, :, ::2, 1:]
    close(
        color_finish_triton(dense.to(DEVICE), jitter(3)),
        color_finish_torch(dense, jitter(3)),
        dense.dtype,
        0,
    )


def test_alone_as_in_a_batch():
    x, program = pictures(2, 3, torch.float32).to(DEVICE), jitter(2)
    whole = color_finish_triton(x, program)
    alone = color_finish_triton(x[1:2], Program(program.codes[1:2], program.amounts[1:2]))
    assert torch.equal(whole[1], alone[0])
