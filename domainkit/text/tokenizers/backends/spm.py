"""``sentencepiece``: its own models, and those whose ids were moved (XLM-RoBERTa)."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["SentencePiece"]


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

    def encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        rows = self._processor.Encode(texts, return_type="numpy")
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        values = np.concatenate(rows) if rows else np.empty(0, np.int32)
        return self._ids[values], lengths
