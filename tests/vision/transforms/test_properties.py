"""What holds for every picture transform, whatever it does: forms, layouts, empty batches, errors.

The transforms are listed in ``tests/support/vision_cases.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.vision_cases import ELSEWHERE, FLOATS_ONLY, OPS, PIXELS_ONLY, UINT8_ONLY

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision import transforms as T

every = pytest.mark.parametrize("op", OPS, ids=lambda op: type(op).__name__)
some = settings(max_examples=12)
DTYPES = (torch.uint8, torch.float32, torch.float64, torch.float16)

SIZE_DRAWN = {
    *("RandomResize", "RandomRotation", "RandomShortestSize", "RandomZoomOut", "ScaleJitter"),
}


def name(op: Any) -> str:
    return type(op).__name__


def draws(n: int) -> Draws:
    return Draws(7, 1, torch.arange(n) * 5)


def alone(i: int) -> Draws:
    return Draws(7, 1, torch.tensor([i * 5]))


def picture(channels: int, height: int, width: int, dtype: torch.dtype, seed: int) -> torch.Tensor:
    noise = torch.Generator().manual_seed(seed)
    levels = torch.randint(0, 256, (channels, height, width), generator=noise)
    return levels.to(torch.uint8) if dtype == torch.uint8 else (levels / 255).to(dtype)


def dtypes_of(op: Any) -> tuple[torch.dtype, ...]:
    kinds = DTYPES[:1] if name(op) in UINT8_ONLY else DTYPES
    return tuple(d for d in kinds if name(op) not in FLOATS_ONLY or d != torch.uint8)


@st.composite
def batches(draw: Any, op: Any) -> list[torch.Tensor]:
    """Pictures of several sizes, some of them tiny."""
    dtype, channels = draw(st.sampled_from(dtypes_of(op))), draw(st.sampled_from([1, 3]))
    side = st.one_of(st.integers(9, 24), st.integers(1, 3)) if draw(st.booleans()) else st.just(12)
    shapes = draw(st.lists(st.tuples(side, side), min_size=1, max_size=4))
    return [picture(channels, h, w, dtype, seed) for seed, (h, w) in enumerate(shapes)]


def crops(out: Any) -> tuple[Any, ...]:
    """What came out, as a tuple: several crops, or the one batch."""
    return out if isinstance(out, tuple) else (out,)


def close(a: Any, b: Any) -> bool:
    """Equal sizes and dtypes, and values within a rounding."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    limit = {torch.uint8: 1, torch.float16: 2e-3}.get(a.dtype, 1e-5)
    return a.numel() == 0 or bool((a.double() - b.double()).abs().max() <= limit)


def tried(op: Any, x: Any, numbers: Draws) -> tuple[Any, ...] | None:
    """The result; None where the transform says that it does not take these."""
    try:
        return crops(op(x, numbers))
    except TransformError:
        return None


def test_every_transform_is_a_case() -> None:
    listed = {name(op) for op in OPS}
    assert not listed & set(ELSEWHERE)
    assert listed | set(ELSEWHERE) == set(T.__all__)


@every
@given(data=st.data())
@some
def test_a_batch_is_its_pictures_one_by_one(op: Any, data: Any) -> None:
    """Ragged and dense, of one and of many, and the input stays as it was."""
    items = data.draw(batches(op))
    want = [tried(op, item[None], alone(i)) for i, item in enumerate(items)]
    forms: list[Any] = [Ragged.from_list(items)]
    if len({item.shape for item in items}) == 1:
        forms.append(torch.stack(items))
    for x in forms:
        before = [p.clone() for p in x]
        out = tried(op, x, draws(len(x)))
        assert all(torch.equal(a, b) for a, b in zip(before, x, strict=True))
        if out is None or None in want:
            assert out is None and None in want  # one that is refused refuses the batch
            continue
        for number, batch in enumerate(out):
            assert len(batch) == len(items)
            assert all(close(p, w[number][0]) for p, w in zip(batch, want, strict=True))


