"""The training of the shipped tokenizer, and what it promises about its pieces."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer

import domainkit as dk
from domainkit.cards import data_folder
from domainkit.errors import TransformError
from domainkit.text.tokenizers import SPECIAL_TOKENS, train_bpe

FILE = data_folder("transforms") / "text/sentiment-sentences-eval-1/tokenizer.json"


def test_the_shipped_file_is_made_again_byte_for_byte() -> None:
    texts = dk.load_dataset("text/sentiment-sentences", "train")[:]["text"]
    assert len(texts) == 2417
    assert train_bpe(texts, 1000).encode() == FILE.read_bytes()


def test_special_tokens_come_first_and_the_vocabulary_has_its_size() -> None:
    library = Tokenizer.from_file(str(FILE))
    assert [library.id_to_token(i) for i in range(3)] == list(SPECIAL_TOKENS)
    assert library.get_vocab_size() == 1000
    state = json.loads(FILE.read_text(encoding="utf-8"))
    assert state["truncation"] is None and state["padding"] is None


def test_small_letters_no_accents_words_with_apostrophes() -> None:
    library = Tokenizer.from_str(train_bpe(["I don't like cafes."] * 5, 100))
    one, other = (library.encode(t).tokens for t in ("I DON'T like Cafés.", "i don't like cafes ."))
    assert one == other == ["▁i", "▁don't", "▁like", "▁cafes", "▁."]
    assert library.decode(library.encode("I don't").ids) == "i don't"


def test_rare_pairs_are_not_merged() -> None:
    texts = ["often"] * 4 + ["once"]
    tokens = Tokenizer.from_str(train_bpe(texts, 100, min_frequency=2)).encode("often once").tokens
    assert tokens[0] == "▁often" and "▁once" not in tokens


def test_no_room_for_pieces() -> None:
    with pytest.raises(TransformError, match="vocab_size above 3, got 3"):
        train_bpe(["a"], 3)
