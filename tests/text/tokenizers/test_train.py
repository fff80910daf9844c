"""Tokenizers that are trained, and those that have a name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import transformers

from domainkit import cache
from domainkit.errors import NotFoundError, OfflineError, TransformError
from domainkit.text.tokenizers import Tokenizer
from domainkit.text.tokenizers.names import known_names

KINDS = ["wordpiece", "bpe", "byte-bpe", "unigram", "word"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(sentences: list[str], kind: str) -> None:
    tokenizer = Tokenizer.train(iter(sentences), kind, 900, special_tokens=["<ent>"])
    assert 300 < tokenizer.vocab_size <= 900
    ent = tokenizer.token_to_id("<ent>")
    assert ent in tokenizer.special_ids
    assert ent in tokenizer.encode(["the <ent> good"])[0].tolist()
    tokens = tokenizer.encode(sentences[:50])
    known = sum(int((row != tokenizer.unk_id).sum()) for row in tokens) / len(tokens.values)
    assert known > (0.8 if kind == "word" else 0.97)
    backs = tokenizer.decode(tokens)
    for text, row, back in zip(sentences[:50], tokens, backs, strict=True):
        if kind != "word" and text.isascii() and tokenizer.unk_id not in row.tolist():
            assert "".join(back.lower().split()) == "".join(text.lower().split())


def test_wordpiece_is_berts(sentences: list[str], tmp_path: Path, hard: list[str]) -> None:
    tokenizer = Tokenizer.train(sentences, "wordpiece", 700, lowercase=False)
    vocab = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.vocab_size)]
    (tmp_path / "vocab.txt").write_text("\n".join(vocab), encoding="utf-8")
    truth = transformers.BertTokenizer.from_pretrained(str(tmp_path), do_lower_case=False)
    ids = [row.tolist() for row in tokenizer.encode(hard, hard[::-1])]
    assert ids == truth(hard, hard[::-1])["input_ids"]
    assert vocab[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.mark.parametrize("kind", ["byte-bpe", "word", "bpe"])
def test_it_is_the_same_in_every_run(sentences: list[str], kind: str) -> None:
    first, second = (Tokenizer.train(sentences, kind, 500).to_json() for _ in range(2))
    assert first == second


def test_capitals_stay_when_asked(sentences: list[str]) -> None:
    for kind in ("bpe", "unigram", "word", "wordpiece"):
        tokenizer = Tokenizer.train(sentences, kind, 600, lowercase=False)
        assert "The" in tokenizer.decode(tokenizer.encode(["The good"]))[0]


def test_what_cannot_be_trained() -> None:
    with pytest.raises(TransformError, match=r"no kind 'byte-bpee'.*byte-bpe"):
        Tokenizer.train(["a"], "byte-bpee", 1000)
    with pytest.raises(TransformError, match="vocab_size above 257, got 257"):
        Tokenizer.train(["a"], "byte-bpe", 257)


# -- by name -------------------------------------------------------------------------------------


def test_names_hold_what_from_file_takes() -> None:
    for name, facts in known_names().items():
        assert set(facts) <= {"url", "sha256", "args"} and facts["url"].startswith("https://")
        assert set(facts.get("args", {})) <= {"family", "pattern"}, name
        if "sha256" in facts:
            assert re.fullmatch("[0-9a-f]{64}", facts["sha256"])


def test_a_named_tokenizer_comes_through_the_cache(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(url: str, *, digest: str | None) -> Path:
        asked.append((url, digest))
        return bert / "tokenizer.json"

    monkeypatch.setattr(cache, "fetch", fetch)
    for name in ("bert-base-uncased", "google-bert/bert-base-uncased"):
        assert Tokenizer.from_name(name).vocab_size == 30522
    assert asked[0] == asked[1] and asked[0][1] is None
    assert asked[0][0].endswith("/bert-base-uncased/resolve/main/tokenizer.json")


def test_unknown_names_and_no_network(fresh_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match="bert-base-cased"):
        Tokenizer.from_name("bert-base-casedd")
    monkeypatch.setenv("DOMAINKIT_OFFLINE", "1")
    with pytest.raises(OfflineError):
        Tokenizer.from_name("gpt2")
