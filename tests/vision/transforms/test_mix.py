"""MixUp and CutMix against torchvision's formulas, and the laws of their draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import scipy.stats
import torch
import torchvision.transforms.v2 as V
from support.pictures import needs_cuda, photos, varied

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.gamma import betas, dirichlet, log_gammas
from domainkit.ragged import Ragged
from domainkit.soft_labels import mix_labels
from domainkit.vision.transforms import Compose, CutMix, MixUp, RandomMixUpCutMix
from domainkit.vision.transforms.mix import cut_mix, mix_up

BOTH = [MixUp(0.3, 5), CutMix(1.0, 5), RandomMixUpCutMix(0.3, 1.0, 5)]


def batch(n: int = 8, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    return {"image": photos(n, 3, dtype), "label": torch.arange(n) % 5, "id": torch.arange(n)}


def theirs(op: Any, params: dict[str, Any], pair: dict[str, Any]) -> tuple[Any, Any]:
    params = {"labels": pair["label"], "batch_size": len(pair["label"]), **params}
    return op.transform(pair["image"], params), op.transform(pair["label"], params)


def pair_of(b: dict[str, Any], i: int) -> dict[str, Any]:
    return {k: torch.stack([b[k][i - 1], b[k][i]]) for k in ("image", "label")}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mixup_equals_torchvision_with_the_same_share(dtype: torch.dtype) -> None:
    op, draws, b = MixUp(0.8, 5), Draws(0, 0, torch.arange(8)), batch(8, dtype)
    out, share = op(b, draws), op.share(draws)
    assert out["image"].dtype == dtype and out["label"].shape == (8, 5)
    assert torch.equal(out["id"], b["id"])
    for i in range(8):
        pictures, labels = theirs(V.MixUp(num_classes=5), {"lam": float(share[i])}, pair_of(b, i))
        torch.testing.assert_close(out["image"][i], pictures[1], rtol=0, atol=2e-7)
        torch.testing.assert_close(out["label"][i], labels[1], rtol=0, atol=2e-7)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_cutmix_equals_torchvision_with_the_same_box(dtype: torch.dtype) -> None:
    op, draws, b = CutMix(1.0, 5), Draws(0, 0, torch.arange(8)), batch(8, dtype)
    out, boxes = op(b, draws), op.boxes((96, 120), draws)
    for i, box in enumerate(boxes.tolist()):
        x1, y1, x2, y2 = box
        share = 1 - (x2 - x1) * (y2 - y1) / (96 * 120)
        params = {"box": tuple(box), "lam_adjusted": share}
        pictures, labels = theirs(V.CutMix(num_classes=5), params, pair_of(b, i))
        assert torch.equal(out["image"][i], pictures[1])
        torch.testing.assert_close(out["label"][i], labels[1], rtol=0, atol=2e-7)


def test_boxes_are_made_as_torchvision_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = Draws(3, 0, torch.arange(200))
    share = betas(draws, 0.7, start=4)
    words = draws.bits(2, start=2)
    cut = V.CutMix(alpha=0.7, num_classes=5)
    image = torch.zeros(1, 3, 31, 57)
    for i, box in enumerate(CutMix(0.7, 5).boxes((31, 57), draws).tolist()):
        centre = iter([int(words[i, 0]) * 57 >> 32, int(words[i, 1]) * 31 >> 32])
        monkeypatch.setattr(torch, "randint", lambda *_, c=centre, **__: torch.tensor([next(c)]))
        monkeypatch.setattr(cut, "_dist", type("D", (), {"sample": lambda *_, v=share[i]: v})())
        assert tuple(box) == cut.make_params([image])["box"]


def test_both_in_one_pass_equals_each() -> None:
    b, draws = batch(16), Draws(1, 0, torch.arange(16))
    out = RandomMixUpCutMix(0.3, 1.0, 5)(b, draws)
    up, cut = MixUp(0.3, 5)(b, draws), CutMix(1.0, 5)(b, draws)
    which = draws.uniform(1, start=1)[:, 0] < 0.5
    assert 0 < which.sum() < 16
    for i, is_cut in enumerate(which):
        same = cut if is_cut else up
        assert torch.equal(out["image"][i], same["image"][i])
        assert torch.equal(out["label"][i], same["label"][i])


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.8, 1.0, 2.0, 8.0])
def test_shares_follow_the_beta_law(alpha: float) -> None:
    draws = Draws(0, 1, torch.arange(40000))
    share = betas(draws, alpha)
    below = share[share < 0.5]  # near 1 float64 has too few numbers for the smallest alpha
    assert scipy.stats.binomtest(len(below), 40000, 0.5).pvalue > 0.01
    law = scipy.stats.beta(alpha, alpha)
    assert scipy.stats.kstest(below.numpy(), lambda v: 2 * law.cdf(v)).pvalue > 0.01
    assert torch.equal(betas(Draws(0, 1, torch.tensor([77])), alpha), share[77:78])
    gammas = log_gammas(draws, 2, alpha, start=9).exp().flatten()
    assert scipy.stats.kstest(gammas.numpy(), scipy.stats.gamma(alpha).cdf).pvalue > 0.01
    parts = dirichlet(draws, 3, alpha)
    torch.testing.assert_close(parts.sum(1), torch.ones(40000, dtype=torch.float64))
    law = scipy.stats.beta(alpha, 2 * alpha)
    below = parts[:, 1][parts[:, 1] < 0.5]
    share_below = law.cdf(0.5)
    assert scipy.stats.binomtest(len(below), 40000, share_below).pvalue > 0.01
    assert scipy.stats.kstest(below.numpy(), lambda v: law.cdf(v) / share_below).pvalue > 0.01


def test_extreme_alphas_stay_in_range() -> None:
    for alpha in (1e-4, 0.01, 1e4):
        share = betas(Draws(0, 0, torch.arange(2000)), alpha)
        assert bool(((share >= 0) & (share <= 1)).all())


def test_share_and_box_belong_to_the_sample() -> None:
    ids = torch.arange(9) * 101
    whole, alone = Draws(1, 2, ids), Draws(1, 2, ids[4:5])
    assert torch.equal(MixUp(0.3).share(whole)[4:5], MixUp(0.3).share(alone))
    size = (20, 30)
    assert torch.equal(CutMix().boxes(size, whole)[4:5], CutMix().boxes(size, alone))
    assert len(MixUp(0.3).share(whole).unique()) == 9


@pytest.mark.parametrize("op", [MixUp(1.0, 5, p=0.3), CutMix(1.0, 5, p=0.3)])
def test_the_others_stay_as_they_are(op: Any) -> None:
    b, draws = batch(16), Draws(0, 0, torch.arange(16))
    out, chosen = op(b, draws), draws.uniform(1)[:, 0] < 0.3
    assert 0 < chosen.sum() < 16
    for i in torch.nonzero(~chosen)[:, 0].tolist():
        assert torch.equal(out["image"][i], b["image"][i])
        assert out["label"][i].tolist() == [float(c == i % 5) for c in range(5)]


@pytest.mark.parametrize("op", BOTH)
def test_forms_of_the_input(op: Any) -> None:
    b, draws = batch(), Draws(0, 0, torch.arange(8))
    out = op(b, draws)
    soft = torch.nn.functional.one_hot(b["label"], 5)
    for labels in (soft, soft.double()):
        again = op({**b, "label": labels}, draws)
        torch.testing.assert_close(again["label"].float(), out["label"])
    ragged = op({**b, "image": Ragged.from_list(list(b["image"]))}, draws)
    assert torch.equal(ragged["image"], out["image"])
    last = b["image"].contiguous(memory_format=torch.channels_last)
    assert torch.equal(op({**b, "image": last}, draws)["image"], out["image"])
    clips = b["image"][:, None].expand(-1, 3, -1, -1, -1)
    assert torch.equal(op({**b, "image": clips}, draws)["image"][:, 2], out["image"])
    before = batch()
    assert torch.equal(b["image"], before["image"]) and torch.equal(b["label"], before["label"])
    one = op({"image": b["image"][:1], "label": b["label"][:1]})
    torch.testing.assert_close(one["image"], b["image"][:1], rtol=0, atol=1e-7)
    none = op({"image": b["image"][:0], "label": b["label"][:0]})
    assert none["image"].shape == (0, 3, 96, 120) and none["label"].shape == (0, 5)
    assert Compose([op])({"image": b["image"], "label": b["label"]})["label"].shape == (8, 5)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
def test_tiny_pictures(size: tuple[int, int]) -> None:
    b = {"image": torch.rand(6, 3, *size), "label": torch.arange(6) % 5}
    for op in BOTH:
        assert op(b)["image"].shape == (6, 3, *size)


def test_half_precision() -> None:
    b, draws = batch(8, torch.float16), Draws(0, 0, torch.arange(8))
    exact = MixUp(0.5, 5)({**b, "image": b["image"].float()}, draws)["image"]
    out = MixUp(0.5, 5)(b, draws)["image"]
    torch.testing.assert_close(out.float(), exact, rtol=0, atol=1e-3)


def test_wrong_use() -> None:
    b = batch()
    bad: list[tuple[Callable[[], Any], str]] = [
        (lambda: MixUp(0.0), "alpha must be"),
        (lambda: MixUp(1.0, 0), "num_classes"),
        (lambda: CutMix(p=2.0), "p must be"),
        (lambda: RandomMixUpCutMix(switch_p=-1), "switch_p"),
        (lambda: MixUp()(b), "need num_classes"),
        (lambda: MixUp(num_classes=3)(b), r"0\.\.2, got 0\.\.4"),
        (lambda: MixUp(num_classes=5)(b["image"]), "give it a mapping"),
        (lambda: MixUp(num_classes=5)({"image": b["image"]}), "the batch has 'image'"),
        (lambda: MixUp(num_classes=5)({**b, "image": photos(8)}), "floating"),
        (lambda: MixUp(num_classes=5)({**b, "label": b["label"][:3]}), "8 samples and 3 labels"),
        (lambda: MixUp(num_classes=5)({**b, "label": b["label"].float()}), "integers"),
        (lambda: MixUp(num_classes=5)({**b, "label": torch.zeros(8, 4)}), "4 columns"),
        (lambda: CutMix(num_classes=5)({**b, "label": list(range(8))}), "got list"),
        (lambda: CutMix(num_classes=5)({**b, "image": b["image"][0]}, None), "takes .B, C, H, W."),
        (lambda: CutMix(num_classes=5)({**b, "image": varied(8)}), "one size"),
    ]
    for call, message in bad:
        with pytest.raises(TransformError, match=message):
            call()


@needs_cuda
def test_cuda_equals_cpu() -> None:
    b, draws = batch(), Draws(0, 0, torch.arange(8))
    share = MixUp(0.4).share(draws)
    boxes = CutMix().boxes((96, 120), draws)
    x = b["image"].cuda()
    torch.testing.assert_close(mix_up(x, share).cpu(), mix_up(b["image"], share))
    assert torch.equal(cut_mix(x, boxes).cpu(), cut_mix(b["image"], boxes))
    soft = torch.eye(8)
    torch.testing.assert_close(mix_labels(soft.cuda(), share).cpu(), mix_labels(soft, share))


def test_gradients_reach_both_pictures_of_a_pair() -> None:
    x = torch.rand(5, 3, 256, 256, requires_grad=True)
    share = torch.linspace(0.1, 0.9, 5)
    made = mix_up(x, share)
    made.sum().backward()
    own = share + 1 - share.roll(-1)  # of its own mix, and of the next picture's
    assert x.grad is not None
    torch.testing.assert_close(x.grad, own.view(-1, 1, 1, 1).expand_as(x))
    with torch.no_grad():
        torch.testing.assert_close(mix_up(x, share), made.detach())
