"""Edit and Fréchet distance, forced alignment: against torchaudio and by trying everything."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.linalg
import torch
import torchaudio
from support.audio_batches import DEVICES

from domainkit.audio import functional as F
from domainkit.audio.functional import alignment as module
from domainkit.errors import TransformError


def emissions(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).log_softmax(-1)


def collapsed(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    return tuple(token for token, _ in itertools.groupby(path) if token != blank)


# -- distances ---------------------------------------------------------------------------------


def test_edit_distance_is_torchaudios():
    rng = np.random.default_rng(0)
    for _ in range(300):
        a, b = (rng.integers(0, 4, rng.integers(0, 90)).tolist() for _ in range(2))
        assert F.edit_distance(a, b) == torchaudio.functional.edit_distance(a, b)


def test_edit_distance_takes_any_items():
    assert F.edit_distance([[1], [2]], [[1], [3], [2]]) == 1  # not hashable
    assert F.edit_distance(torch.tensor([1, 2, 3]), torch.tensor([1, 3])) == 1
    assert F.edit_distance(["the", "cat"], ["the", "hat"]) == 1
    assert F.edit_distance("", "abc") == F.edit_distance("abc", "") == 3
    assert F.edit_distance("x" * 1000 + "a", "x" * 1000 + "b") == 1


def test_frechet_distance_is_torchaudios_and_scipys():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(60, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    y = y * 2 + 1
    given = (x.mean(0), x.T.cov(), y.mean(0), y.T.cov())
    mine = F.frechet_distance(*given)
    theirs = torchaudio.functional.frechet_distance(*given)
    torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)
    root = scipy.linalg.sqrtm((given[1] @ given[3]).numpy()).real
    closed = (given[0] - given[2]).square().sum() + (given[1] + given[3]).trace()
    torch.testing.assert_close(mine, closed - 2 * root.trace())
    many = F.frechet_distance(*(v.expand(3, *v.shape) for v in given))
    torch.testing.assert_close(many, mine.expand(3))
    wanted = [v.clone().requires_grad_() for v in given]
    assert torch.autograd.gradcheck(F.frechet_distance, wanted)


# -- alignment ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [module._one_by_one, module._together])
@pytest.mark.parametrize("targets", [[1], [1, 2], [2, 2], [1, 2, 1], [3, 3, 3]])
def test_the_path_is_the_best_of_all(form, targets):
    for seed in range(5):
        log_probs = emissions(1, 6, 4, seed=seed)
        spelling = [
            p for p in itertools.product(range(4), repeat=6) if collapsed(p, 0) == (*targets,)
        ]
        scores = [sum(log_probs[0, t, v].item() for t, v in enumerate(p)) for p in spelling]
        best = spelling[int(np.argmax(scores))]
        sizes = torch.tensor([6]), torch.tensor([len(targets)])
        path, total = form(log_probs, torch.tensor([targets]), *sizes, 0)
        assert tuple(path[0].tolist()) == best
        assert float(total) == pytest.approx(max(scores))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("blank", [0, 4])
def test_alignment_is_torchaudios(dtype, blank):
    for seed in range(20):
        log_probs = emissions(1, 30, 5, seed=seed).to(dtype)
        generator = torch.Generator().manual_seed(seed)
        targets = torch.randint(1, 4, (1, 1 + seed % 12), generator=generator, dtype=torch.int32)
        mine = F.forced_align(log_probs, targets, blank=blank)
        theirs = torchaudio.functional.forced_align(log_probs, targets, blank=blank)
        assert torch.equal(mine[0], theirs[0]) and mine[0].dtype == torch.int32
        torch.testing.assert_close(mine[1], theirs[1], rtol=0, atol=0)


@pytest.mark.parametrize("device", DEVICES)
def test_a_recording_is_aligned_alike_alone_and_in_a_batch(device):
    frames, labels = torch.tensor([40, 17, 9, 3, 0]), torch.tensor([6, 5, 1, 0, 0])
    log_probs = emissions(5, 40, 6).to(device)
    generator = torch.Generator().manual_seed(1)
    targets = torch.randint(1, 6, (5, 6), generator=generator)
    targets[1, 5:] = 0  # padding may be the blank, or no token at all
    targets[2, 1:] = -1
    given = (targets.to(device), frames.to(device), labels.to(device))
    tokens, scores = (v.cpu() for v in F.forced_align(log_probs, *given))
    together, _ = module._together(log_probs.cpu(), targets, frames, labels, 0)
    assert torch.equal(together, tokens)
    for i in range(4):
        alone = (log_probs[i : i + 1, : frames[i]].cpu(), targets[i : i + 1, : labels[i]])
        path, score = F.forced_align(*alone)
        assert torch.equal(tokens[i, : frames[i]], path[0])
        torch.testing.assert_close(scores[i, : frames[i]], score[0])
        assert not tokens[i, frames[i] :].any() and not scores[i, frames[i] :].any()


@pytest.mark.parametrize("form", [module._one_by_one, module._together])
def test_of_equal_paths_the_early_one_is_taken(form):
    flat = torch.zeros(1, 6, 4)
    path, _ = form(flat, torch.tensor([[1, 2]]), torch.tensor([6]), torch.tensor([2]), 0)
    assert path.tolist() == [[1, 2, 2, 2, 2, 2]]


def test_scores_carry_a_gradient():
    log_probs = emissions(1, 5, 3).requires_grad_()
    tokens, scores = F.forced_align(log_probs, torch.tensor([[1, 2]]))
    scores.sum().backward()
    expected = torch.nn.functional.one_hot(tokens, 3).double()
    torch.testing.assert_close(log_probs.grad, expected)


def test_half_is_aligned_in_float32():
    log_probs = emissions(2, 20, 5).half()
    tokens, scores = F.forced_align(log_probs, torch.tensor([[1, 2], [3, 3]]))
    assert scores.dtype == torch.float16
    assert torch.equal(tokens, F.forced_align(log_probs.float(), torch.tensor([[1, 2], [3, 3]]))[0])


def test_spans_are_torchaudios():
    log_probs = emissions(1, 60, 5)
    tokens, scores = F.forced_align(log_probs, torch.tensor([[1, 2, 2, 3, 1]]))
    mine = F.merge_tokens(tokens[0], scores[0])
    theirs = torchaudio.functional.merge_tokens(tokens[0], scores[0])
    assert [s.token for s in mine] == [1, 2, 2, 3, 1]
    for a, b in zip(mine, theirs, strict=True):
        assert (a.token, a.start, a.end, len(a)) == (b.token, b.start, b.end, len(b))
        assert a.score == pytest.approx(b.score)
    assert F.merge_tokens(torch.zeros(4).int(), torch.zeros(4)) == []
    assert F.merge_tokens(torch.zeros(0).int(), torch.zeros(0)) == []


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: F.forced_align(torch.zeros(6, 4), torch.tensor([[1]])), r"got \(6, 4\)"),
        (lambda: F.forced_align(torch.zeros(1, 6, 4).int(), torch.tensor([[1]])), "got int32"),
        (lambda: F.forced_align(emissions(1, 6, 4), torch.tensor([[0]])), "other than the blank 0"),
        (lambda: F.forced_align(emissions(1, 6, 4), torch.tensor([[4]])), r"in \[0, 4\)"),
        (lambda: F.forced_align(emissions(1, 3, 4), torch.tensor([[1, 1, 1]])), "need 5"),
        (lambda: F.forced_align(emissions(1, 3, 4), torch.tensor([[1]]), blank=4), "got 4"),
        (
            lambda: F.forced_align(emissions(1, 3, 4), torch.tensor([[1]]), torch.tensor([4])),
            r"input_lengths \[1\] lie in \[0, 3\], got \[4\]",
        ),
        (
            lambda: F.forced_align(torch.full((1, 3, 4), -torch.inf), torch.tensor([[1]])),
            "recording 0 spells its targets",
        ),
        (lambda: F.merge_tokens(torch.zeros(1, 4), torch.zeros(1, 4)), "of one recording"),
        (
            lambda: F.frechet_distance(*(torch.zeros(n) for n in (2, 3, 2, 3))),
            r"covariance \[..., 2, 2\]",
        ),
        (
            lambda: F.frechet_distance(*(torch.zeros(n) for n in (2, 2, 3, 3))),
            "of one N",
        ),
    ],
)
def test_wrong_use_says_what_is_wanted(call, told):
    with pytest.raises(TransformError, match=told):
        call()
