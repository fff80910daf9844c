"""The automatic augmentations: torchvision's functions, sample by sample, with the drawn ops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import scipy.stats
import torch
import torchvision.transforms.v2 as V
from support.pictures import check_alone_or_together, needs_cuda, photos, varied

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import AugMix, AutoAugment, RandAugment, TrivialAugmentWide, _auto
from domainkit.vision.transforms._auto import OPS, run_slots, strengths
from domainkit.vision.transforms.aug_mix import _PARTIAL
from domainkit.vision.transforms.aug_mix import _SPACE as MIX_SPACE
from domainkit.vision.transforms.auto_augment import _POLICIES, _table
from domainkit.vision.transforms.kernels.warp import source_points
from domainkit.vision.transforms.rand_augment import SPACE, WIDE

ALL = [AutoAugment(), AutoAugment("svhn"), RandAugment(), TrivialAugmentWide(), AugMix()]
MOVES = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")


def theirs(
    x: torch.Tensor, ops: list[int], values: list[float], interpolation: str, fill: Any
) -> torch.Tensor:
    """torchvision's own dispatch, one operation after the other."""
    run = V.RandAugment()._apply_image_or_video_transform
    for op, value in zip(ops, values, strict=True):
        x = run(x, OPS[op], value, interpolation, {torch.Tensor: fill})
    return x


def half_way(op: torch.Tensor, value: torch.Tensor, size: Any) -> torch.Tensor:
    """bool [H, W]: whose source lies between two pixels (or pixel and fill), but for noise."""
    matrix = _auto.matrices(op, value, torch.tensor([size]))
    return ((source_points(matrix, *size)[0] % 1 + 0.5) % 1 - 0.5).abs().amin(-1) < 1e-3


def close(mine: torch.Tensor, expected: torch.Tensor, share: float, limit: float) -> None:
    apart = (mine.double() - expected.double()).abs()
    assert mine.shape == expected.shape
    assert float((apart > limit).double().mean()) <= share


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("name", OPS)
def test_each_operation_equals_torchvision(name: str, interpolation: str) -> None:
    x = photos(10)
    for space in (SPACE, WIDE, MIX_SPACE):
        if name not in space.ops and name != "Invert":
            continue
        ops = torch.full((10, 1), OPS.index(name))
        steps = torch.arange(10)[:, None]
        values = strengths(space, 10, x, ops, steps=steps, negative=steps % 2 == 0)
        for fill in (None, [10.0, 200.0, 90.0]):
            mine = run_slots(x, ops, values, interpolation, fill)
            for i in range(10):
                args = ops[i].tolist(), values[i].tolist()
                expected = theirs(x[i], *args, interpolation, fill)
                apart = (mine[i].int() - expected.int()).abs() > 1
                if name in MOVES and interpolation == "nearest":
                    apart &= ~half_way(ops[i], values[i], x.shape[2:])
                assert not apart.any()


@pytest.mark.parametrize("name", OPS)
def test_magnitudes_are_torchvisions(name: str) -> None:
    pairs = [
        (SPACE, V.RandAugment._AUGMENTATION_SPACE, 31),
        (replace(SPACE, ops=OPS[1:]), V.AutoAugment._AUGMENTATION_SPACE, 10),
        (WIDE, V.TrivialAugmentWide._AUGMENTATION_SPACE, 31),
        (MIX_SPACE, V.AugMix._AUGMENTATION_SPACE, 10),
        (_PARTIAL, V.AugMix._PARTIAL_AUGMENTATION_SPACE, 10),
    ]
    for space, table, bins in pairs:
        assert set(space.ops) == set(table)
        if name not in table:
            continue
        for height, width in [(96, 120), (33, 7), (1, 224)]:
            function, signed = table[name]
            values = function(bins, height, width)
            expected = torch.zeros(bins) if values is None else values
            op = OPS.index(name)
            assert torch.equal(space.table(bins, height, width)[op], expected.double())
            one = torch.tensor([[op]])
            photo = torch.zeros(1, 3, height, width, dtype=torch.uint8)
            more = {"steps": bins - 1, "negative": torch.tensor([[True]])}
            last = expected[-1].double()
            assert strengths(space, bins, photo, one, **more) == (-last if signed else last)


def test_policies_are_torchvisions() -> None:
    assert set(_POLICIES) == {policy.value for policy in V.AutoAugmentPolicy}
    for policy in V.AutoAugmentPolicy:
        ops, shares, steps = _table(policy.value)
        rows = [
            tuple(
                (OPS[ops[i, j]], round(float(shares[i, j]), 6), int(steps[i, j])) for j in range(2)
            )
            for i in range(len(ops))
        ]
        pairs = V.AutoAugment(policy)._policies
        expected = [tuple((n, p, m or 0) for n, p, m in pair) for pair in pairs]
        assert rows == expected
        assert AutoAugment(policy) == AutoAugment(policy.value)  # type: ignore[arg-type]


