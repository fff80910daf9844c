"""What a backend does, and the reference among them: the ``tokenizers`` library."""

from __future__ import annotations

from itertools import chain
from typing import Any, Protocol

import numpy as np

__all__ = ["Engine", "Reference", "flat", "join"]


class Engine(Protocol):
    """Turns texts into ids without special tokens around them."""

    name: str

    @property
    def longest(self) -> int | None:
        """Characters of a text above which ``cut`` makes parts; None for no limit."""

    def encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """int64 ids [tokens] of all texts, one behind the other, and int64 lengths [texts]."""

    def doubtful(self, texts: list[str]) -> np.ndarray | None:
        """bool [texts], True where the reference may give other ids; None for nowhere."""

    def cut(self, text: str) -> list[str]:
        """Parts whose ids, one behind the other, are those of the text."""


class Reference:
    """The ``tokenizers`` library: knows every kind of file, and says what the ids are."""

    name = "tokenizers"
    longest = None

    def __init__(self, library: Any) -> None:
        self.library = library

    def encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        encodings = self.library.encode_batch_fast(texts, add_special_tokens=False)
        return flat([encoding.ids for encoding in encodings])

    def doubtful(self, texts: list[str]) -> np.ndarray | None:
        return None

    def cut(self, text: str) -> list[str]:
        return [text]


def flat(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Lists of ints as one array and their lengths."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    return np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum())), lengths


def join(rows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Arrays of ids as one int64 array and their lengths."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    values = np.concatenate(rows, dtype=np.int64, casting="unsafe") if rows else np.empty(0, int)
    return values.astype(np.int64, copy=False), lengths
