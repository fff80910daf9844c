"""Cut, add, pad and mask as one pass: the same as step by step, in torch and in Numba."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.token_batches import as_ragged, lists_of_tokens, padded

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms import (
    AddSpecialTokens,
    Compose,
    MaskTokens,
    Pad,
    Truncate,
    TruncatePair,
)
from domainkit.text.transforms import mask_tokens as mask_module
from domainkit.text.transforms.kernels import rows

MASK = MaskTokens(mask_id=2, vocab_size=100, p=0.5, special_ids=(0, 1))


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, Ragged):
        return torch.equal(a.offsets, b.offsets) and equal(a.values, b.values)
    return a.dtype == b.dtype and torch.equal(a, b)


@given(
    lists_of_tokens,
    st.sampled_from(["left", "right"]),
    st.sampled_from(["left", "right"]),
    st.integers(1, 10),
    st.sets(st.sampled_from(["cut", "around", "mask", "pad"]), min_size=2),
    st.sampled_from([torch.int32, torch.int64]),
)
def test_one_pass_is_the_steps(
    lists: list[list[int]], side: str, end: str, most: int, which: set[str], dtype: torch.dtype
) -> None:
    steps = {
        "cut": Truncate(most, side=end),
        "around": AddSpecialTokens((0, 1), (1,), type_ids=True),
        "mask": MASK,
        "pad": Pad(1, multiple_of=4, side=side),
    }
    chosen = [step for name, step in steps.items() if name in which]
    batch = {"tokens": as_ragged(lists, dtype)}
    draws = Draws(3, 1, torch.arange(len(lists)) + 7)
    fused = Compose(chosen)
    assert [len(one.steps) for one in fused.plan().passes] == [len(chosen)]
    ours = fused(batch, draws)
    theirs = Compose(chosen, fuse=False)(batch, draws)
    with pytest.MonkeyPatch.context() as patch:  # the torch form of each
        for module in (rows, mask_module):
            patch.setattr(module, "numba_can", lambda values: False)
        plain = Compose(chosen, fuse=False)(batch, draws)
    assert ours.keys() == theirs.keys() == plain.keys()
    for name in ours:
        assert equal(ours[name], theirs[name]) and equal(ours[name], plain[name]), name


@given(lists_of_tokens, st.sampled_from(["left", "right"]))
def test_special_tokens_by_lists(lists: list[list[int]], side: str) -> None:
    batch = Compose([AddSpecialTokens((1,), (2, 2)), Pad(0, side=side)])(
        {"tokens": as_ragged(lists)}
    )
    rows_ = [[1, *row, 2, 2] for row in lists]
    longest = max(map(len, rows_))
    assert batch["tokens"].tolist() == padded(rows_, 0, longest, side)
    ones = [[1] * len(row) for row in rows_]
    assert batch["attention_mask"].int().tolist() == padded(ones, 0, longest, side)


@given(lists_of_tokens, st.data())
def test_pairs_by_lists(lists: list[list[int]], data: st.DataObject) -> None:
    one = st.lists(st.integers(3, 99), max_size=9)
    second = data.draw(st.lists(one, min_size=len(lists), max_size=len(lists)))
    batch = AddSpecialTokens((0,), (2,), between=(2, 2))(
        {"tokens": as_ragged(lists), "pair_tokens": as_ragged(second), "name": ["x"] * len(lists)}
    )
    assert set(batch) == {"tokens", "token_type_ids", "name"}
    for i, (a, b) in enumerate(zip(lists, second, strict=True)):
        assert batch["tokens"][i].tolist() == [0, *a, 2, 2, *b, 2]
        assert batch["token_type_ids"][i].tolist() == [0] * (len(a) + 2) + [1] * (len(b) + 2)


@given(
    st.lists(st.integers(3, 99), max_size=12),
    st.lists(st.integers(3, 99), max_size=12),
    st.integers(1, 14),
    st.sampled_from(["longest_first", "only_first", "only_second"]),
    st.sampled_from(["left", "right"]),
)
def test_pairs_are_cut_as_by_tokenizers(
    a: list[int], b: list[int], most: int, strategy: str, side: str
) -> None:
    from tokenizers import Tokenizer, models

    words = Tokenizer(models.WordLevel({str(i): i for i in range(100)}, unk_token="0"))
    words.enable_truncation(most, strategy=strategy, direction=side)
    batch = {"tokens": as_ragged([a]), "pair_tokens": as_ragged([b])}
    op = TruncatePair(most, strategy, side)
    fixed = len(b) if strategy == "only_first" else len(a)
    if strategy != "longest_first" and fixed >= most and len(a) + len(b) > most:
        # the library refuses to leave nothing of the other, and so does this
        with pytest.raises(TransformError, match='"longest_first" takes from both'):
            op(batch)
        return
    encoding = words.encode([str(i) for i in a], [str(i) for i in b], is_pretokenized=True)
    out = op(batch)
    ids = [*out["tokens"][0].tolist(), *out["pair_tokens"][0].tolist()]
    assert ids == encoding.ids
    assert len(out["tokens"][0]) == encoding.sequence_ids.count(0)


def test_what_the_pass_leaves_to_the_steps() -> None:
    chain = Compose([Truncate(2), Pad()])
    tokens = as_ragged([[5, 6, 7]])
    labelled = {"tokens": tokens, "labels": tokens}
    assert "labels move along" in str(chain.plan(labelled))
    assert chain(labelled)["labels"].tolist() == [[5, 6]]
    assert chain(tokens).tolist() == [[5, 6]]
    assert "numba" in str(chain.plan({"tokens": tokens}))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AddSpecialTokens(begin=(-1,)), r"begin: token ids, .* got \(-1,\)"),
        (lambda: AddSpecialTokens(end=("a",)), r"end: token ids"),
        (lambda: TruncatePair(0), "max_length of 1 or more, got 0"),
        (lambda: TruncatePair(4, "first"), "strategy 'longest_first'.* got 'first'"),
        (lambda: TruncatePair(4)({"tokens": as_ragged([[1]])}), "needs the field 'pair_tokens'"),
        (lambda: TruncatePair(4)(as_ragged([[1]])), "works on a batch with tokens and pair_tokens"),
    ],
)
def test_wrong_arguments(make: Any, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        make()