@pytest.mark.parametrize("op", [*ALL[:4], RandAugment(4, 20, interpolation="bilinear", fill=99)])
@pytest.mark.parametrize("channels", [1, 3])
def test_whole_transforms_equal_torchvision(op: Any, channels: int) -> None:
    x, draws = photos(24, channels), Draws(2, 0, torch.arange(24))
    ops, values = op.drawn(x, draws)
    out = op(x, draws)
    levels = 0.0
    for i in range(24):
        expected = theirs(x[i], ops[i].tolist(), values[i].tolist(), op.interpolation, op.fill)
        levels += float(((out[i].int() - expected.int()).abs() > 1).double().mean()) / 24
    # one level before Equalize, Posterize or Solarize may be many after it
    assert levels < 5e-3


def test_floating_pictures() -> None:
    x, draws = photos(24, 3, torch.float32), Draws(2, 0, torch.arange(24))
    for op in (RandAugment(), TrivialAugmentWide()):
        ops, values = op.drawn(x, draws)
        out = op(x, draws)
        assert out.dtype == torch.float32
        for i in range(24):
            names = {OPS[n] for n in ops[i].tolist()}
            if names & {"Equalize", "Posterize", "Solarize"} and len(names) > 1:
                continue
            expected = theirs(x[i], ops[i].tolist(), values[i].tolist(), "nearest", None)
            close(out[i], expected, 0.01 if names & set(MOVES) else 0, 1 / 255)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_augmix_equals_torchvision_with_the_same_numbers(dtype: torch.dtype) -> None:
    op, x, draws = AugMix(severity=5), photos(12, 3, dtype), Draws(1, 0, torch.arange(12))
    ops, values, shares = op.drawn(x, draws)
    torch.testing.assert_close(shares.sum(1), torch.ones(12, dtype=torch.float64))
    assert ops.shape == values.shape == (12, 3, 3)
    depths = (ops != 0).sum(2).flatten()
    assert set(depths.tolist()) == {1, 2, 3}
    out = op(x, draws)
    for i in range(12):
        mix = shares[i, 0].float() * x[i]
        for j in range(3):
            args = ops[i, j].tolist(), values[i, j].tolist()
            mix += shares[i, 1 + j].float() * theirs(x[i], *args, "bilinear", None)
        limit = 2 if dtype == torch.uint8 else 2 / 255
        close(out[i], mix.to(dtype), 5e-3, limit)


def test_augmix_arguments_show() -> None:
    x, draws = photos(12), Draws(1, 0, torch.arange(12))
    ops, _, shares = AugMix(mixture_width=2, chain_depth=5, all_ops=False).drawn(x, draws)
    assert ops.shape == (12, 2, 5) and shares.shape == (12, 3)
    assert {OPS[n] for n in ops.flatten().tolist()} <= set(_PARTIAL.ops)


@pytest.mark.parametrize("op", ALL, ids=lambda op: type(op).__name__)
def test_alone_or_together(op: Any) -> None:
    check_alone_or_together(op, photos(7))
    check_alone_or_together(op, photos(7, 1, torch.float32))
    check_alone_or_together(op, varied(7))


@pytest.mark.parametrize("op", ALL, ids=lambda op: type(op).__name__)
def test_forms_of_the_input(op: Any) -> None:
    x, draws = photos(12), Draws(0, 0, torch.arange(12))
    out = op(x, draws)
    assert torch.equal(x, photos(12)) and out.shape == x.shape and out.dtype == x.dtype
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(op(last, draws), out)
    clips = x[:, None].expand(-1, 2, -1, -1, -1)
    assert torch.equal(op(clips, draws)[:, 1], out)
    ragged = Ragged.from_list(list(last))
    assert ragged.channels_last
    assert all(torch.equal(a, b) for a, b in zip(op(ragged, draws), out, strict=True))
    sizes = op(varied(7), Draws(0, 0, torch.arange(7)))
    assert isinstance(sizes, Ragged) and (sizes.host_shapes == varied(7).host_shapes).all()
    assert op(x[:0]).shape == (0, 3, 96, 120)
    assert len(op(varied(3)[0:0])) == 0
    for size in ((1, 1), (1, 7), (5, 1), (3, 3)):
        tiny = torch.randint(0, 256, (16, 3, *size)).byte()
        assert op(tiny).shape == tiny.shape


