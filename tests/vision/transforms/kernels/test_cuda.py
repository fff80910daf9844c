"""The Triton kernels on a GPU: skipped where there is none, and never where there is one."""

from __future__ import annotations

import pytest
import torch

if not torch.cuda.is_available():
    pytest.skip("no GPU here", allow_module_level=True)
pytest.importorskip("triton")

from support.triton_color_cases import *  # noqa: F403  # the same cases, compiled
from support.triton_draws_cases import *  # noqa: F403
from support.triton_resize_cases import *  # noqa: F403
from support.triton_warp_cases import *  # noqa: F403

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.vision.transforms import (
    CenterCrop,
    Compose,
    RandomAffine,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
)
from domainkit.vision.transforms.kernels.forms import use_form

CHAINS = (
    [RandomResizedCrop(24)],
    [RandomResizedCrop(24), RandomHorizontalFlip(0.5)],
    [Resize((40, 50)), CenterCrop(24)],
    [RandomAffine(30)],
)


@pytest.mark.parametrize("steps", CHAINS)
@pytest.mark.parametrize("ragged", [False, True])
def test_chains_are_near_their_torch_form(steps, ragged):
    x = torch.randint(0, 256, (6, 3, 61, 73), dtype=torch.uint8, device="cuda")
    x = Ragged.from_list(list(x)) if ragged else x
    draws, chain = Draws(1, 2, torch.arange(6)), Compose(list(steps))
    got = chain(x, draws)
    with use_form("torch"):
        want = chain(x, draws)
    assert (got.double() - want.double()).abs().max() <= 1
