"""The Numba form of the colour pass against the torch form and torchvision."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision.transforms.v2.functional as F
from support.pictures import photos

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import ColorJitter
from domainkit.vision.transforms._program import Code, Program
from domainkit.vision.transforms.kernels.finish import color_finish, color_finish_torch
from domainkit.vision.transforms.kernels.forms import chosen_form, use_form
from domainkit.vision.transforms.kernels.numba_color import can_run

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
AMOUNT = {
    Code.BRIGHTNESS: 1.3,
    Code.CONTRAST: 1.4,
    Code.SATURATION: 0.6,
    Code.HUE: 0.1,
    Code.POSTERIZE: 3.0,
    Code.PERMUTE: 3.0,
}
FINISH: dict[str, Any] = {"mean": MEAN, "std": STD, "out_dtype": torch.float32, "scale": True}


def program_of(*codes: Code, batch: int, limit: float = 100.0) -> Program:
    amounts = [limit if c == Code.SOLARIZE else AMOUNT.get(c, 0.0) for c in codes]
    return Program(torch.tensor([codes]).repeat(batch, 1), torch.tensor([amounts] * batch))


def random_program(batch: int, dtype: torch.dtype) -> Program:
    jitter = ColorJitter(0.4, 0.4, 0.4, 0.1)
    first = jitter.program(Draws(3, 0, torch.arange(batch)), dtype)
    codes = torch.randint(0, 12, (batch, 4), generator=torch.Generator().manual_seed(1))
    amounts = torch.zeros(batch, 4)
    for code, amount in AMOUNT.items():
        amounts[codes == code] = amount
    amounts[codes == Code.SOLARIZE] = 100.0 if dtype == torch.uint8 else 0.4
    return Program.cat([first, Program(codes, amounts)])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("code", [c for c in Code if c != Code.NONE], ids=lambda c: c.name)
def test_each_step_is_the_reference(code: Code, channels: int) -> None:
    x = photos(3, channels)
    assert can_run(x, None, None, torch.uint8)
    program = program_of(code, batch=3)
    assert torch.equal(color_finish(x, program), color_finish_torch(x, program))
    program = program_of(code, batch=3, limit=0.4)
    y = x.float() / 255
    torch.testing.assert_close(
        color_finish(y, program), color_finish_torch(y, program), rtol=0, atol=2e-6
    )


def test_steps_of_levels_are_torchvisions() -> None:
    x = photos(2, 3)
    for code, theirs in (
        (Code.INVERT, F.invert),
        (Code.SOLARIZE, lambda p: F.solarize(p, 100)),
        (Code.POSTERIZE, lambda p: F.posterize(p, 3)),
        (Code.AUTOCONTRAST, F.autocontrast),
        (Code.EQUALIZE, F.equalize),
        (Code.GRAYSCALE, lambda p: F.rgb_to_grayscale(p, 3)),
    ):
        ours = color_finish(x, program_of(code, batch=2))
        assert (ours.int() - theirs(x).int()).abs().max() <= (1 if code == Code.AUTOCONTRAST else 0)


def test_any_order_of_steps_from_uint8_has_the_references_bits() -> None:
    x = photos(24, 3)
    program = random_program(24, x.dtype)
    mask = torch.arange(24) % 2 == 0
    flips = {"hflip": mask, "vflip": torch.arange(24) % 3 == 0}
    assert torch.equal(color_finish(x, program, **flips), color_finish_torch(x, program, **flips))
    both = [f(x, program, **flips, **FINISH) for f in (color_finish, color_finish_torch)]
    assert torch.equal(*both)


def test_jitter_of_floats_is_the_reference_within_the_stated_tolerance() -> None:
    x = photos(12, 3).float() / 255
    program = ColorJitter(0.4, 0.4, 0.4, 0.1).program(Draws(0, 0, torch.arange(12)), x.dtype)
    ours, theirs = color_finish(x, program), color_finish_torch(x, program)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_neighbours_layout_and_threads_do_not_matter(dtype: torch.dtype) -> None:
    x = photos(8, 3)
    x = x if dtype == torch.uint8 else x.float() / 255
    program = random_program(8, dtype)
    whole = color_finish(x, program)
    for i in range(8):
        one = Program(program.codes[i : i + 1], program.amounts[i : i + 1])
        assert torch.equal(color_finish(x[i : i + 1], one)[0], whole[i])
    last = x.contiguous(memory_format=torch.channels_last)
    turned = color_finish(last, program)
    assert torch.equal(turned, whole)
    assert turned.is_contiguous(memory_format=torch.channels_last)
    wide = torch.nn.functional.pad(x, (3, 2, 1, 4))[:, :, 1:-4, 3:-2]
    assert torch.equal(color_finish(wide, program), whole)
    ragged = Ragged.from_list(list(x))
    assert all(torch.equal(a, b) for a, b in zip(color_finish(ragged, program), whole, strict=True))
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            assert torch.equal(color_finish(x, program), whole)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (3, 2000)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    x = torch.randint(0, 256, (5, 3, *size), dtype=torch.uint8)
    program = random_program(5, x.dtype)
    flips = {"hflip": torch.ones(5, dtype=torch.bool)}
    both = [f(x, program, **flips, **FINISH) for f in (color_finish, color_finish_torch)]
    assert torch.equal(*both)


def test_ragged_of_many_sizes() -> None:
    items = [torch.randint(0, 256, (3, 5 + i, 9 - i), dtype=torch.uint8) for i in range(6)]
    x = Ragged.from_list(items)
    program = random_program(6, x.dtype)
    both = [f(x, program, **FINISH) for f in (color_finish, color_finish_torch)]
    assert all(torch.equal(a, b) for a, b in zip(*both, strict=True))


def test_what_it_cannot_do_is_left_to_torch() -> None:
    x = torch.rand(2, 3, 4, 4)
    assert not can_run(x.double(), None, None, torch.float64)
    assert not can_run(torch.rand(2, 2, 4, 4), None, None, torch.float32)
    assert not can_run(x.clone().requires_grad_(), None, None, torch.float32)
    assert not can_run(x[:0], None, None, torch.float32)
    with pytest.raises(TransformError, match="float"):
        color_finish((x * 255).byte(), mean=MEAN, std=STD)


def test_a_form_can_be_chosen() -> None:
    assert chosen_form() == "auto"
    with use_form("torch"):
        assert chosen_form() == "torch"
    assert chosen_form() == "auto"
    with pytest.raises(TransformError, match="auto, torch, numba, triton"), use_form("C"):
        pass
