"""Parts of a batch in threads: all of it once, and what holds for the caller holds there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from domainkit.vision import transforms as T
from domainkit.vision.transforms.kernels.forms import chosen_form, use_form
from domainkit.vision.transforms.kernels.pool import in_parts


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_every_sample_is_done_once_by_as_many_threads(threads: int) -> None:
    seen: list[tuple[int, int, int]] = []
    in_parts(lambda a, b: seen.append((a, b, threading.get_ident())), [1 << 18] * 7)
    assert sorted(i for a, b, _ in seen for i in range(a, b)) == list(range(7))
    assert len(seen) == threads
    assert threading.get_ident() in {who for *_, who in seen}


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_the_callers_modes_hold_in_the_threads(threads: int, mode: Any) -> None:
    found: list[tuple[bool, bool, str]] = []

    def modes() -> tuple[bool, bool, str]:
        return torch.is_inference_mode_enabled(), torch.is_grad_enabled(), chosen_form()

    def work(first: int, end: int) -> None:
        found.append(modes())

    with use_form("torch"), mode():
        in_parts(work, [1 << 18] * 6)
        assert found == [modes()] * threads


def test_an_error_in_a_thread_comes_out(threads: int) -> None:
    def work(first: int, end: int) -> None:
        if end == 6:
            raise ValueError("the last part")

    with pytest.raises(ValueError, match="the last part"):
        in_parts(work, [1 << 18] * 6)


def test_a_pipeline_under_inference_mode(threads: int) -> None:
    x = torch.randint(0, 256, (8, 3, 300, 280), dtype=torch.uint8)
    pipeline = T.Compose(
        [
            T.Resize(256),
            T.CenterCrop(224),
            T.ColorJitter((1.2, 1.2), (0.8, 0.8)),
            T.ToDtype("float32", scale=True),
        ]
    )
    torch.manual_seed(0)
    expected = pipeline(x)
    torch.manual_seed(0)
    with torch.inference_mode():
        made = pipeline(x)
    assert torch.equal(made, expected)


def test_a_warp_is_the_same_by_any_number_of_threads(threads: int) -> None:
    x = torch.randint(0, 256, (9, 3, 224, 224), dtype=torch.uint8)
    op = T.Rotate(17.0, interpolation="bilinear")
    together = op(x)
    torch.set_num_threads(1)
    assert torch.equal(together, torch.cat([op(x[i : i + 1]) for i in range(9)]))
