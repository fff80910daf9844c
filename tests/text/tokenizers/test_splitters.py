"""Splitters against torchtext's rules, written down here as its regular expressions."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainkit.errors import NotFoundError, TransformError
from domainkit.text.tokenizers import (
    RegexSplitter,
    basic_english,
    get_splitter,
    ngrams,
    whitespace,
)

# torchtext.data.utils: what "basic_english" replaces, in this order, after lowering
RULES = [
    *((r"\'", " '  "), (r"\"", ""), (r"\.", " . "), (r"<br \/>", " "), (r",", " , ")),
    *((r"\(", " ( "), (r"\)", " ) "), (r"\!", " ! "), (r"\?", " ? "), (r"\;", " "), (r"\:", " ")),
    (r"\s+", " "),
]


def by_the_rules(text: str) -> list[str]:
    text = text.lower()
    for pattern, new in RULES:
        text = re.sub(pattern, new, text)
    return text.split()


@given(
    text=st.lists(
        st.sampled_from([*"aBİ'\".,()!?;:<>/ \n\t", "<br />", '<br "/>', "br", "word", "é"])
    ).map("".join)
)
def test_basic_english(text: str) -> None:
    assert basic_english(text) == by_the_rules(text)


def test_basic_english_on_real_text(sentences: list[str]) -> None:
    assert basic_english(sentences) == [by_the_rules(text) for text in sentences]


def test_regex_and_whitespace() -> None:
    splitter = RegexSplitter(tuple(RULES))
    assert splitter(["It's ok.", ""]) == [["It", "'", "s", "ok", "."], []]
    assert pickle.loads(pickle.dumps(splitter)) == splitter
    assert whitespace(" a\u00a0b \n c") == ["a", "b", "c"]
    with pytest.raises(TransformError, match="RegexSplitter takes"):
        RegexSplitter([("(", "")])


def test_by_name() -> None:
    assert get_splitter("basic_english") is basic_english and get_splitter(None) is whitespace
    with pytest.raises(NotFoundError, match="basic_english"):
        get_splitter("basic_englisch")
    with pytest.raises(TransformError, match="list of str"):
        basic_english([1])


def test_ngrams() -> None:
    assert list(ngrams(["a", "b", "c"], 3)) == ["a", "b", "c", "a b", "b c", "a b c"]
    assert list(ngrams([], 2)) == [] and list(ngrams(["a"], 5)) == ["a"]
    with pytest.raises(TransformError, match="from 1 on"):
        ngrams(["a"], 0)
