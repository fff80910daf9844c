"""RandomApply, RandomChoice and RandomOrder against their own steps run by hand on each sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import scipy.stats
import torch
from support.pictures import check_alone_or_together, photos, varied

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import (
    CenterCrop,
    ColorJitter,
    Compose,
    CutMix,
    Identity,
    Lambda,
    MixUp,
    Normalize,
    RandomApply,
    RandomChoice,
    RandomHorizontalFlip,
    RandomOrder,
    Resize,
    ToDtype,
)

JITTER, FLIP = ColorJitter(0.4, 0.4, 0.4, 0.1), RandomHorizontalFlip(0.5)


def blacken(x: Any) -> Any:
    values = torch.zeros_like(x.values if isinstance(x, Ragged) else x)
    return x.with_values(values) if isinstance(x, Ragged) else values


BLACK = Lambda(blacken, "black")
DRAWS = Draws(3, 1, torch.arange(16) * 7)
ALL = [
    RandomApply([JITTER, FLIP], p=0.4),
    RandomChoice([JITTER, FLIP, Identity()], p=[1, 2, 1]),
    RandomOrder([JITTER, FLIP, BLACK]),
    RandomApply([RandomChoice([RandomOrder([JITTER, FLIP]), FLIP])]),
]


def one(draws: Draws, i: int) -> Draws:
    return replace(draws, ids=draws.ids[i : i + 1])


def test_apply_runs_its_steps_on_those_drawn() -> None:
    op, x = ALL[0], photos(16)
    out, mask = op(x, DRAWS), op.mask(DRAWS)
    assert 0 < mask.sum() < 16
    for i, yes in enumerate(mask):
        inner = one(DRAWS, i).at(1)
        expected = FLIP(JITTER(x[i : i + 1], inner.at(0)), inner.at(1)) if yes else x[i : i + 1]
        assert torch.equal(out[i : i + 1], expected)
    assert torch.equal(x, photos(16))
    assert RandomApply([JITTER], p=0.0)(x, DRAWS) is x
    always = RandomApply([JITTER], p=1.0)(x, DRAWS)
    assert torch.equal(always, JITTER(x, DRAWS.at(1).at(0)))


def test_choice_runs_the_one_drawn() -> None:
    op, x = ALL[1], photos(16)
    out, choice = op(x, DRAWS), op.choice(DRAWS)
    assert len(choice.unique()) == 3
    for i, which in enumerate(choice.tolist()):
        step = op.transforms[which]
        assert torch.equal(out[i : i + 1], step(x[i : i + 1], one(DRAWS, i).at(which + 1)))


def test_order_runs_all_in_the_order_drawn() -> None:
    op, x = RandomOrder([JITTER, FLIP, RandomApply([BLACK], 0.2)]), photos(16)
    out, order = op(x, DRAWS), op.order(DRAWS)
    assert len({tuple(row) for row in order.tolist()}) > 3
    for i, row in enumerate(order.tolist()):
        expected = x[i : i + 1]
        for which in row:
            expected = op.transforms[which](expected, one(DRAWS, i).at(which + 1))
        assert torch.equal(out[i : i + 1], expected)


@pytest.mark.parametrize("op", ALL, ids=["apply", "choice", "order", "nested"])
@pytest.mark.parametrize("depth", [0, 1])
def test_alone_or_together(op: Any, depth: int) -> None:
    check_alone_or_together(op if depth == 0 else Compose([FLIP, op]), photos(7))  # type: ignore[arg-type]
    check_alone_or_together(op if depth == 0 else Compose([FLIP, op]), varied(7))  # type: ignore[arg-type]


@pytest.mark.parametrize("op", ALL, ids=["apply", "choice", "order", "nested"])
def test_forms_of_the_input(op: Any) -> None:
    x = photos(16)
    out = op(x, DRAWS)
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(op(last, DRAWS), out)
    assert op(x[:0]).shape == (0, 3, 96, 120)
    assert op(x[:1]).shape == (1, 3, 96, 120)
    assert len(op(varied(3)[0:0])) == 0
    torch.manual_seed(1)
    first = op(x)
    torch.manual_seed(1)
    assert torch.equal(op(x), first)


def test_clips_have_one_choice() -> None:
    x = photos(16)
    clips = x[:, None].expand(-1, 2, -1, -1, -1)
    for op in (RandomApply([JITTER], 0.5), RandomChoice([JITTER, BLACK])):
        assert torch.equal(op(clips, DRAWS)[:, 1], op(x, DRAWS))


def test_fields_go_along_with_their_samples() -> None:
    def marked(batch: Any, draws: Draws) -> Any:
        return {**batch, "label": batch["label"] + 100, "name": [n + "!" for n in batch["name"]]}

    boxes = Ragged.from_list([torch.full((i % 3, 4), float(i)) for i in range(16)], inner=1)
    batch = {
        "image": photos(16),
        "label": torch.arange(16),
        "name": [f"n{i}" for i in range(16)],
        "boxes": boxes,
        "set": "train",
    }
    op = RandomApply([marked], p=0.4)
    out, mask = op(batch, DRAWS), op.mask(DRAWS)
    assert out["set"] == "train" and out["boxes"].inner == (4,)
    assert out["label"].tolist() == [i + 100 * int(mask[i]) for i in range(16)]
    assert out["name"] == [f"n{i}" + "!" * int(mask[i]) for i in range(16)]
    assert all(torch.equal(a, b) for a, b in zip(out["boxes"], boxes, strict=True))


def test_ragged_may_change_size() -> None:
    x = varied(7)
    draws = Draws(0, 0, torch.arange(7))
    out = RandomApply([CenterCrop(40)], p=0.5)(x, draws)
    mask = RandomApply([CenterCrop(40)], p=0.5).mask(draws)
    assert isinstance(out, Ragged) and 0 < mask.sum() < 7
    for i, yes in enumerate(mask):
        assert torch.equal(out[i], CenterCrop(40)(x[i : i + 1])[0] if yes else x[i])
    both = RandomChoice([CenterCrop(40), Resize((40, 40))])(x, draws)
    assert isinstance(both, torch.Tensor) and both.shape == (7, 3, 40, 40)
    halves = RandomChoice([CenterCrop(40), Resize((30, 40))])(x, draws)
    assert isinstance(halves, Ragged)


def test_a_choice_of_mixing_keeps_the_partners() -> None:
    x = photos(16, 3, torch.float32)
    batch = {"image": x, "label": torch.arange(16) % 5}
    up, cut = MixUp(0.4, 5), CutMix(1.0, 5)
    op = RandomChoice([up, cut])
    out, choice = op(batch, DRAWS), op.choice(DRAWS)
    for i, which in enumerate(choice.tolist()):
        step = (up, cut)[which](batch, DRAWS.at(which + 1))
        assert torch.equal(out["image"][i], step["image"][i])
        assert torch.equal(out["label"][i], step["label"][i])


def test_the_laws() -> None:
    draws = Draws(0, 0, torch.arange(6000))
    share = int(RandomApply([FLIP], 0.3).mask(draws).sum())
    assert scipy.stats.binomtest(share, 6000, 0.3).pvalue > 0.01
    seen = torch.bincount(RandomChoice([FLIP] * 3, [2, 0, 6]).choice(draws), minlength=3)
    assert seen[1] == 0
    assert scipy.stats.chisquare(seen[[0, 2]].numpy(), [1500, 4500]).pvalue > 0.01
    order = RandomOrder([FLIP] * 3).order(draws)
    counts = torch.unique(order, dim=0, return_counts=True)[1]
    assert len(counts) == 6 and scipy.stats.chisquare(counts.numpy()).pvalue > 0.01


def test_an_inner_draw_is_not_the_outer_one() -> None:
    # with one number for both, every sample that is drawn at 0.5 would be mirrored
    draws = Draws(0, 0, torch.arange(4000))
    x = torch.arange(2.0).expand(4000, 1, 1, 2)
    for own in (draws, draws.at(0), draws.at(3).at(0)):
        changed = RandomApply([FLIP], 0.5)(x, own)[:, 0, 0, 0] == 1
        assert scipy.stats.binomtest(int(changed.sum()), 4000, 0.25).pvalue > 0.01


def test_a_recipe_names_its_steps() -> None:
    op = RandomApply([{"op": "ColorJitter", "brightness": 0.4}], p=0.8)
    assert op == RandomApply([ColorJitter(0.4)], p=0.8)
    assert repr(op).startswith("RandomApply(transforms=(ColorJitter(")


def test_lambda_and_identity() -> None:
    x = photos(2)
    assert Identity()(x) is x
    assert torch.equal(Lambda(lambda v: 255 - v)(x), 255 - x)
    assert repr(BLACK) == "Lambda(black)" and "neg" in repr(Lambda(torch.neg))


def test_wrong_use() -> None:
    x = photos(8)
    bad: list[tuple[Callable[[], Any], str]] = [
        (lambda: RandomApply([], 0.5), "not empty"),
        (lambda: RandomApply(FLIP, 0.5), "must be a list"),  # type: ignore[arg-type]
        (lambda: RandomApply([3], 0.5), "got int"),
        (lambda: RandomApply([{"op": "Nothing"}]), "no transform 'Nothing'"),
        (lambda: RandomApply([FLIP], 1.5), "p must be in"),
        (lambda: RandomChoice([FLIP], [1, 2]), "1 weights"),
        (lambda: RandomChoice([FLIP], [0]), "not all 0"),
        (lambda: RandomOrder([MixUp(), CutMix()]), "one place"),
        (lambda: RandomApply([CenterCrop(8)])(x, Draws(0, 0, torch.arange(8))), "keep size"),
        (lambda: RandomApply([ToDtype("float32")])(x, Draws(0, 0, torch.arange(8))), "keep size"),
        (lambda: RandomApply([FLIP])(x, Draws(0, 0, torch.arange(3))), "draws for 3"),
        (lambda: Lambda(3), "callable"),  # type: ignore[arg-type]
        (lambda: Lambda(lambda v: v[:1], "first")(x), r"Lambda\(first\) must give back 8"),
        (lambda: Lambda(lambda v: None)(x), "got NoneType"),
    ]
    for call, message in bad:
        with pytest.raises(TransformError, match=message):
            call()
    plan = str(Compose([ALL[0], Normalize((0.5,), (0.5,))]).plan())
    assert "RandomApply" in plan
