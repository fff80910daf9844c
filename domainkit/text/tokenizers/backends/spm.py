"""``sentencepiece``: its own models, and those whose ids were moved (XLM-RoBERTa)."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from domainkit.text.tokenizers.backends.doubts import marks, repetitions
from domainkit.text.tokenizers.backends.engine import join
from domainkit.text.tokenizers.formats.sentencepiece import pieces_keep_to_words
from domainkit.text.tokenizers.formats.sentencepiece_model import parse

__all__ = ["SentencePiece"]

# It adds the scores of a text in single precision: over thousands of tokens two ways to cut a word
# that score almost alike are no longer told apart.
LONGEST = 1000


class SentencePiece:
    """Encodes a batch on all cores, into a buffer a text.

    Raises:
        ValueError: the tokenizer does not come from a SentencePiece model.
    """

    name = "sentencepiece"

    def __init__(self, library: Any, model: bytes | None) -> None:
        if model is None:
            raise ValueError("it does not come from a SentencePiece model")
        import sentencepiece

        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        pieces = map(self._processor.IdToPiece, range(self._processor.GetPieceSize()))
        ids = [library.token_to_id(piece) for piece in pieces]
        self._ids = np.array([-1 if i is None else i for i in ids], np.int64)
        parsed = parse(model)
        self._collapses = parsed.remove_extra_whitespaces
        self._adds_scores = parsed.kind == "unigram"
        # each part begins with a "▁" of its own, which stands for the space before it
        self._can_cut = (
            self._collapses
            and parsed.add_dummy_prefix
            and parsed.escape_whitespaces
            and pieces_keep_to_words(parsed)
        )

    def encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        parts = [self._parts(text) for text in texts]
        rows = self._processor.Encode(list(chain.from_iterable(parts)), return_type="numpy")
        values, lengths = join(rows)
        if len(rows) > len(texts):
            firsts = np.cumsum([0, *map(len, parts)])[:-1]
            lengths = np.add.reduceat(lengths, firsts)
        return self._ids[values], lengths

    def doubtful(self, texts: list[str]) -> np.ndarray | None:
        doubtful = repetitions(texts, spaces=not self._collapses) | marks(texts)
        if self._adds_scores:
            long = (len(part) > 2 * LONGEST for text in texts for part in self._parts(text)[:1])
            doubtful |= np.fromiter(long, bool, len(texts))
        # next line: sentencepiece has no rule for it, and families drop it as white space
        return doubtful | np.fromiter(("\x85" in text for text in texts), bool, len(texts))

    def _parts(self, text: str) -> list[str]:
        """A long text in parts of up to ``LONGEST`` characters, cut at spaces."""
        if len(text) <= LONGEST or not self._can_cut:
            return [text]
        parts, start = [], 0
        while len(text) - start > LONGEST:
            cut = text.rfind(" ", start, start + LONGEST)
            if cut < 0:
                cut = text.find(" ", start)
            if cut < 0:
                break
            parts.append(text[start:cut])
            start = cut + 1
        return [*parts, text[start:]]
