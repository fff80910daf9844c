"""The transducer's loss: against torchaudio, and by trying every path."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torchaudio
from support.audio_batches import DEVICES

from domainkit.audio import functional as F
from domainkit.audio.functional import transducer as module
from domainkit.errors import TransformError

FRAMES, LABELS = torch.tensor([7, 4, 1, 6]), torch.tensor([4, 2, 3, 0])
TARGETS = torch.tensor([[1, 2, 2, 3], [3, 1, 0, 0], [2, 2, 2, 0], [0, 0, 0, 0]])


def joiner(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def by_every_path(log_probs: torch.Tensor, targets: list[int], blank: int) -> torch.Tensor:
    """log_probs [T, U + 1, V]."""
    frames, labels = len(log_probs), len(targets)
    paths = []
    for emitting in itertools.combinations(range(frames + labels - 1), labels):
        t = u = 0
        steps = []
        for step in range(frames + labels):  # the last one is a blank
            if step in emitting:
                steps.append(log_probs[t, u, targets[u]])
                u += 1
            else:
                steps.append(log_probs[t, u, blank])
                t += 1
        paths.append(torch.stack(steps).sum())
    return -torch.logsumexp(torch.stack(paths), 0)


@pytest.mark.parametrize("blank", [0, 2, -1])
def test_the_loss_sums_over_all_paths(blank):
    logits = joiner(4, 7, 5, 6)
    targets = TARGETS.clone()
    losses = F.rnnt_loss(logits, targets, FRAMES, LABELS, blank=blank, reduction="none")
    for i in range(4):
        inside = logits[i, : FRAMES[i], : LABELS[i] + 1].log_softmax(-1)
        expected = by_every_path(inside, targets[i, : LABELS[i]].tolist(), blank)
        torch.testing.assert_close(losses[i], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("clamp", [-1, 0.0, 0.05])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_loss_and_gradient_are_torchaudios(fused, clamp, reduction):
    logits = joiner(4, 7, 5, 6, dtype=torch.float32)
    logits = logits if fused else logits.log_softmax(-1)
    given = [v.int() for v in (TARGETS, FRAMES, LABELS)]
    how = {"clamp": clamp, "reduction": reduction, "fused_log_softmax": fused}
    found = []
    for function in (F.rnnt_loss, torchaudio.functional.rnnt_loss):
        x = logits.clone().requires_grad_()
        loss = function(x, *given, **how)
        (3 * loss.sum()).backward()
        found.append((loss.detach(), x.grad))
    torch.testing.assert_close(*(loss for loss, _ in found), rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(*(grad for _, grad in found), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["by Numba", "by diagonals"])
@pytest.mark.parametrize("fused", [True, False])
def test_gradients_are_those_of_differences(form, fused, monkeypatch):
    if form == "by diagonals":
        use_diagonals(monkeypatch)
    logits = joiner(3, 4, 4, 3).requires_grad_()
    given = TARGETS[:3, :3] % 3, FRAMES[:3].clamp(max=4), LABELS[:3].clamp(max=3)

    def run(x: torch.Tensor) -> torch.Tensor:
        how = {"reduction": "none", "fused_log_softmax": fused}
        return F.rnnt_loss(x, *given, blank=0, **how)

    assert torch.autograd.gradcheck(run, (logits,))


def use_diagonals(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs on other devices, in place of Numba's form."""

    def run(stay, move, ends, labels):
        stay, move, ends, labels = (torch.from_numpy(v) for v in (stay, move, ends, labels))
        losses, stays, moves = module._by_diagonals(stay, move, ends, labels)
        stay.copy_(stays)
        move.copy_(moves)
        return losses.numpy()

    monkeypatch.setattr(module._numba_transducer, "run", run)


@pytest.mark.parametrize("device", DEVICES)
def test_both_forms_are_one(device, monkeypatch):
    found = []
    for place in ("cpu", device):
        x = joiner(4, 7, 5, 6).to(place).requires_grad_()
        given = [v.to(place) for v in (TARGETS, FRAMES, LABELS)]
        F.rnnt_loss(x, *given).backward()
        found.append(x.grad.cpu())
        if device == "cpu":
            use_diagonals(monkeypatch)
    torch.testing.assert_close(*found, rtol=1e-10, atol=1e-12)