def test_operations_follow_the_law() -> None:
    x, n = torch.zeros(6000, 1, 1, 1, dtype=torch.uint8), 6000
    draws = Draws(0, 0, torch.arange(n))
    ops, values = RandAugment(2, 9).drawn(x.expand(-1, -1, 50, 50), draws)
    for slot in range(2):
        counts = torch.bincount(ops[:, slot], minlength=14).numpy()
        assert scipy.stats.chisquare(counts).pvalue > 0.01
    both = torch.bincount(ops[:, 0] * 14 + ops[:, 1], minlength=14 * 14).numpy()
    assert scipy.stats.chisquare(both).pvalue > 0.01  # the second does not hang on the first
    turned = values[ops == OPS.index("Rotate")]
    assert scipy.stats.binomtest(int((turned < 0).sum()), len(turned), 0.5).pvalue > 0.01
    assert sorted(set(turned.tolist())) == [-9.0, 9.0]

    ops, values = TrivialAugmentWide().drawn(x, draws)
    counts = torch.bincount(ops[:, 0], minlength=14)
    assert len(counts) == 14 and scipy.stats.chisquare(counts.numpy()).pvalue > 0.01
    steps = (values[ops == OPS.index("Brightness")] / 0.033).abs().round().long()
    assert scipy.stats.chisquare(torch.bincount(steps, minlength=31).numpy()).pvalue > 0.01

    ops, _ = AutoAugment("imagenet").drawn(x, draws)
    table, shares, _ = _table("imagenet")
    expected = torch.zeros(len(OPS), dtype=torch.float64)
    expected.index_add_(0, table[:, 0], shares[:, 0].double() / 25)
    expected[0] = 1 - expected[1:].sum()
    counts = torch.bincount(ops[:, 0], minlength=len(OPS))
    there = expected > 1e-9
    assert (counts[~there] == 0).all()
    assert scipy.stats.chisquare(counts[there].numpy(), (expected[there] * n).numpy()).pvalue > 0.01

    ops, _, weights = AugMix(alpha=0.7).drawn(x, draws)
    depths = torch.bincount((ops != 0).sum(2).flatten(), minlength=4)
    assert depths[0] == 0 and scipy.stats.chisquare(depths[1:].numpy()).pvalue > 0.01
    law = scipy.stats.beta(0.7, 0.7)
    assert scipy.stats.kstest(weights[:, 0].numpy(), law.cdf).pvalue > 0.01
    first = weights[:, 1] / weights[:, 1:].sum(1)
    assert scipy.stats.kstest(first.numpy(), scipy.stats.beta(0.7, 1.4).cdf).pvalue > 0.01


def test_draws_do_not_depend_on_the_batch() -> None:
    x = photos(12)
    ids = torch.arange(12) * 31
    whole, part = Draws(4, 1, ids), Draws(4, 1, ids[5:7])
    for op in ALL:
        for a, b in zip(op.drawn(x, whole), op.drawn(x[5:7], part), strict=True):
            assert torch.equal(a[5:7], b)


def test_wrong_use() -> None:
    bad: list[tuple[Callable[[], Any], str]] = [
        (lambda: RandAugment(-1), "num_ops"),
        (lambda: RandAugment(2, 31), r"0\.\.30"),
        (lambda: RandAugment(2, 0, 1), "num_magnitude_bins"),
        (lambda: RandAugment(interpolation="box"), "interpolation"),
        (lambda: TrivialAugmentWide(fill="red"), "fill must be"),  # type: ignore[arg-type]
        (lambda: TrivialAugmentWide(1), "above 1"),
        (lambda: AutoAugment("mnist"), "imagenet, cifar10, svhn"),
        (lambda: AugMix(severity=11), "severity"),
        (lambda: AugMix(mixture_width=0), "mixture_width"),
        (lambda: AugMix(chain_depth=1.5), "chain_depth"),  # type: ignore[arg-type]
        (lambda: AugMix(alpha=0), "alpha"),
        (lambda: RandAugment()(torch.zeros(1, 4, 8, 8)), "1 or 3 channels"),
        (lambda: RandAugment()(torch.zeros(1, 3, 8, 8, dtype=torch.int16)), "got int16"),
        (lambda: AugMix()(torch.zeros(3, 8, 8)), "single picture"),
    ]
    for call, message in bad:
        with pytest.raises(TransformError, match=message):
            call()
    assert RandAugment(fill=[1, 2, 3]).fill == (1, 2, 3)  # type: ignore[arg-type]
    assert RandAugment(0)(photos(2)).equal(photos(2))


@needs_cuda
@pytest.mark.parametrize("op", ALL, ids=lambda op: type(op).__name__)
def test_cuda_equals_cpu(op: Any) -> None:
    x, draws = photos(16), Draws(0, 0, torch.arange(16))
    apart = (op(x.cuda(), draws).cpu().int() - op(x, draws).int()).abs()
    assert float((apart > 1).double().mean()) < 5e-3
