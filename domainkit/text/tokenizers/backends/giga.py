"""``gigatoken``: byte-pair encoding over bytes, and SentencePiece's with byte fallback."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Gigatoken"]


class Gigatoken:
    """Encodes a batch into one buffer with offsets, on all cores."""

    name = "gigatoken"

    def __init__(self, library: Any) -> None:
        import gigatoken

        self._tokenizer = gigatoken.Tokenizer.from_json(library.to_str())

    def encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        layout = self._tokenizer.encode_batch(texts).layout
        offsets = np.asarray(layout.offsets.data).astype(np.int64)
        values = np.asarray(layout.content.data)[offsets[0] : offsets[-1]]
        return values.astype(np.int64), np.diff(offsets)
