"""What stands beside the tokens: it follows each step, and padding never counts as text."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.token_batches import as_ragged

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms import (
    AddSpecialTokens,
    Compose,
    MaskTokens,
    NextToken,
    Pack,
    Pad,
    RandomCrop,
    RandomDeletion,
    RandomSwap,
    SpanCorruption,
    Truncate,
    TruncatePair,
)

ROWS = [[5, 6, 7, 8], [9], [10, 11, 12]]


def draws(count: int, seed: int = 0) -> Draws:
    return Draws(seed, 0, torch.arange(count))


def beside(rows: list[list[int]]) -> dict[str, Any]:
    """A batch whose other fields say which token they belong to."""
    tokens = as_ragged(rows)
    names = ("labels", "token_type_ids", "word_ids")
    return {"tokens": tokens, **{name: tokens.with_values(tokens.values + 100) for name in names}}


@pytest.mark.parametrize(
    "step",
    [
        Truncate(2, side="left"),
        RandomCrop(2),
        RandomDeletion(0.5),
        RandomSwap(3),
        Compose([RandomSwap(2), Pad(0)]),
        Compose([Truncate(3), Pad(0)]),
    ],
    ids=str,
)
def test_fields_follow_their_tokens(step: Any) -> None:
    out = step(beside(ROWS), draws(3))
    flat = {k: v.values if isinstance(v, Ragged) else v for k, v in out.items()}
    real = flat["tokens"] > 0
    for name in ("labels", "token_type_ids", "word_ids"):
        assert flat[name].shape == flat["tokens"].shape
        assert torch.equal(flat[name][real], flat["tokens"][real] + 100)


def test_new_special_tokens_have_their_fillers() -> None:
    out = Compose([AddSpecialTokens((1,), (2,)), Pad(0)])(beside(ROWS))
    assert out["labels"][0].tolist() == [-100, 105, 106, 107, 108, -100]
    assert out["token_type_ids"][1].tolist() == [0, 109, 0, 0, 0, 0]
    assert out["word_ids"][1].tolist() == [-1, 109, -1, -1, -1, -1]
    with pytest.raises(TransformError, match="position_ids and document_ids: put it before Pack"):
        AddSpecialTokens((1,))(Pack(4)({"tokens": as_ragged(ROWS)}))


def test_pairs_keep_no_field_of_the_first_alone() -> None:
    batch = beside(ROWS)
    del batch["labels"]
    batch["pair_tokens"] = as_ragged([[1], [2], [3]])
    cut = TruncatePair(3)(batch)
    assert torch.equal(cut["word_ids"].values, cut["tokens"].values + 100)
    joined = AddSpecialTokens((0,), (0,))(batch)
    assert set(joined) == {"tokens", "token_type_ids"}


def padded_batch(rows: list[list[int]], side: str) -> dict[str, Any]:
    return dict(Pad(0, side=side)({"tokens": as_ragged(rows)}))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    "step",
    [
        AddSpecialTokens((1,), (2,)),
        RandomCrop(2),
        RandomDeletion(0.3),
        RandomSwap(2),
        SpanCorruption(999),
        Pack(5),
    ],
    ids=lambda step: type(step).__name__,
)
def test_padding_is_no_text(step: Any, side: str) -> None:
    theirs = step({"tokens": as_ragged(ROWS)}, draws(3))
    ours = step(padded_batch(ROWS, side), draws(3))
    assert ours.keys() == theirs.keys()
    for name, x in theirs.items():
        a, b = (v.values if isinstance(v, Ragged) else v for v in (ours[name], x))
        assert torch.equal(a, b), name


def test_spans_lie_on_text_only() -> None:
    op = MaskTokens(2, 100, p=0.3, unit="span")
    rows = [[7] * 10, [8] * 40]
    dense = padded_batch(rows, "right")
    for seed in range(20):
        ragged = op({"tokens": as_ragged(rows)}, draws(2, seed))["labels"]
        labels = op(dense, draws(2, seed))["labels"]
        assert labels[0, 10:].eq(-100).all()
        assert torch.equal(labels[0, :10], ragged[0]) and torch.equal(labels[1], ragged[1])
    assert MaskTokens(2, 100, p=0.0, unit="span")(as_ragged(rows))[1].values.eq(-100).all()


def test_words_begin_anywhere() -> None:
    """Cut on the left or packed, each word still has a number of its own, the sample's."""
    op = MaskTokens(2, 100, p=0.5, unit="word")
    words = as_ragged([[7, 7, 8, 9, 9], [4, 4]])
    tokens = as_ragged([[50, 51, 52, 53, 54], [60, 61]])
    seen = set()
    for seed in range(200):
        hit = op({"tokens": tokens, "word_ids": words}, draws(2, seed))["labels"]
        first, second = (hit[i].ne(-100).tolist() for i in (0, 1))
        assert first[0] == first[1] and first[3] == first[4] and second[0] == second[1]
        alone = op({"tokens": tokens[1:], "word_ids": words[1:]}, Draws(seed, 0, torch.tensor([1])))
        assert torch.equal(alone["labels"].values, hit[1])
        seen.add((first[0], first[2], first[3], second[0]))
    assert len(seen) == 16  # none hangs on another
    packed = Pack(8)({"tokens": tokens, "word_ids": as_ragged([[0, 0, 1, 2, 2], [2, 2]])})
    apart = 0
    for seed in range(200):
        hit = op(packed, draws(1, seed))["labels"][0].ne(-100)
        apart += bool(hit[4] != hit[5])
    assert apart > 50