def test_what_pads_an_item_does_not_matter():
    logits = joiner(4, 7, 5, 6)
    kept = F.rnnt_loss(logits, TARGETS, FRAMES, LABELS, reduction="none")
    broken, targets = logits.clone(), TARGETS.clone()
    for i in range(4):
        broken[i, FRAMES[i] :] = math.nan
        broken[i, :, LABELS[i] + 1 :] = math.inf
        targets[i, LABELS[i] :] = -7
    broken.requires_grad_()
    losses = F.rnnt_loss(broken, targets, FRAMES, LABELS, reduction="none")
    assert torch.equal(losses, kept)
    losses.sum().backward()
    assert bool(broken.grad.isfinite().all())
    for i in range(4):
        assert (
            not broken.grad[i, FRAMES[i] :].any() and not broken.grad[i, :, LABELS[i] + 1 :].any()
        )
        alone = logits[i : i + 1, : FRAMES[i], : LABELS[i] + 1]
        sizes = FRAMES[i : i + 1], LABELS[i : i + 1]
        single = F.rnnt_loss(alone, TARGETS[i : i + 1, : LABELS[i]], *sizes)
        torch.testing.assert_close(single, losses[i])


@pytest.mark.parametrize("form", ["by Numba", "by diagonals"])
def test_nothing_possible_and_nothing_known(form, monkeypatch):
    if form == "by diagonals":
        use_diagonals(monkeypatch)
    logits = joiner(2, 3, 2, 4)
    logits[0, 1, :, 3] = -math.inf  # nobody passes the second frame
    logits[1, 1, 0, 0] = math.nan
    logits.requires_grad_()
    sizes = torch.tensor([3, 3]), torch.tensor([1, 1])
    losses = F.rnnt_loss(logits, torch.tensor([[1], [1]]), *sizes, reduction="none")
    assert losses[0] == math.inf and bool(losses[1].isnan())
    losses.sum().backward()
    assert not logits.grad[0].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_is_summed_in_float32(dtype):
    logits = joiner(4, 7, 5, 6).to(dtype).requires_grad_()
    losses = F.rnnt_loss(logits, TARGETS, FRAMES, LABELS, reduction="none")
    losses.sum().backward()
    assert losses.dtype == logits.grad.dtype == dtype
    exact = F.rnnt_loss(logits.detach().float(), TARGETS, FRAMES, LABELS, reduction="none")
    assert torch.equal(losses.detach(), exact.to(dtype))


def test_long_lattices_keep_their_figures():
    logits = joiner(1, 400, 101, 8)
    given = torch.arange(100)[None] % 7, torch.tensor([400]), torch.tensor([100])
    exact = F.rnnt_loss(logits, *given)
    single = F.rnnt_loss(logits.float(), *given)
    torch.testing.assert_close(single.double(), exact, rtol=1e-6, atol=0)
    losses, stay, _ = module._by_diagonals(
        *(joiner(1, 400, 101) - 3 for _ in range(2)), given[1], given[2]
    )
    assert bool(losses.isfinite())
    torch.testing.assert_close(stay.sum((1, 2)), torch.tensor([400.0]).double())  # a blank a frame


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"logits": torch.zeros(7, 5, 6)}, r"logits \[B, T, U \+ 1, V\], got \(7, 5, 6\)"),
        ({"logits": torch.zeros(4, 7, 5, 6).int()}, "got int32"),
        ({"targets": TARGETS[:, :3]}, r"targets are int32 or int64 \(4, 4\), got int64 \(4, 3\)"),
        ({"targets": TARGETS + 5}, r"targets are tokens in \[0, 6\)"),
        ({"logit_lengths": FRAMES + 1}, r"logit_lengths lie in \[1, 7\]"),
        ({"target_lengths": LABELS.float()}, "got float32"),
        ({"blank": 6}, "got 6"),
        ({"reduction": "max"}, "'mean' or 'sum', got 'max'"),
    ],
)
def test_wrong_use_says_what_is_wanted(change, told):
    given = {
        "logits": joiner(4, 7, 5, 6),
        "targets": TARGETS,
        "logit_lengths": FRAMES,
        "target_lengths": LABELS,
    }
    with pytest.raises(TransformError, match=told):
        F.rnnt_loss(**{**given, **change})
