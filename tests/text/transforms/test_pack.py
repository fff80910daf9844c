"""Pack: no token lost, documents whole, the rows of best fit by a plain search, speed aside."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.token_batches import as_ragged, lists_of_tokens

from domainkit.errors import TransformError
from domainkit.text.transforms import NextToken, Pack
from domainkit.text.transforms.kernels import packing, rows
from domainkit.text.transforms.kernels.best_fit import assigned
from domainkit.text.transforms.pack import document_mask


def searched(sizes: list[int], length: int) -> list[list[int]]:
    """Best-fit decreasing by looking at every row; the newest of equally full rows."""
    room: list[int] = []
    touched: list[int] = []  # when a row got its room
    held: list[list[int]] = []
    for step, i in enumerate(sorted(range(len(sizes)), key=lambda i: (-sizes[i], i))):
        fits = [r for r in range(len(room)) if room[r] >= sizes[i]]
        if fits:
            r = min(fits, key=lambda r: (room[r], -touched[r]))
        else:
            r = len(room)
            room.append(length)
            touched.append(0)
            held.append([])
        room[r] -= sizes[i]
        touched[r] = step
        held[r].append(i)
    return sorted(sorted(row) for row in held)


@given(st.lists(st.integers(1, 16), min_size=1, max_size=40))
def test_rows_are_those_of_a_plain_search(sizes: list[int]) -> None:
    row = packing.best_fit(np.array(sizes), 16)
    ours = [np.flatnonzero(row == r).tolist() for r in range(int(row.max()) + 1)]
    assert ours == searched(sizes, 16)  # and in the order of their first documents
    plain = np.empty(len(sizes), np.int64)
    order = np.argsort(-np.array(sizes), kind="stable")
    assert assigned(np.array(sizes), order, 16, plain) == len(ours)


@given(lists_of_tokens, st.sampled_from(["best-fit", "concat"]), st.integers(1, 12))
def test_no_token_is_lost(lists: list[list[int]], strategy: str, length: int) -> None:
    batch = {"tokens": as_ragged(lists), "name": [str(i) for i in range(len(lists))]}
    batch["labels"] = NextToken()(batch)["labels"]
    out = Pack(length, strategy, value=1)(batch)
    tokens, document = out["tokens"], out["document_ids"]
    assert tokens.shape[1] == length and out["name"] == batch["name"]
    for i, tokens_of in enumerate(lists):
        there = document == i
        found = list(zip(tokens[there].tolist(), out["labels"][there].tolist(), strict=True))
        expected = list(zip(tokens_of, [*tokens_of[1:], -100], strict=False))
        if strategy == "best-fit" and len(tokens_of) > length:  # its pieces lie in any rows
            found, expected = sorted(found), sorted(expected)
        assert found == expected
        if strategy == "best-fit" and len(tokens_of) <= length:
            assert there.any(1).sum() == bool(tokens_of)  # whole, in one row
    empty = document == -1
    assert (tokens[empty] == 1).all() and (out["labels"][empty] == -100).all()
    assert torch.equal(out["attention_mask"], ~empty)
    assert (out["position_ids"][empty] == 0).all()
    # positions count from 0 where a document or a row begins
    new = torch.ones_like(empty)
    new[:, 1:] = document[:, 1:] != document[:, :-1]
    assert torch.equal((out["position_ids"] == 0) | empty, new | empty)
    step = out["position_ids"][:, 1:] - out["position_ids"][:, :-1]
    assert (step[~new[:, 1:] & ~empty[:, 1:]] == 1).all()
    if strategy == "concat":
        assert not empty[:-1].any()


@given(lists_of_tokens, st.sampled_from(["best-fit", "concat"]))
def test_torch_gives_what_numba_gives(lists: list[list[int]], strategy: str) -> None:
    batch = {"tokens": as_ragged(lists)}
    ours = Pack(5, strategy)(batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "numba_can", lambda values: False)
        patch.setattr(rows, "numba_can", lambda values: False)
        theirs = Pack(5, strategy)(batch)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_rows_hold_few_gaps() -> None:
    lengths = np.random.default_rng(0).integers(20, 900, 2000)
    plan = packing.plan_rows(lengths, 2048, "best-fit")
    assert plan.rows <= 1.02 * lengths.sum() / 2048  # the least there could be, and 2 %


def test_documents_do_not_see_each_other() -> None:
    mask = document_mask(torch.tensor([[0, 0, 1, 1, -1]]))[0, 0]
    expected = torch.block_diag(torch.ones(2, 2), torch.ones(2, 2), torch.ones(1, 1)).bool()
    assert torch.equal(mask, expected)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((0,), "length of 1 or more, got 0"),
        ((8, "first-fit"), "strategy 'best-fit', 'concat', got 'first-fit'"),
        ((8, "concat", -1), "value: token ids, whole numbers of at least 0; got -1"),
    ],
)
def test_wrong_arguments(args: tuple[object, ...], message: str) -> None:
    with pytest.raises(TransformError, match=message):
        Pack(*args)  # type: ignore[arg-type]