def test_labels_of_another_sequence_are_padded_by_themselves() -> None:
    for size, width in ((None, None), (32, 32)):
        out = Compose([SpanCorruption(999), Pad(0, size=size)])(
            {"tokens": as_ragged([[7] * 20, [8] * 12])}, draws(2)
        )
        assert out["labels"].ndim == 2 and out["attention_mask"].shape == out["tokens"].shape
        assert width is None or out["labels"].shape[1] == width
        assert out["labels"][1].ne(-100).sum() == 4  # a span of 2, its sentinel, the end


def test_steps_behind_pack() -> None:
    batch = {"tokens": as_ragged(ROWS)}
    out = Compose([NextToken(), Pack(4), Pad(0, size=6)])(batch, draws(3))
    assert out["tokens"].shape == out["labels"].shape == (2, 6)
    with pytest.raises(TransformError, match="draws for 3 samples and a batch of 2: put random"):
        Compose([Pack(4), MaskTokens(2, 100)])(batch, draws(3))


@pytest.mark.parametrize("step", [AddSpecialTokens((1,), (2,)), RandomCrop(2), Truncate(2), Pad(0)])
def test_no_rows(step: Any) -> None:
    assert len(step(torch.zeros(0, 3, dtype=torch.int64))) == 0
    none = Ragged.from_shapes(torch.zeros(0, dtype=torch.int64), [])
    assert len(step({"tokens": none})["tokens"]) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaskTokens(None, 100), "needs mask_id.* got None: does this tokenizer have one"),
        (lambda: MaskTokens(2, 100, p="a"), r"p in \[0, 1\], got 'a'"),
        (lambda: Pad(None), "needs value: token ids"),
        (
            lambda: MaskTokens(2, 100)(
                {"tokens": torch.zeros(2, 3).long(), "attention_mask": torch.ones(2, 2)}
            ),
            r"attention_mask must be \[B, L\] as the tokens, got \[2, 2\] for \[2, 3\]",
        ),
        (
            lambda: NextToken()({"tokens": torch.zeros(2, 3).long(), "attention_mask": 1}),
            r"attention_mask must be \[B, L\] as the tokens, got 1",
        ),
    ],
)
def test_wrong_arguments(make: Any, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        make()
