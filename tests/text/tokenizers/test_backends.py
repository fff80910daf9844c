# ruff: noqa: RUF001  (letters that look alike are the point)
"""The backends: ids equal to the reference's, which one is taken, and what they leave to it."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domainkit.errors import MissingExtraError, TransformError
from domainkit.text.tokenizers import Tokenizer
from domainkit.text.tokenizers.backends.choice import choose
from domainkit.text.tokenizers.backends.doubts import repetitions, risky_threes

PARTS = [
    *("a", "A", "the ", " ", "  ", "\n", "\r\n", "\t", ".", "!!", "?", "'s", "'LL", "1", "234"),
    *("é", "e\u0301", "o\u0302\u0323", "Ж", "中", "🙂", "\u200d", "\x00", "\x85", "\xa0", "\u3000"),
    *("ſ", "ǅ", "-", "_", "/", "ا", "क", "\u094d", "\ufeff", "İ", "ß", "か\u3099", "ha", "\u1112"),
    *("\u1161", "<|endoftext|>", "</s>", "<unk>", "▁", "good", "not "),
]


def noise(count: int) -> list[str]:
    draw = random.Random(0)
    return ["".join(draw.choices(PARTS, k=draw.randint(1, 25))) for _ in range(count)]


def equal(tokenizer: Tokenizer, texts: list[str]) -> None:
    reference = Tokenizer.from_json(tokenizer.to_json(), backend="tokenizers")
    mine, theirs = tokenizer.encode(texts), reference.encode(texts)
    wrong = [
        text for text, a, b in zip(texts, mine, theirs, strict=True) if a.tolist() != b.tolist()
    ]
    assert wrong == []
    assert np.array_equal(mine.host_offsets, theirs.host_offsets)


@pytest.mark.parametrize("backend", ["gigatoken", "tiktoken"])
@pytest.mark.parametrize("stem", ["vocab.json", "cl100k_base", "o200k_base", "gpt2"])
def test_byte_bpe(
    gpt2: Path,
    tiktoken_file: Callable[[str], Path],
    sentences: list[str],
    megabyte: str,
    stem: str,
    backend: str,
) -> None:
    file = gpt2 / stem if stem == "vocab.json" else tiktoken_file(stem)
    tokenizer = Tokenizer.from_file(file, backend=backend)
    assert tokenizer.backend == backend
    equal(tokenizer, [*noise(1000), *sentences[:300], megabyte[:30_000]])
    assert Tokenizer.from_file(file).backend == "gigatoken"  # the fastest


@pytest.mark.parametrize("kind", ["unigram", "bpe", "bytes", "code", "across", "bare", "t5"])
def test_sentencepiece(
    spm: Callable[[str], Path], sentences: list[str], megabyte: str, kind: str
) -> None:
    family = "t5" if kind == "t5" else "plain"
    tokenizer = Tokenizer.from_file(spm(kind), backend="sentencepiece", family=family)
    assert tokenizer.backend == "sentencepiece"
    equal(tokenizer, [*noise(1000), *sentences[:300], megabyte[:30_000], "word" * 700])


def test_gigatoken_takes_sentencepiece_models_that_it_reads_alike(
    spm: Callable[[str], Path], sentences: list[str]
) -> None:
    tokenizer = Tokenizer.from_file(spm("code"))
    assert tokenizer.backend == "gigatoken"
    equal(tokenizer, [*noise(1000), *sentences[:300]])


def test_ties_go_to_the_reference() -> None:
    texts = [
        "",
        "!!!",
        "!!!!",
        "a!!!b",
        "xx ababab",
        "banana",
        "haha",
        "hahaha",
        "    ",
        "abcdabcdabcd",
    ]
    found = repetitions(texts, threes="", spaces=False)
    assert found.tolist() == [False, False, True, False, True, False, False, True, False, True]
    assert repetitions(["!!!", "..."], threes="!", spaces=False).tolist() == [True, False]
    assert repetitions(["    "], threes="", spaces=True).tolist() == [True]
    assert repetitions(["a", "a", "a", "a"], threes="a", spaces=True).tolist() == [False] * 4
    assert repetitions([], threes="", spaces=True).tolist() == []
    assert risky_threes({"-": -3.0, "--": -4.0}) == "-"
    assert risky_threes({"-": -3.0, "--": -4.0, "---": -5.0, "!": -1, "!!": -1}) == "!"


def test_the_reference_takes_what_nobody_else_does(bert: Path) -> None:
    assert Tokenizer.from_file(bert).backend == "tokenizers"
    for backend in ("gigatoken", "sentencepiece", "tiktoken"):
        with pytest.raises(TransformError, match=f"{backend} cannot be used here"):
            Tokenizer.from_file(bert, backend=backend)
    with pytest.raises(TransformError, match="Did you mean"):
        Tokenizer.from_file(bert, backend="tiktokens")


@pytest.mark.parametrize("module", ["gigatoken", "tiktoken"])
def test_without_the_optional_libraries(
    gpt2: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    other = "tiktoken" if module == "gigatoken" else "gigatoken"
    assert Tokenizer.from_file(gpt2).backend == other
    with pytest.raises(MissingExtraError, match=r"domainkit\[tokenizers\]"):
        Tokenizer.from_file(gpt2, backend=module)
    monkeypatch.setitem(sys.modules, other, None)
    assert Tokenizer.from_file(gpt2).backend == "tokenizers"


def test_a_backend_with_other_ids_is_not_taken(gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from domainkit.text.tokenizers.backends import giga, tik

    right = giga.Gigatoken.encode

    def wrong(self: Any, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        values, lengths = right(self, texts)
        values[-1] += 1
        return values, lengths

    monkeypatch.setattr(giga.Gigatoken, "encode", wrong)
    monkeypatch.setattr(tik.Tiktoken, "encode", lambda self, texts: right(self, texts[:-1]))
    assert Tokenizer.from_file(gpt2).backend == "tokenizers"
    with pytest.raises(TransformError, match="gives other ids for"):
        Tokenizer.from_file(gpt2, backend="gigatoken")


def test_added_tokens_of_normalized_text_need_the_reference(bert: Path) -> None:
    from tokenizers import AddedToken
    from tokenizers import Tokenizer as Library

    library = Library.from_file(str(bert / "tokenizer.json"))
    library.add_tokens([AddedToken("brandnew", normalized=True)])
    assert choose(library, None, "auto").name == "tokenizers"
    with pytest.raises(TransformError, match="after normalization"):
        choose(library, None, "gigatoken")
