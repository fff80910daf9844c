"""``gigatoken``: byte-pair encoding over bytes, and SentencePiece's with byte fallback."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from domainkit.text.tokenizers.formats.tiktoken import PATTERNS

__all__ = ["Gigatoken"]

# How cl100k_base was first published, which is what gigatoken knows. The present pattern takes all
# white space at the end of a text as one part; this one lets its last line break end a part.
_OLD_CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Gigatoken:
    """Encodes a batch into one buffer with offsets, on all cores."""

    name = "gigatoken"
    longest = None

    def __init__(self, library: Any, model: bytes | None) -> None:
        import gigatoken

        self._end_matters = False
        if model is not None:
            self._tokenizer = gigatoken.Tokenizer.from_sentencepiece(model)
            return
        text = library.to_str()
        new, old = (
            json.dumps(p, ensure_ascii=False) for p in (PATTERNS["cl100k_base"], _OLD_CL100K)
        )
        self._end_matters = new in text
        self._tokenizer = gigatoken.Tokenizer.from_json(text.replace(new, old))

    def encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        layout = self._tokenizer.encode_batch(texts).layout
        offsets = np.asarray(layout.offsets.data).astype(np.int64)
        values = np.asarray(layout.content.data)[offsets[0] : offsets[-1]]
        return values.astype(np.int64), np.diff(offsets)

    def cut(self, text: str) -> list[str]:
        return [text]

    def doubtful(self, texts: list[str]) -> np.ndarray | None:
        if not self._end_matters:
            return None
        return np.fromiter((text[-2:].isspace() for text in texts), bool, len(texts))
