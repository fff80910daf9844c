"""The language of ``split=`` against Python's own slices."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainkit.errors import NotFoundError
from domainkit.splits import SplitPart, parse_split

ENDS = st.none() | st.integers(-300, 300)
PERCENTS = st.none() | st.integers(-250, 250)


def rows(text: str, total: int) -> range:
    (part,) = parse_split(text)
    return part.rows(total)


def written(end: int | None, unit: str = "") -> str:
    return "" if end is None else f"{end}{unit}"


@given(ENDS, ENDS, st.integers(0, 200))
def test_rows_are_a_slice(start, stop, total):
    got = rows(f"train[{written(start)}:{written(stop)}]", total)
    assert list(got) == list(range(total))[start:stop]


@given(PERCENTS, PERCENTS, st.integers(0, 200))
def test_per_cents_are_clamped_and_rounded_to_whole_rows(start, stop, total):
    def row(percent: int | None, missing: int) -> int:
        if percent is None:
            return missing
        count = abs(percent) * total // 100
        return min(total, count) if percent >= 0 else max(0, total - count)

    got = rows(f"train[{written(start, '%')}:{written(stop, '%')}]", total)
    assert list(got) == list(range(total)[row(start, 0) : row(stop, total)])


@given(st.integers(0, 100), st.integers(0, 10_000))
def test_two_parts_of_a_cut_are_the_whole(percent, total):
    for end in (f"{percent}%", f"-{percent}%") if percent else ("0%",):
        head, tail = rows(f"t[:{end}]", total), rows(f"t[{end}:]", total)
        assert [*head, *tail] == list(range(total))


@given(st.integers(1, 20), st.integers(0, 1000))
def test_folds_are_disjoint_and_complete(folds, total):
    cuts = [100 * k // folds for k in range(folds + 1)]
    seen = [i for a, b in pairwise(cuts) for i in rows(f"t[{a}%:{b}%]", total)]
    assert seen == list(range(total))


def test_names_and_sums():
    assert parse_split("train") == [SplitPart("train")]
    assert parse_split("train[:]") == [SplitPart("train")]
    assert parse_split(" train + test[5:] ") == [SplitPart("train"), SplitPart("test", "5", None)]
    assert parse_split("dev-clean.2[1:2]+x+x[3:]") == [
        SplitPart("dev-clean.2", "1", "2"),
        SplitPart("x"),
        SplitPart("x", "3", None),
    ]


def test_nothing_of_nothing():
    assert list(rows("t[:50%]", 0)) == list(rows("t[-3:]", 0)) == list(rows("t", 0)) == []


@pytest.mark.parametrize(
    "text",
    [
        *("", "+", "train+", "+train", "train[]", "train[5]", "train[1:2:3]", "train[:", "train]"),
        *("train[a:b]", "train[:1.5%]", "train[:10%%]", "train[: 5]", "tr ain", "trän", "train\n"),
        *("train[:٣]", "[:5]", "train[:5][:2]", "train-[--5:]", "../etc", "a/b"),
    ],
)
def test_anything_else_is_refused(text):
    if text.strip() != text and text.strip() == "train":
        assert parse_split(text) == [SplitPart("train")]  # a line end around it does no harm
        return
    with pytest.raises(NotFoundError, match="is not a split: write a name"):
        parse_split(text)
