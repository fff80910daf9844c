"""RandomCrop, RandomDeletion, RandomSwap, Reverse, NGrams, NextToken: by lists, and their laws."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.token_batches import as_ragged, lists_of_tokens

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms import (
    NextToken,
    NGrams,
    RandomCrop,
    RandomDeletion,
    RandomSwap,
    Reverse,
)


def draws(count: int, seed: int = 0) -> Draws:
    return Draws(seed, 0, torch.arange(count))


def lists_of(x: Ragged) -> list[list[int]]:
    return [item.tolist() for item in x]


@given(lists_of_tokens, st.integers(1, 6), st.integers(0, 20))
def test_a_crop_is_a_stretch(lists: list[list[int]], length: int, seed: int) -> None:
    batch = {"tokens": as_ragged(lists), "labels": as_ragged(lists)}
    out = RandomCrop(length)(batch, draws(len(lists), seed))
    for row, cut in zip(lists, lists_of(out["tokens"]), strict=True):
        assert len(cut) == min(length, len(row))
        assert any(row[i : i + len(cut)] == cut for i in range(len(row) - len(cut) + 1))
    assert lists_of(out["labels"]) == lists_of(out["tokens"])


def test_crops_begin_anywhere_alike() -> None:
    n = 6000
    first = RandomCrop(3)(torch.arange(5).expand(n, 5), draws(n))[:, 0]
    counts = torch.bincount(first).tolist()
    assert len(counts) == 3
    assert all(abs(c - n / 3) < 4 * math.sqrt(n * 2 / 9) for c in counts)


@given(lists_of_tokens, st.floats(0, 1), st.integers(0, 20))
def test_deletion_by_a_loop(lists: list[list[int]], p: float, seed: int) -> None:
    op = RandomDeletion(p, special_ids=(3,))
    batch = op({"tokens": as_ragged(lists), "labels": as_ragged(lists)}, draws(len(lists), seed))
    for i, row in enumerate(lists):
        numbers = Draws(seed, 0, torch.tensor([i])).uniform(len(row))[0].tolist()
        kept = [t for t, u in zip(row, numbers, strict=True) if t == 3 or u >= p]
        if row and not kept:
            kept = [row[numbers.index(max(numbers))]]
        assert batch["tokens"][i].tolist() == kept == batch["labels"][i].tolist()


def test_a_share_p_is_deleted() -> None:
    kept = len(RandomDeletion(0.1)(torch.full((100, 1000), 7), draws(100)).values)
    assert abs(kept - 90_000) < 4 * math.sqrt(100_000 * 0.09)


@given(lists_of_tokens, st.integers(1, 5), st.integers(0, 20))
def test_swaps_by_a_loop(lists: list[list[int]], swaps: int, seed: int) -> None:
    out = lists_of(RandomSwap(swaps)(as_ragged(lists), draws(len(lists), seed)))
    for i, row in enumerate(lists):
        numbers = Draws(seed, 0, torch.tensor([i])).uniform(2 * swaps)[0].tolist()
        mine = list(row)
        for k in range(swaps if row else 0):
            a, b = (int(u * len(row)) for u in numbers[2 * k : 2 * k + 2])
            mine[a], mine[b] = mine[b], mine[a]
        assert out[i] == mine


@given(lists_of_tokens)
def test_reverse(lists: list[list[int]]) -> None:
    batch = Reverse()({"tokens": as_ragged(lists), "labels": as_ragged(lists)})
    assert lists_of(batch["tokens"]) == [row[::-1] for row in lists] == lists_of(batch["labels"])


@given(lists_of_tokens, st.integers(2, 4))
def test_ngrams_are_equal_where_their_tokens_are(lists: list[list[int]], n: int) -> None:
    out = lists_of(NGrams(n, vocab_size=100, buckets=1 << 29)(as_ragged(lists)))
    meaning: dict[int, tuple[int, ...]] = {}
    for row, ids in zip(lists, out, strict=True):
        grams = [tuple(row[i : i + k]) for k in range(1, n + 1) for i in range(len(row) - k + 1)]
        assert len(grams) == len(ids) and ids[: len(row)] == row
        for gram, key in zip(grams, ids, strict=True):
            assert len(gram) == 1 or 100 <= key < 100 + (1 << 29)
            assert meaning.setdefault(key, gram) == gram


def test_ngrams_fill_their_buckets() -> None:
    pairs = torch.randint(0, 50_000, (20_000, 2), generator=torch.Generator().manual_seed(0))
    ids = NGrams(2, vocab_size=50_000, buckets=100)(pairs).values.view(-1, 3)[:, 2] - 50_000
    counts = Counter(ids.tolist())
    assert len(counts) == 100
    # chi-squared of 99 degrees: below 160 but once in ten thousand
    assert sum((c - 200) ** 2 / 200 for c in counts.values()) < 160


@given(lists_of_tokens)
def test_next_tokens(lists: list[list[int]]) -> None:
    labels = lists_of(NextToken()({"tokens": as_ragged(lists)})["labels"])
    assert labels == [[*row[1:], -100][: len(row)] for row in lists]


def test_next_tokens_beside_padding() -> None:
    tokens = torch.tensor([[5, 6, 0], [0, 7, 8]])
    batch = {"tokens": tokens, "attention_mask": tokens > 0}
    assert NextToken()(batch)["labels"].tolist() == [[6, -100, -100], [-100, 8, -100]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomCrop(0), "length of 1 or more, got 0"),
        (lambda: RandomDeletion(1.5), r"p in \[0, 1\], got 1.5"),
        (lambda: RandomSwap(0), "swaps of 1 or more, got 0"),
        (lambda: NGrams(1, 10), "n of 2 or more"),
        (lambda: Reverse()(torch.zeros(3)), "takes tokens: .* got float32"),
        (lambda: NextToken()(["a"]), "put Tokenize before it"),
    ],
)
def test_wrong_arguments(make: Any, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        make()
