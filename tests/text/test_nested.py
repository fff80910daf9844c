"""Nested: padded as by plain loops, inner results back to their samples."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text import Nested, collate_nested

documents = st.lists(
    st.lists(st.lists(st.integers(1, 99), max_size=4), max_size=4), min_size=1, max_size=4
)


@given(documents)
def test_padded_by_loops(samples: list[list[list[int]]]) -> None:
    batch = collate_nested(samples)
    dense, real = batch.pad(7)
    most = max(map(len, samples))
    longest = max((len(row) for sample in samples for row in sample), default=0)
    assert dense.shape == real.shape == (len(samples), most, longest)
    for i, sample in enumerate(samples):
        for j in range(most):
            row = sample[j] if j < len(sample) else []
            assert dense[i, j].tolist() == row + [7] * (longest - len(row))
            assert real[i, j].tolist() == [k < len(row) for k in range(longest)]
    lengths = batch.outer(batch.items.lengths)
    assert [x.tolist() for x in lengths] == [[len(row) for row in s] for s in samples]


def test_what_is_not_nested() -> None:
    with pytest.raises(TransformError, match="takes lists of sequences of whole numbers, got"):
        collate_nested([[1, 2]])
    with pytest.raises(TransformError, match="takes lists of sequences"):
        collate_nested([[["a"]]])
    items = Ragged.from_list([torch.tensor([1])])
    with pytest.raises(TransformError, match=r"add up to 1, got torch\.int64 that add up to 2"):
        Nested(items, torch.tensor([2]))
    with pytest.raises(TransformError, match="expected 1 rows, got 3"):
        Nested(items, torch.tensor([1])).outer(torch.zeros(3))
