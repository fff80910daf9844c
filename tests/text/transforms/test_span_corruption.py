"""SpanCorruption, spans of MaskTokens and PermutationLM: rebuilt by lists, and their laws."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.token_batches import as_ragged, lists_of_tokens

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.text.transforms import MaskTokens, PermutationLM, SpanCorruption
from domainkit.text.transforms.kernels.segments import random_spans
from domainkit.text.transforms.permutation_lm import permutation_mask

CPU = torch.device("cpu")
TOP = 999


def draws(count: int, seed: int = 0) -> Draws:
    return Draws(seed, 0, torch.arange(count))


def rebuilt(tokens: list[int], labels: list[int]) -> list[int]:
    """The text again: each sentinel replaced by what the labels say of it."""
    said: dict[int, list[int]] = {}
    for token in labels:
        if token > TOP - 100:
            said[token] = []
        else:
            said[list(said)[-1]].append(token)
    return [t for token in tokens for t in said.get(token, [token])]


@given(lists_of_tokens, st.floats(0.05, 0.9), st.floats(1.0, 5.0), st.integers(0, 99))
def test_nothing_is_lost(lists: list[list[int]], density: float, mean: float, seed: int) -> None:
    op = SpanCorruption(TOP, density, mean, eos_id=1)
    tokens, labels = op(as_ragged(lists), draws(len(lists), seed))
    for i, row in enumerate(lists):
        inputs, targets = tokens[i].tolist(), labels[i].tolist()
        assert inputs.pop() == 1 and targets.pop() == 1
        assert rebuilt(inputs, targets) == row
        sentinels = [t for t in inputs if t > TOP - 100]
        assert sentinels == [t for t in targets if t > TOP - 100]
        assert sentinels == [TOP - k for k in range(len(sentinels))]  # counted down
        # how many, by the definition of the paper's code
        if len(row) > 1:
            hidden = min(max(int(np.rint(len(row) * density)), 1), len(row) - 1)
            spans = max(1, min(int(np.rint(hidden / mean)), hidden, len(row) - hidden))
            assert len(targets) - len(sentinels) == hidden and len(sentinels) == spans
            assert inputs[-1] == sentinels[-1]  # the last span ends where the text does
        else:
            assert not sentinels


def test_alone_as_in_a_batch() -> None:
    lists = [[3] * 20, [], [4, 5, 6], list(range(3, 60))]
    op = SpanCorruption(TOP)
    together = op(as_ragged(lists), draws(4))
    for i, row in enumerate(lists):
        alone = op(as_ragged([row]), Draws(0, 0, torch.tensor([i])))
        for part in (0, 1):
            assert torch.equal(alone[part][0], together[part][i])


def test_all_partitions_are_alike() -> None:
    """6 tokens, 3 hidden in 2 spans: (1, 2) or (2, 1) hidden, and the same of the kept ones."""
    n = 8000
    spans = random_spans(np.full(n, 6), 0.5, 1.5, draws(n), CPU)
    seen = Counter(map(tuple, spans.hidden.view(n, 6).int().tolist()))
    assert len(seen) == 4
    for count in seen.values():  # each a quarter, to four standard deviations
        assert abs(count - n / 4) < 4 * math.sqrt(n * 3 / 16)


def test_a_tail_may_stay() -> None:
    n = 4000
    spans = random_spans(np.full(n, 5), 0.2, 3.0, draws(n), CPU, tail=True)
    place = spans.hidden.view(n, 5).int().argmax(1)
    counts = torch.bincount(place, minlength=5).tolist()
    # one token of five, four kept in two parts: at 1, 2 or 3, each a third
    assert counts[0] == counts[4] == 0
    assert all(abs(c - n / 3) < 4 * math.sqrt(n * 2 / 9) for c in counts[1:4])


def test_too_few_sentinels() -> None:
    with pytest.raises(TransformError, match="has 5 spans, and there are 2 sentinels"):
        SpanCorruption(TOP, 0.5, 1.0, sentinels=2)(torch.arange(10)[None])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"density": 1.0}, r"density in \(0, 1\).* got 1.0"),
        ({"mean_length": 0.5}, "mean_length of 1 or more"),
        ({"first_sentinel": 5}, "not below 0, got first_sentinel=5 and 100 sentinels"),
    ],
)
def test_wrong_arguments(args: dict[str, Any], message: str) -> None:
    with pytest.raises(TransformError, match=message):
        SpanCorruption(**({"first_sentinel": TOP} | args))


def test_masked_spans_are_spans() -> None:
    op = MaskTokens(2, 100, p=0.15, unit="span", mask_share=1.0, random_share=0.0)
    tokens, labels = op(torch.full((500, 40), 7), draws(500))
    assert (tokens == 2).sum(1).eq(6).all()  # 15 % of 40
    assert torch.equal(labels != -100, tokens == 2)
    begins = (tokens[:, 1:] == 2) & (tokens[:, :-1] != 2)
    assert begins.sum(1).eq(2).all()  # spans of 3 in the mean


def test_whole_words() -> None:
    words = [[-1, 0, 0, 1, 2, 2, 2, -1], [0, 1, 1]]
    rows = [[0, 10, 11, 12, 13, 14, 15, 1], [20, 21, 22]]
    op = MaskTokens(2, 100, p=0.4, special_ids=(0, 1), unit="word")
    chosen = Counter[int]()
    seen = Counter[str]()
    for seed in range(1500):
        batch = op({"tokens": as_ragged(rows), "word_ids": as_ragged(words)}, draws(2, seed))
        for i, word in enumerate(words):
            hit = (batch["labels"][i] != -100).tolist()
            for w in {*word} - {-1}:
                of_word = [hit[j] for j in range(len(word)) if word[j] == w]
                assert all(of_word) or not any(of_word)
                chosen[w] += of_word[0] if i == 0 else 0
            for j, was in enumerate(hit):
                if was:
                    token = int(batch["tokens"][i][j])
                    seen["mask" if token == 2 else "same" if token == rows[i][j] else "other"] += 1
            assert not any(hit[j] for j in range(len(word)) if word[j] == -1)
    for w in range(3):
        assert abs(chosen[w] - 600) < 4 * math.sqrt(1500 * 0.4 * 0.6)
    total = sum(seen.values())
    for kind, share in (("mask", 0.8), ("other", 0.1), ("same", 0.1)):
        assert abs(seen[kind] - share * total) < 5 * math.sqrt(total * share * (1 - share))


def test_words_need_their_numbers() -> None:
    with pytest.raises(TransformError, match="needs the field word_ids"):
        MaskTokens(2, 100, unit="word")({"tokens": as_ragged([[5]])})
    with pytest.raises(TransformError, match=r"unit 'token', 'word', 'span'.* got 'line'"):
        MaskTokens(2, 100, unit="line")


@given(lists_of_tokens, st.integers(0, 50))
def test_an_order_to_guess_in(lists: list[list[int]], seed: int) -> None:
    labels, order = PermutationLM(0.4, special_ids=(3,))(as_ragged(lists), draws(len(lists), seed))
    for i, row in enumerate(lists):
        guessed = [j for j, label in enumerate(labels[i].tolist()) if label != -100]
        assert all(labels[i][j] == row[j] != 3 for j in guessed)
        ranks = order[i].tolist()
        assert sorted(ranks[j] for j in guessed) == list(range(len(guessed)))
        assert all(rank == -1 for j, rank in enumerate(ranks) if j not in guessed)


def test_who_sees_whom() -> None:
    real = torch.tensor([[True, True, True, True, False]])
    seen = permutation_mask(torch.tensor([[1, -1, 0, -1, -1]]), real)[0, 0].int().tolist()
    assert seen == [[0, 1, 1, 1, 0], *[[0, 1, 0, 1, 0]] * 4]
