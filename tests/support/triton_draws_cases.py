"""Cases of kernels/_triton_draws.py; run by tests/vision/transforms/kernels."""

from __future__ import annotations

import pytest
import torch
from support.triton_cases import DEVICE

from domainkit.draws import Draws
from domainkit.vision.transforms.kernels import _triton_draws as triton_draws


@pytest.mark.parametrize(
    ("seed", "epoch", "op", "start"),
    [(0, 0, 0, 0), (1, 1, 1, 1), (-5, 2**32 - 1, 0xFFFE, 6), (2**63 + 12345678901, 7, 3, 3)],
)
def test_numbers_are_those_of_draws(seed, epoch, op, start):
    ids = torch.tensor([0, 1, 2, 12345678, 2**32 - 1, 2**32, 2**48 - 1])
    draws = Draws(seed, epoch, ids, op)
    here = Draws(seed, epoch, ids.to(DEVICE), op)
    assert torch.equal(triton_draws.bits(here, 11, start=start).cpu(), draws.bits(11, start=start))
    got = triton_draws.uniform(here, 43, start=start)
    assert torch.equal(got.cpu(), draws.uniform(43, start=start))


def test_no_samples():
    none = Draws(0, 0, torch.zeros(0, dtype=torch.int64, device=DEVICE))
    assert triton_draws.bits(none, 4).shape == (0, 4)
