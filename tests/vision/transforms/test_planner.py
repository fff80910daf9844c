"""A planned pipeline gives what its steps give one after the other."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision import transforms as T

TRAIN = [
    T.RandomResizedCrop(24),
    T.RandomHorizontalFlip(),
    T.ColorJitter(0.4, 0.4, 0.4, 0.1),
    T.ToDtype("float32", scale=True),
    T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
]
EVAL = [
    T.Resize(32),
    T.CenterCrop(24),
    T.ToDtype("float32", scale=True),
    T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
]
STEPS = [
    T.Resize(20),
    T.Resize((17, 23)),
    T.Resize((9, 40), interpolation="bicubic"),
    T.Resize(15, interpolation="nearest"),
    T.Resize((12, 13), antialias=False),
    T.RandomResizedCrop((14, 11)),
    T.RandomResizedCrop(9, antialias=False),
    T.CenterCrop(9),
    T.CenterCrop((40, 8)),
    T.RandomCrop(7),
    T.RandomCrop((8, 6), padding=2),
    T.RandomHorizontalFlip(),
    T.RandomHorizontalFlip(1.0),
    T.ColorJitter(brightness=0.3),
    T.ColorJitter(0.2, 0.2, 0.2, 0.05),
    T.Pad(1),
    T.ToDtype("float32", scale=True),
    T.ToDtype("float32"),
    T.ToDtype("uint8"),
    T.Normalize((0.5,), (0.25,)),
    T.Normalize((0.4, 0.5, 0.6), (0.2, 0.3, 0.25)),
]


def draws(n: int, seed: int = 5) -> Draws:
    return Draws(seed=seed, epoch=2, ids=torch.arange(n) * 3)


def pictures(kind: str, dtype: torch.dtype = torch.uint8, n: int = 4, channels: int = 3) -> Any:
    """Smooth pictures with some noise, so that a rounding is not magnified by colour steps."""
    generator = torch.Generator().manual_seed(n)

    def one(height: int, width: int) -> torch.Tensor:
        y, x = torch.linspace(0.2, 1, height)[:, None], torch.linspace(0.1, 1, width)
        base = torch.stack([(y * x) ** (c + 0.7) for c in range(channels)])
        noisy = 0.8 * base + 0.2 * torch.rand(base.shape, generator=generator)
        picture = (noisy * 255).to(torch.uint8) if dtype == torch.uint8 else noisy.to(dtype)
        return picture.permute(1, 2, 0).contiguous().permute(2, 0, 1) if "last" in kind else picture

    sizes = [(21 + 3 * i, 30 - 5 * (i % 3)) for i in range(n)]
    if "ragged" in kind:
        return Ragged.from_list([one(*size) for size in sizes])
    return torch.stack([one(21, 26) for _ in range(n)])


def difference(a: Any, b: Any) -> float:
    """The largest difference of two batches of one form, dtype and sizes."""
    assert type(a) is type(b)
    assert a.dtype == b.dtype
    if isinstance(a, Ragged):
        assert a.host_shapes.tolist() == b.host_shapes.tolist()
        return max(difference(p, q) for p, q in zip(a, b, strict=True))
    assert a.shape == b.shape
    return float((a.double() - b.double()).abs().max()) if a.numel() else 0.0


def both(steps: list[Any], x: Any, n: int) -> tuple[Any, Any]:
    """The planned result and that of the steps; of a refusal, its text."""
    done = []
    for fuse in (True, False):
        try:
            done.append(T.Compose(steps, fuse=fuse)(x, draws(n)))
        except TransformError as error:
            done.append(str(error))
    return done[0], done[1]


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=6),
    kind=st.sampled_from(["dense", "dense last", "ragged", "ragged last"]),
    dtype=st.sampled_from([torch.uint8, torch.float32, torch.float64, torch.float16]),
    n=st.sampled_from([0, 1, 4]),
    channels=st.sampled_from([1, 3, 4]),
)
def test_any_pipeline_gives_what_its_steps_give(steps, kind, dtype, n, channels):
    if n == 0 and "ragged" in kind:
        return
    x = pictures(kind, dtype, n, channels) if n else torch.zeros(0, channels, 21, 26, dtype=dtype)
    planned, plain = both(steps, x, n)
    if isinstance(plain, str):
        assert planned == plain
        return
    # what a level of uint8 before the colour steps and the type becomes behind them
    colour = sum(isinstance(s, T.ColorJitter) for s in steps)
    level = 1.0 if planned.dtype == torch.uint8 or not any(_scaled(s) for s in steps) else 1 / 255
    steep = max([1.0] + [1 / min(s.std) for s in steps if isinstance(s, T.Normalize)])
    twice = 1.0 + sum(isinstance(s, T.Normalize) for s in steps) * 4
    exact = dtype != torch.uint8 and not any(s == T.ToDtype("uint8") for s in steps)
    limit = (2e-5 if exact else level * (1 + 9 * colour)) * steep * twice
    assert difference(planned, plain) <= limit + 1e-5


def _scaled(step: Any) -> bool:
    return isinstance(step, T.ToDtype) and step.scale


@pytest.mark.parametrize("kind", ["dense", "dense last", "ragged", "ragged last"])
@pytest.mark.parametrize("steps", [EVAL, TRAIN], ids=["eval", "train"])
def test_recipes_give_what_their_steps_give(steps, kind):
    planned, plain = both(steps, pictures(kind), 4)
    # hue of nearly grey pixels turns a level into some; the others agree to the last bits
    assert difference(planned, plain) < (1e-5 if steps is EVAL else 0.2)


@pytest.mark.parametrize("flips", [[], [T.RandomHorizontalFlip(1.0)], [T.RandomHorizontalFlip()]])
@pytest.mark.parametrize("crop", [T.CenterCrop((9, 14)), T.RandomCrop(11), T.CenterCrop(16)])
def test_only_the_window_of_a_resize_is_computed_and_equals_the_whole(crop, flips):
    for steps in ([T.Resize(16), crop, *flips], [T.Resize(16), *flips, crop], [crop, T.Resize(8)]):
        for kind in ("dense", "ragged last"):
            planned, plain = both(steps, pictures(kind), 4)
            assert difference(planned, plain) == 0


def test_a_sample_is_the_same_alone():
    x = pictures("ragged last")
    together = T.Compose(TRAIN)(x, draws(4))
    for i in range(4):
        alone = T.Compose(TRAIN)(x[i][None], Draws(5, 2, draws(4).ids[i : i + 1]))
        assert difference(alone[0], together[i]) < 1e-5


def test_plans_say_what_joins_and_why_not():
    assert str(T.Compose(EVAL).plan()).splitlines() == [
        "1. Resize + CenterCrop  [torch; geometry]: one window per picture",
        "2. ToDtype + Normalize  [numba; pointwise]",
    ]
    assert str(T.Compose(TRAIN).plan()).splitlines() == [
        "1. RandomResizedCrop  [torch; geometry, a draw per sample]",
        "2. RandomHorizontalFlip + ColorJitter + ToDtype + Normalize  "
        "[numba; geometry, color, pointwise, a draw per sample]",
    ]
    twice = T.Compose([T.Resize(9), T.RandomResizedCrop(5)]).plan()
    assert "RandomResizedCrop resamples again, and two filters are not one" in str(twice)
    bordered = T.Compose([T.RandomCrop(32, padding=4), T.CenterCrop(30)]).plan()
    assert "adds a border" in str(bordered)
    assert len(T.Compose(EVAL, fuse=False).plan().passes) == 4


def test_mappings_videos_and_functions_keep_working():
    x = pictures("dense")
    made = T.Compose(EVAL)({"image": x, "label": torch.arange(4)}, draws(4))
    assert torch.equal(made["image"], T.Compose(EVAL)(x, draws(4)))
    assert made["label"].tolist() == [0, 1, 2, 3]
    with pytest.raises(TransformError, match="works on 'image'"):
        T.Compose(EVAL)({"picture": x}, draws(4))
    with pytest.raises(TransformError, match="draws for 3 samples"):
        T.Compose(EVAL)(x, draws(3))
    clips = torch.stack([x, x], 1)
    frames = T.Compose(TRAIN)(clips, draws(4))
    assert frames.shape == (4, 2, 3, 24, 24)
    assert torch.equal(frames[:, 0], frames[:, 1])
    own = T.Compose([*EVAL[:2], lambda batch, _draws: batch, *EVAL[2:]])
    assert torch.equal(own(x, draws(4)), T.Compose(EVAL)(x, draws(4)))
    assert "function" in str(own.plan())


def test_boxes_follow_a_planned_pipeline():
    batch = {"image": pictures("dense"), "boxes": [torch.tensor([[2.0, 3.0, 9.0, 12.0]])] * 4}
    planned = T.Compose(TRAIN)(batch, draws(4))
    plain = T.Compose(TRAIN, fuse=False)(batch, draws(4))
    for a, b in zip(planned["boxes"], plain["boxes"], strict=True):
        assert torch.equal(a, b)


def test_gradients_and_pickles():
    x = pictures("dense", torch.float32).requires_grad_()
    T.Compose([T.Resize(16), T.CenterCrop(9), T.Normalize((0.5,), (0.5,))])(x).sum().backward()
    assert float(x.grad.abs().sum()) > 0
    pipeline = T.Compose(TRAIN, name="own/recipe-1")
    pipeline.plan()
    again = pickle.loads(pickle.dumps(pipeline))
    assert again == pipeline
    assert again.plan() == pipeline.plan()
