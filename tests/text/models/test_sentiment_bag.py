"""SentimentBag against a loop over sets and dicts, and alike in every form of a batch."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from support.token_batches import as_ragged, lists_of_tokens

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.models import SentimentBag
from domainkit.text.transforms import Pad

ROWS = [[5, 7, 5, 7], [9], [], [7, 5], [3, 3, 3, 4, 99]]


def model(buckets: int = 64, seed: int = 0) -> SentimentBag:
    """A bag with random weights that has counted four texts."""
    bag = SentimentBag(vocab_size=100, num_classes=3, buckets=buckets)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        bag.weight.normal_(generator=generator)
        bag.bias.normal_(generator=generator)
    bag.train()
    bag(as_ragged([[5, 7], [5, 9, 9], [4], [7, 5, 7]]))
    return bag.eval()


def features(row: list[int], buckets: int) -> set[int]:
    """Distinct tokens, and distinct buckets of neighbours, by Python's own numbers."""
    return {*row} | {100 + (a * 2654435761 + b * 40503) % buckets for a, b in pairwise(row)}


def by_loop(bag: SentimentBag, row: list[int]) -> list[float]:
    found = sorted(features(row, bag.buckets))
    documents, frequency = float(bag.documents), bag.frequency.tolist()
    rarity = [math.log((1 + documents) / (1 + frequency[f])) + 1 for f in found]
    length = math.sqrt(sum(r * r for r in rarity)) or 1.0
    logits = bag.bias.tolist()
    for feature, r in zip(found, rarity, strict=True):
        for c, weight in enumerate(bag.weight[feature].tolist()):
            logits[c] += weight * r / length
    return logits


@given(lists_of_tokens)
def test_equals_a_loop(rows: list[list[int]]) -> None:
    bag = model()
    truth = torch.tensor([by_loop(bag, row) for row in rows])
    torch.testing.assert_close(bag(as_ragged(rows)), truth, atol=1e-5, rtol=1e-5)


@given(lists_of_tokens)
def test_alone_in_a_batch_ragged_and_padded(rows: list[list[int]]) -> None:
    bag = model()
    together = bag(as_ragged(rows))
    alone = torch.cat([bag(as_ragged([row])) for row in rows])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)
    for side in ("right", "left"):
        dense = Pad(0, multiple_of=4, side=side)(as_ragged(rows))
        torch.testing.assert_close(bag(dense), together, atol=1e-6, rtol=1e-5)


def test_pairs_do_not_cross_texts_and_a_feature_counts_once() -> None:
    bag = model(buckets=4096)
    joined, split = bag(as_ragged([[5, 7]])), bag(as_ragged([[5], [7]]))
    assert not torch.allclose(joined[0], split[0]) and not torch.allclose(joined[0], split[1])
    assert torch.equal(bag(as_ragged([[5, 7, 5, 7]])), bag(as_ragged([[5, 7, 5]])))
    assert not torch.equal(bag(as_ragged([[5, 7]])), bag(as_ragged([[7, 5]])))  # order matters
    assert torch.equal(bag(as_ragged([[]]))[0], bag.bias)


def test_counts_texts_while_it_trains_and_not_after() -> None:
    bag = SentimentBag(vocab_size=100, buckets=64)
    for _ in range(2):
        bag(as_ragged(ROWS))
    counts = Counter(f for row in ROWS for f in features(row, 64))
    assert float(bag.documents) == 2 * len(ROWS)
    assert {f: 2 * n for f, n in counts.items()} == {
        f: int(n) for f, n in enumerate(bag.frequency.tolist()) if n
    }
    bag.eval()(as_ragged(ROWS))
    assert float(bag.documents) == 2 * len(ROWS)
    again = SentimentBag(vocab_size=100, buckets=64).eval()
    again.load_state_dict(bag.state_dict())
    assert torch.equal(again(as_ragged(ROWS)), bag(as_ragged(ROWS)))


def test_learns_what_a_pair_says() -> None:
    # "good" is positive, "not good" is negative, "bad" the other way round: no token tells alone
    rows = [[10], [11], [12, 10], [12, 11]]
    target = torch.tensor([1, 0, 0, 1])
    bag = SentimentBag(vocab_size=100)
    update = torch.optim.SGD(bag.parameters(), lr=2.0)
    for _ in range(100):
        loss = torch.nn.functional.cross_entropy(bag(as_ragged(rows)), target)
        update.zero_grad()
        loss.backward()
        update.step()
    assert torch.equal(bag.eval()(as_ragged(rows)).argmax(1), target)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (torch.zeros(2, 3), "takes int64 tokens, got torch.float32"),
        (as_ragged([[5]], torch.int32), "takes int64 tokens"),
        (torch.zeros(3, dtype=torch.int64), r"takes tokens \[L_i\] or \[B, L\], got \[3\]"),
        (Ragged.from_list([torch.zeros(2, 2, dtype=torch.int64)]), "got Ragged"),
        (as_ragged([[5, 100]]), r"knows ids 0\.\.99, got 5\.\.100: is it another tokenizer's"),
        (torch.tensor([[-1]]), r"got -1\.\.-1"),
    ],
)
def test_wrong_input(tokens: Any, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        model()(tokens)
