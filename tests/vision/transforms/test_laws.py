"""Every random transform draws by its documented law, and every draw belongs to its sample.

The table of laws is ``tests/support/vision_laws.py``; exactness of the pixels is tested elsewhere.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.laws import Law
from support.pictures import needs_cuda
from support.vision_laws import LAWS

from domainkit.draws import Draws
from domainkit.vision import transforms as T
from domainkit.vision.transforms.kernels.forms import use_form

RARE = 1e-4  # seeds are fixed, so a right law that passes once passes always
laws = pytest.mark.parametrize("law", LAWS, ids=str)


def look(law: Law, n: int, seed: int = 3, epoch: int = 1, device: str = "cpu") -> np.ndarray:
    ids = torch.arange(n) * 7 + 2**33  # ids need not be the places in a batch
    return np.asarray(law.look(law.op, Draws(seed, epoch, ids), device))


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=True)


def test_every_random_transform_has_its_law() -> None:
    random = {name for name in T.__all__ if getattr(getattr(T, name), "random", False)}
    assert {type(law.op).__name__ for law in LAWS} == random
    names = [str(law) for law in LAWS]
    assert len(set(names)) == len(names)


@laws
def test_it_follows_its_law(law: Law) -> None:
    seen = look(law, law.n)
    assert len(seen) == law.n
    assert law.chance(seen) > RARE


@laws
def test_a_draw_belongs_to_its_sample(law: Law) -> None:
    n = 48
    ids = torch.arange(n) * 7 + 2**33
    whole = look(law, n)
    assert same(look(law, n), whole)
    assert not same(look(law, n, seed=4), whole)
    assert not same(look(law, n, epoch=2), whole)
    assert len(np.unique(whole[~np.isnan(whole)])) > 1  # the samples of a batch differ
    # with other neighbours, at another place
    there = torch.randperm(n, generator=torch.Generator().manual_seed(0))[: n // 3]
    part = law.look(law.op, Draws(3, 1, ids[there]), "cpu")
    assert same(np.asarray(part), whole[there.numpy()])


@laws
@pytest.mark.parametrize("form", ["torch", "numba"])
def test_every_form_draws_the_same(law: Law, form: str) -> None:
    with use_form(form):
        seen = look(law, 32)
    np.testing.assert_allclose(seen, look(law, 32), rtol=1e-3, atol=1e-3)


@needs_cuda
@laws
def test_a_gpu_draws_the_same(law: Law) -> None:
    np.testing.assert_allclose(look(law, 32, device="cuda"), look(law, 32), rtol=1e-3, atol=1e-3)
