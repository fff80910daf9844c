"""``sentencepiece``: its own models, and those whose ids were moved (XLM-RoBERTa)."""

from __future__ import annotations

from typing import Any

import numpy as np

from domainkit.text.tokenizers.backends.doubts import marks, repetitions, risky_threes
from domainkit.text.tokenizers.backends.engine import join
from domainkit.text.tokenizers.formats.sentencepiece import pieces_keep_to_words
from domainkit.text.tokenizers.formats.sentencepiece_model import NORMAL, parse

__all__ = ["SentencePiece"]


class SentencePiece:
    """Encodes a batch on all cores, into a buffer a text.

    Raises:
        ValueError: the tokenizer does not come from a SentencePiece model.
    """

    name = "sentencepiece"
    # It adds the scores of a text in single precision: over thousands of tokens two ways to cut a
    # word that score almost alike are no longer told apart.
    longest = 1000

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
        scores = {piece.text: piece.score for piece in parsed.pieces if piece.type == NORMAL}
        self._threes = (
            risky_threes(scores)
            if self._adds_scores
            else "".join(p[0] for p in scores if len(p) == 2 and p[0] == p[1])
        )
        # each part begins with a "▁" of its own, which stands for the space before it
        self._can_cut = (
            self._collapses
            and parsed.add_dummy_prefix
            and parsed.escape_whitespaces
            and pieces_keep_to_words(parsed)
        )

    def encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        values, lengths = join(self._processor.Encode(texts, return_type="numpy"))
        return self._ids[values], lengths

    def doubtful(self, texts: list[str]) -> np.ndarray | None:
        doubtful = repetitions(texts, threes=self._threes, spaces=not self._collapses)
        doubtful |= marks(texts)
        if self._adds_scores:
            long = (len(text) > 2 * self.longest for text in texts)
            doubtful |= np.fromiter(long, bool, len(texts))
        # next line: sentencepiece has no rule for it, and families drop it as white space
        return doubtful | np.fromiter(("\x85" in text for text in texts), bool, len(texts))

    def cut(self, text: str) -> list[str]:
        """A long text in parts of up to ``longest`` characters, without the spaces between."""
        if len(text) <= self.longest or not self._can_cut:
            return [text]
        parts, start = [], 0
        while len(text) - start > self.longest:
            at = text.rfind(" ", start, start + self.longest)
            at = at if at >= 0 else text.find(" ", start)
            # a combining mark would belong to the space
            while 0 <= at < len(text) - 1 and not (
                text[at + 1].isascii() or text[at + 1].isalnum()
            ):
                at = text.find(" ", at + 1)
            if at < 0:
                break
            parts.append(text[start:at])
            start = at + 1
        return [*parts, text[start:]]
