"""Ids back to texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.tokenizers import Tokenizer

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5)


@pytest.fixture(scope="module", params=["auto", "tokenizers"])
def byte_bpe(request: pytest.FixtureRequest, gpt2: Path) -> Tokenizer:
    return Tokenizer.from_file(gpt2, backend=request.param)


@pytest.fixture(scope="module")
def rank_file(tiktoken_file: Callable[[str], Path]) -> Tokenizer:
    return Tokenizer.from_file(tiktoken_file("cl100k_base"))


@given(texts=TEXTS)
def test_bytes_lose_nothing(byte_bpe: Tokenizer, texts: list[str]) -> None:
    assert byte_bpe.decode(byte_bpe.encode(texts)) == texts


@given(texts=TEXTS)
def test_rank_files_lose_nothing(rank_file: Tokenizer, texts: list[str]) -> None:
    assert rank_file.decode(rank_file.encode(texts)) == texts


@given(texts=TEXTS)
def test_hard_texts_lose_nothing_with_byte_fallback(
    code_model: Tokenizer, texts: list[str]
) -> None:
    texts = [text for text in texts if "▁" not in text]
    assert code_model.decode(code_model.encode(texts)) == texts


@pytest.fixture(scope="module")
def code_model(spm: Callable[[str], Path]) -> Tokenizer:
    return Tokenizer.from_file(spm("code"))


def test_every_form_of_ids(bert: Path) -> None:
    tokenizer = Tokenizer.from_file(bert)
    tokens = tokenizer.encode(["Hello there!", "you"])
    dense, _ = tokens.pad(0)
    texts = ["hello there!", "you"]
    rows = [row.tolist() for row in tokens]
    for ids in (tokens, dense, dense.numpy(), rows, list(tokens), [np.array(r) for r in rows]):
        assert tokenizer.decode(ids) == texts
    assert tokenizer.decode(tokens[1]) == tokenizer.decode(rows[1]) == ["you"]
    assert tokenizer.decode(rows[1], special_tokens=True) == ["[CLS] you [SEP]"]
    assert isinstance(tokens, Ragged)


def test_texts_equal_those_of_transformers(bert: Path, sentences: list[str]) -> None:
    tokenizer, truth = Tokenizer.from_file(bert), transformers.BertTokenizer.from_pretrained(bert)
    tokens = tokenizer.encode(sentences[:50])
    args = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    theirs = truth.batch_decode([row.tolist() for row in tokens], **args)
    assert [text.replace(" ", "") for text in tokenizer.decode(tokens)] == [
        text.replace(" ", "") for text in theirs
    ]


def test_ids_that_are_none(bert: Path) -> None:
    tokenizer = Tokenizer.from_file(bert)
    with pytest.raises(TransformError, match="begin at 0, got -100"):
        tokenizer.decode(torch.tensor([[5, -100]]))
    with pytest.raises(TransformError, match="from 0 to 30521, got 30522"):
        tokenizer.decode([30522])
    for wrong in ("abc", 5, [1.5], [["a"]], [[1], 2]):
        with pytest.raises(TransformError, match="decode takes"):
            tokenizer.decode(wrong)
