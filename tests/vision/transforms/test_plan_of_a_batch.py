"""``Compose.plan(batch)`` says how each pass goes for this very batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.pictures import photos, varied

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Compose, Pass
from domainkit.vision import transforms as T
from domainkit.vision.transforms import _finish_pass, _window_pass
from domainkit.vision.transforms.kernels.forms import use_form

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
STEPS = [
    *(T.Resize(48), T.CenterCrop(40), T.RandomHorizontalFlip(), T.ColorJitter(0.4)),
    *(T.ToDtype("float32", scale=True), T.Normalize(MEAN, STD)),
]
WINDOW, FINISH = "Resize + CenterCrop", "RandomHorizontalFlip + ColorJitter + ToDtype + Normalize"


def lines(batch: Any, steps: list[Any] = STEPS) -> list[str]:
    return [line.split(". ", 1)[1] for line in str(Compose(steps).plan(batch)).splitlines()]


@pytest.mark.parametrize("x", [photos(3), varied(3), {"image": photos(3), "label": [0, 1, 2]}])
def test_plain_pictures_go_as_planned(x: Any) -> None:
    assert lines(x) == [line.split(". ", 1)[1] for line in str(Compose(STEPS).plan()).splitlines()]
    assert "numba" in lines(x)[1]


@pytest.mark.parametrize(
    ("batch", "why"),
    [
        (photos(3, dtype=torch.float64), "pictures are float64, not uint8 or float32"),
        (photos(4).view(2, 2, 3, 96, 120), "clips share their draws"),
        ({"image": photos(2), "boxes": torch.zeros(2, 1, 4)}, "'boxes' of the batch may move"),
        (photos(2).float().div(255).requires_grad_(), "gradients are wanted"),
        (photos(3)[:0], "there are no pixels"),
    ],
    ids=["float64", "clips", "boxes", "gradients", "empty"],
)
def test_it_says_what_goes_step_by_step_and_why(batch: Any, why: str) -> None:
    window, finish = lines(batch)
    assert window.startswith(f"{WINDOW}  [step by step; geometry]: {why}")
    # gradients are gone where the finish gets its own batch only if the window cut them
    assert finish.startswith(f"{FINISH}  [step by step;") and why in finish


def test_reasons_that_lie_in_the_steps() -> None:
    wide = lines(photos(2), [T.CenterCrop(200), T.Resize(50)])
    assert wide == [
        "CenterCrop + Resize  [step by step; geometry]: a window reaches outside of its picture"
    ]
    mixed = Ragged.from_list([photos(1)[0], photos(1, 1)[0]])
    assert "differ in their number of channels" in lines(mixed, [T.Resize(40), T.CenterCrop(30)])[0]
    grey = lines(photos(2, 1).repeat(1, 2, 1, 1), [T.ToDtype("float32", True), T.Normalize(0.5, 1)])
    assert grey == ["ToDtype + Normalize  [torch; pointwise]"]  # two channels are nothing for Numba
    half = lines(photos(2), [T.RandomInvert(), T.ToDtype("float16", True)])
    assert half[0].startswith("RandomInvert + ToDtype  [torch;")
    alone = lines(photos(2, dtype=torch.float64), [T.ColorJitter(0.4)])
    assert alone[0].startswith("ColorJitter  [torch;")
    with use_form("torch"):
        assert "[torch;" in lines(photos(2))[1]


@pytest.mark.parametrize(
    "batch",
    [photos(3), varied(3), photos(2, dtype=torch.float64), {"image": photos(2), "boxes": [1, 2]}],
)
def test_what_it_says_is_what_is_done(batch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that says to run at once has called its kernels, another has not."""
    calls: list[str] = []

    def spied(name: str, real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return real(*args, **kwargs)

        return call

    for module, name in ((_finish_pass, "color_finish"), (_window_pass, "resize_window")):
        monkeypatch.setattr(module, name, spied(name, getattr(module, name)))
    pipeline = Compose(STEPS)
    if isinstance(batch, dict):
        batch = {**batch, "boxes": torch.zeros(2, 1, 4)}
    said = ["step by step" not in str(one) for one in pipeline.plan(batch).passes]
    calls.clear()
    pipeline(batch, Draws(0, 0, torch.arange(3 if len(batch) == 3 else 2)))
    assert said == ["resize_window" in calls, "color_finish" in calls]


def test_it_leaves_no_trace() -> None:
    pipeline, x = Compose(STEPS), photos(3)
    before, state = x.clone(), torch.get_rng_state()
    plain = pipeline.plan()
    pipeline.plan(x)
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)
    pipeline.plan(x.double() / 255)
    assert pipeline.plan() == plain  # what one batch needs is not kept for the next


def test_steps_of_other_domains_and_errors() -> None:
    def double(batch: Any, _draws: Any) -> Any:
        return batch * 2

    plan = Compose([double]).plan(torch.ones(2, 3))
    assert plan.passes == (Pass((double,), "torch", ops=(0,)),)
    with pytest.raises(TransformError, match="CenterCrop takes"):
        Compose(STEPS[1:]).plan(torch.zeros(3, 4))
