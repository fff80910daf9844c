"""``tiktoken``: byte-pair encoding over bytes whose ids are the ranks of the merges."""

from __future__ import annotations

from typing import Any

import numpy as np

from domainkit.text.tokenizers.backends.engine import join
from domainkit.text.tokenizers.formats.byte_bpe import byte_alphabet
from domainkit.text.tokenizers.formats.tiktoken import PATTERNS
from domainkit.text.tokenizers.parts import state

__all__ = ["Tiktoken"]


class Tiktoken:
    """Encodes text by text into buffers.

    Raises:
        ValueError: the tokenizer is not of this kind.
    """

    name = "tiktoken"
    longest = None

    def __init__(self, library: Any) -> None:
        import tiktoken

        self._encoding = tiktoken.Encoding(
            "domainkit",
            pat_str=_pattern(library),
            mergeable_ranks=_ranks(library),
            special_tokens={},
        )

    def encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        encode = self._encoding.encode_to_numpy
        return join([encode(text, disallowed_special=()) for text in texts])

    def cut(self, text: str) -> list[str]:
        return [text]

    def doubtful(self, texts: list[str]) -> np.ndarray | None:
        return None


def _pattern(library: Any) -> str:
    """What cuts the text, where that is a regular expression and nothing else."""
    if library.normalizer is not None:
        raise ValueError("it normalizes")
    cut = state(library.pre_tokenizer)
    steps = cut["pretokenizers"] if cut.get("type") == "Sequence" else [cut]
    *split, byte_level = steps
    if byte_level.get("type") != "ByteLevel" or byte_level["add_prefix_space"]:
        raise ValueError("it is not byte-level")
    if not split and byte_level["use_regex"]:
        return PATTERNS["gpt2"]
    if len(split) != 1 or split[0]["type"] != "Split" or byte_level["use_regex"]:
        raise ValueError("it cuts the text in other ways")
    pattern = split[0]["pattern"]
    if split[0]["behavior"] != "Isolated" or split[0]["invert"] or "Regex" not in pattern:
        raise ValueError("it cuts the text in other ways")
    return str(pattern["Regex"])


def _ranks(library: Any) -> dict[bytes, int]:
    byte = {letter: number for number, letter in byte_alphabet().items()}
    added = {token.content for token in library.get_added_tokens_decoder().values()}
    vocab = library.get_vocab(with_added_tokens=False)
    try:
        return {
            bytes(byte[letter] for letter in token): rank
            for token, rank in vocab.items()
            if token not in added
        }
    except KeyError as error:
        raise ValueError("a token is not written in bytes") from error
