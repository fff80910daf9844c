"""``Router``: each text of a batch to the backend that may encode it."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from domainkit.text.tokenizers.backends.choice import choose, finds_added
from domainkit.text.tokenizers.backends.engine import Engine, Reference
from domainkit.text.tokenizers.inputs import check_surrogates

__all__ = ["Router"]


class Router:
    """Encodes texts by the chosen backend, and by the reference those that it may get wrong.

    Args:
        library: a tokenizer of the ``tokenizers`` library.
        model: the bytes of the SentencePiece model that it comes from, or None.
        wanted: "auto", or the name of a backend, which is then tried at once.
    """

    def __init__(self, library: Any, model: bytes | None, wanted: str) -> None:
        self.library, self.model, self.wanted = library, model, wanted
        self._reference = Reference(library)
        self._engine: Engine | None = None
        self._look = True
        added = library.get_added_tokens_decoder().values()
        self._added = [token.content for token in added if token.content]
        self._may_cut = not any(" " in content for content in self._added)
        self._first = {content[0] for content in self._added}
        if wanted != "auto":
            self.engine()

    def engine(self) -> Engine:
        """The chosen backend; it is chosen when it is first asked for, which takes a moment."""
        if self._engine is None:
            engine = choose(self.library, self.model, self.wanted)
            self._look = engine.name != self._reference.name and not finds_added(
                self.library, engine
            )
            self._engine = engine
        return self._engine

    @property
    def label(self) -> str:
        """The name of the backend, or "auto" as long as none was needed."""
        return self._engine.name if self._engine else self.wanted

    def encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """int64 ids of all texts without special tokens around them, and int64 lengths.

        Raises:
            TransformError: a text holds half a surrogate pair.
        """
        engine = self.engine()
        try:
            if engine.name == self._reference.name:
                return engine.encode(texts)
            if (
                self._may_cut
                and engine.longest
                and max(map(len, texts), default=0) > engine.longest
            ):
                return self._in_parts(engine, texts)
            return self._by_both(engine, texts)
        except (TypeError, ValueError):  # what the libraries raise for half a surrogate pair
            check_surrogates(texts)
            raise

    def encode_with_offsets(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same by the reference, with int64 [tokens, 3]: offsets to characters, and the word.

        Words are numbered from 0 in each text; -1 where the reference counts a token to none.
        """
        try:
            encodings = self.library.encode_batch(texts, add_special_tokens=False)
        except TypeError:
            check_surrogates(texts)
            raise
        lengths = np.fromiter(map(len, encodings), np.int64, len(encodings))
        count = int(lengths.sum())
        ids = (i for encoding in encodings for i in encoding.ids)
        places = (p for encoding in encodings for both in encoding.offsets for p in both)
        words = (-1 if w is None else w for encoding in encodings for w in encoding.word_ids)
        values = np.fromiter(ids, np.int64, count)
        where = np.empty((count, 3), np.int64)
        where[:, :2] = np.fromiter(places, np.int64, 2 * count).reshape(-1, 2)
        where[:, 2] = np.fromiter(words, np.int64, count)
        return values, lengths, where

    def _with_added(self, texts: list[str]) -> np.ndarray | None:
        """bool [texts], True where an added token is written that the engine would not find."""
        if not self._look:
            return None
        # first all texts at once: it takes a look at each byte, and nothing for each text
        joined = "\0".join(texts)
        if not any(character in joined for character in self._first):
            return None
        there = [content for content in self._added if content in joined]
        if not there:
            return None
        found = (any(content in text for content in there) for text in texts)
        return np.fromiter(found, bool, len(texts))

    def _in_parts(self, engine: Engine, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        parts = [engine.cut(text) for text in texts]
        values, lengths = self._by_both(engine, list(chain.from_iterable(parts)))
        firsts = np.cumsum([0, *map(len, parts)])[:-1]
        return values, np.add.reduceat(lengths, firsts)

    def _by_both(self, engine: Engine, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Doubtful texts, and those with special tokens in them, by the reference."""
        masks = [m for m in (self._with_added(texts), engine.doubtful(texts)) if m is not None]
        other = np.logical_or.reduce(masks) if masks else np.zeros(1, bool)
        if not other.any():
            return engine.encode(texts)
        lengths = np.empty(len(texts), np.int64)
        parts = []
        for wanted, by in ((True, self._reference), (False, engine)):
            chosen = other == wanted
            ids, counts = by.encode([texts[i] for i in np.flatnonzero(chosen)])
            lengths[chosen] = counts
            parts.append((chosen, ids))
        values = np.empty(int(lengths.sum()), np.int64)
        for chosen, ids in parts:
            values[np.repeat(chosen, lengths)] = ids
        return values, lengths
