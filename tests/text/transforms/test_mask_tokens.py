"""MaskTokens: its rates within sampling error, its rules by a loop, a sample alike everywhere."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch
from support.token_batches import as_ragged

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms import MaskTokens, Pad
from domainkit.text.transforms.mask_tokens import SECOND

OP = MaskTokens(mask_id=4, vocab_size=50, special_ids=(0, 1, 2))
ROWS = [[1, 7, 8, 9, 10, 11, 2], [1, 2], [], [30 + i % 10 for i in range(40)], [1, 49, 48, 2]]


def draws(ids: list[int], seed: int = 0, epoch: int = 0) -> Draws:
    return Draws(seed=seed, epoch=epoch, ids=torch.tensor(ids, dtype=torch.int64))


def by_loop(op: MaskTokens, row: list[int], sample: int, seed: int) -> tuple[list[int], list[int]]:
    """One sample, one token at a time, with the numbers that the sample has."""
    first = draws([sample], seed).uniform(len(row))[0].tolist()
    second = draws([sample], seed).uniform(len(row), start=SECOND)[0].tolist()
    special = {*op.special_ids, op.mask_id}
    normal = [i for i in range(op.vocab_size) if i not in special]
    tokens, labels = list(row), [-100] * len(row)
    for j, token in enumerate(row):
        if token in special or first[j] >= op.p:
            continue
        labels[j] = token
        if first[j] < op.p * op.mask_share:
            tokens[j] = op.mask_id
        elif first[j] < op.p * (op.mask_share + op.random_share):
            tokens[j] = normal[int(second[j] * len(normal))]
    return tokens, labels


@pytest.mark.parametrize("p", [0.15, 0.5, 1.0])
@pytest.mark.parametrize("shares", [(0.8, 0.1), (0.0, 1.0), (0.5, 0.0)])
def test_equals_a_loop(p: float, shares: tuple[float, float]) -> None:
    op = MaskTokens(4, 50, p, (0, 1, 2), *shares)
    ids = [11, 12, 5, 2**40, 0]
    for seed in range(5):
        tokens, labels = op(as_ragged(ROWS), draws(ids, seed))
        truth = [by_loop(op, row, i, seed) for row, i in zip(ROWS, ids, strict=True)]
        assert [item.tolist() for item in tokens] == [t for t, _ in truth]
        assert [item.tolist() for item in labels] == [t for _, t in truth]


def test_a_sample_is_masked_alike_alone_in_any_batch_ragged_and_dense() -> None:
    ids = [3, 1, 4, 15, 9]
    tokens, labels = OP(as_ragged(ROWS), draws(ids))
    dense = OP(Pad(0)({"tokens": as_ragged(ROWS)}), draws(ids))
    for i, (sample, row) in enumerate(zip(ids, ROWS, strict=True)):
        alone = OP(as_ragged([row]), draws([sample]))
        assert torch.equal(alone[0][0], tokens[i]) and torch.equal(alone[1][0], labels[i])
        assert torch.equal(dense["tokens"][i, : len(row)], tokens[i])
        assert torch.equal(dense["labels"][i, : len(row)], labels[i])
        assert (dense["labels"][i, len(row) :] == -100).all()
    turned = OP(as_ragged(ROWS[::-1]), draws(ids[::-1]))
    assert [t.tolist() for t in turned[0]] == [t.tolist() for t in tokens][::-1]


def test_padding_is_never_chosen_even_when_its_id_is_not_special() -> None:
    op = MaskTokens(4, 50, p=1.0, special_ids=())
    out = op(Pad(0)({"tokens": as_ragged([[7, 8, 9], [7]])}))
    assert out["labels"].tolist() == [[7, 8, 9], [7, -100, -100]]
    assert out["tokens"][1, 1:].tolist() == [0, 0]


def test_rates() -> None:
    n = 400_000
    x = torch.arange(n).remainder(45).add(5).view(400, 1000)
    tokens, labels = OP(x, draws(list(range(400)), seed=7))
    chosen = labels != -100
    assert torch.equal(labels[chosen], x[chosen]) and torch.equal(tokens[~chosen], x[~chosen])

    def within(count: int, of: int, p: float) -> bool:
        return abs(count - of * p) < 5 * math.sqrt(of * p * (1 - p))  # five deviations

    total = int(chosen.sum())
    hidden = int((tokens[chosen] == 4).sum())
    other = tokens[chosen & (tokens != 4) & (tokens != x)]
    assert within(total, n, 0.15) and within(hidden, total, 0.8)
    # of 46 tokens that may be drawn one is the true one, which then looks unchanged
    assert within(len(other), total, 0.1 * 45 / 46)
    counts = Counter(other.tolist())
    assert set(counts) == {3, *range(5, 50)}
    chi2 = sum((c - len(other) / 46) ** 2 / (len(other) / 46) for c in counts.values())
    assert chi2 < 45 + 5 * math.sqrt(2 * 45)


def test_special_tokens_are_neither_chosen_nor_drawn() -> None:
    op = MaskTokens(4, 6, p=1.0, special_ids=(0, 1, 2), mask_share=0.0, random_share=1.0)
    tokens, labels = op(torch.arange(6).repeat(50, 1), draws(list(range(50))))
    assert (tokens[:, [0, 1, 2, 4]] == torch.tensor([0, 1, 2, 4])).all()
    assert (labels[:, [0, 1, 2, 4]] == -100).all()
    assert set(tokens[:, [3, 5]].flatten().tolist()) == {3, 5}


def test_epochs_differ_and_torch_generator_decides_by_hand() -> None:
    x = torch.full((4, 100), 9)
    first, again, later = (OP(x, draws([1, 2, 3, 4], epoch=e))[0] for e in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, later)
    torch.manual_seed(5)
    one = OP(x)[0]
    torch.manual_seed(5)
    assert torch.equal(one, OP(x)[0]) and not torch.equal(one, OP(x)[0])


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_dtypes_and_the_batch(dtype: torch.dtype) -> None:
    batch = {"tokens": as_ragged(ROWS, dtype), "label": torch.arange(5)}
    out = OP(batch)
    assert out["tokens"].dtype == dtype and out["labels"].dtype == torch.int64
    assert isinstance(out["labels"], Ragged) and len(out["labels"]) == 5
    assert (out["labels"].host_shapes == batch["tokens"].host_shapes).all()
    assert "labels" not in batch and out["label"] is batch["label"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"mask_id": 50}, r"mask_id in \[0, 50\), got 50"),
        ({"special_ids": (1, -1)}, r"special_ids: token ids, .* got \(1, -1\)"),
        ({"p": 1.5}, r"p in \[0, 1\], got 1.5"),
        ({"mask_share": 0.8, "random_share": 0.3}, "add up to at most 1"),
        ({"mask_share": -0.1}, "not negative"),
        ({"vocab_size": 5, "special_ids": (0, 1, 2, 3)}, "every token is special"),
    ],
)
def test_wrong_arguments(args: dict[str, Any], message: str) -> None:
    with pytest.raises(TransformError, match=message):
        MaskTokens(**{"mask_id": 4, "vocab_size": 50, **args})


def test_wrong_input() -> None:
    with pytest.raises(TransformError, match="got float32"):
        OP(torch.zeros(1, 2))
    with pytest.raises(TransformError, match="draws for 1 samples and a batch of 2"):
        OP(as_ragged([[7], [8]]), draws([0]))