@every
@given(data=st.data())
@some
def test_memory_layouts_give_the_same(op: Any, data: Any) -> None:
    dtype, n = data.draw(st.sampled_from(dtypes_of(op))), data.draw(st.integers(1, 3))
    height, width = data.draw(st.tuples(st.integers(10, 20), st.integers(10, 20)))
    x = torch.stack([picture(3, height, width, dtype, seed) for seed in range(n)])
    want = crops(op(x, draws(n)))
    wide = torch.zeros(n, 5, height + 2, 2 * width + 1, dtype=dtype)
    inside = wide[:, 1:4, 2:, 1::2]
    inside.copy_(x)
    last = x.to(memory_format=torch.channels_last)
    turned = x.transpose(2, 3).contiguous().transpose(2, 3)
    batch_last = x.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2)
    forms: list[Any] = [inside, last, turned, batch_last, Ragged.from_list(list(last))]
    for form in forms:
        before = [p.clone() for p in form]
        for a, b in zip(crops(op(form, draws(n))), want, strict=True):
            assert all(close(p, q) for p, q in zip(a, b, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(before, form, strict=True))
    repeated = x[:1].expand(3, -1, -1, -1)  # three samples in the memory of one
    for a, b in zip(
        crops(op(repeated, draws(3))), crops(op(repeated.clone(), draws(3))), strict=True
    ):
        assert all(close(p, q) for p, q in zip(a, b, strict=True))


@every
def test_no_samples_in_no_samples_out(op: Any) -> None:
    for dtype in dtypes_of(op):
        full = torch.stack([picture(3, 16, 16, dtype, 0)])
        for one, none in zip(crops(op(full, draws(1))), crops(op(full[:0], draws(0))), strict=True):
            assert len(none) == 0
            assert none.dtype == one.dtype
            if name(op) in SIZE_DRAWN:
                assert none.shape[1] == one.shape[1]
            else:
                assert none.shape[1:] == one.shape[1:]
        empty = op(Ragged.from_list([full[0]])[0:0], draws(0))
        assert all(len(part) == 0 for part in crops(empty))


@every
@pytest.mark.parametrize(
    ("wrong", "came"),
    [
        (torch.zeros(3, 12, 12), r"\(3, 12, 12\)"),
        (torch.zeros(12, 12), r"\(12, 12\)"),
        ([torch.zeros(3, 12, 12)], "list"),
        (Image.new("RGB", (12, 12)), "Image"),
        (np.zeros((2, 3, 12, 12), np.float32), "ndarray"),
        ("picture.jpg", "str"),
        (None, "None"),
    ],
    ids=["one picture", "one plane", "list", "Pillow", "array", "name", "nothing"],
)
def test_what_is_no_batch_is_refused(op: Any, wrong: Any, came: str) -> None:
    if name(op) in ("Identity", "Lambda"):
        return  # these take anything
    with pytest.raises(TransformError, match=came):
        op(wrong)


@pytest.mark.parametrize("op", [op for op in OPS if name(op) in PIXELS_ONLY], ids=name)
def test_other_dtypes_are_refused(op: Any) -> None:
    kinds = [torch.int64, torch.bool, torch.complex64]
    kinds += [torch.float32] if name(op) in UINT8_ONLY else []
    kinds += [torch.uint8] if name(op) in FLOATS_ONLY else []
    for dtype in kinds:
        with pytest.raises(TransformError, match=f"{name(op)} takes .*got {str(dtype)[6:]}"):
            op(torch.zeros(2, 3, 12, 12).to(dtype), draws(2))


@every
def test_a_mapping_needs_the_field(op: Any) -> None:
    if name(op) in ("RandomApply", "RandomChoice", "RandomOrder"):
        return  # their steps say so
    with pytest.raises(TransformError, match=r"'image'.*'picture'"):
        op({"picture": torch.zeros(2, 3, 12, 12)}, draws(2))
