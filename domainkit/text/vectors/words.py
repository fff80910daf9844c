"""``Words``: a million words in four flat arrays, found without a dict of them.

The words lie one after another as UTF-8. Beside them lie their 64-bit hashes (xxh3) in order: a
word is looked for by bisection and compared with what lies there, so that mapped files answer as
soon as they are opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import overload

import numpy as np

__all__ = ["Words", "encode"]


def encode(word: str) -> bytes:
    """A word as it lies in a file; bytes that are no UTF-8 came in as single surrogates.

    Example:
        >>> encode("caf\\udce9")
        b'caf\\xe9'
    """
    try:
        return word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return word.encode("utf-8", "surrogatepass")  # in no file: it will not be found


class Words(Sequence[str]):
    """Words, each once, numbered from 0.

    Args:
        text: uint8, their bytes one after another.
        offsets: int64 [N + 1], where each begins, and the end.
        hashes: uint64 [N] in rising order.
        order: int64 [N], the word of each hash.

    Example:
        >>> words = Words.of([b"cat", b"dog"])
        >>> list(words), words.find([b"dog", b"bird"]).tolist()
        (['cat', 'dog'], [1, -1])
    """

    def __init__(
        self, text: np.ndarray, offsets: np.ndarray, hashes: np.ndarray, order: np.ndarray
    ) -> None:
        # plain views: those of class memmap are slow to index
        self.text, self.offsets = np.asarray(text), np.asarray(offsets)
        self.hashes, self.order = np.asarray(hashes), np.asarray(order)

    @classmethod
    def of(cls, words: Sequence[bytes]) -> Words:
        """Lays out words, each of which comes once."""
        offsets = np.zeros(len(words) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, words), np.int64, len(words)), out=offsets[1:])
        hashes = _hashes(words)
        order = np.argsort(hashes, kind="stable")
        text = np.frombuffer(b"".join(words), np.uint8)
        return cls(text, offsets, hashes[order], order)

    def find(self, words: Sequence[bytes]) -> np.ndarray:
        """The numbers of words, int64 [n]; -1 for those that are not there."""
        wanted = _hashes(words)
        found = np.full(len(words), -1, np.int64)
        places = np.searchsorted(self.hashes, wanted)
        asked = np.flatnonzero(places < len(self))
        asked = asked[self.hashes[places[asked]] == wanted[asked]]
        places = places[asked]
        while len(asked):
            numbers = self.order[places]
            begin, end = self.offsets[numbers].tolist(), self.offsets[numbers + 1].tolist()
            text = self.text.data
            spans = zip(asked.tolist(), begin, end, strict=True)
            same = [text[i:j] == words[k] for k, i, j in spans]
            found[asked] = np.where(same, numbers, -1)
            # where another word has the same hash, the next place may be the one
            places = places + 1
            again = ~np.array(same) & (places < len(self))
            asked, places = asked[again], places[again]
            again = self.hashes[places] == wanted[asked]
            asked, places = asked[again], places[again]
        return found

    def raw(self, number: int) -> bytes:
        """The bytes of a word."""
        return self.text[self.offsets[number] : self.offsets[number + 1]].tobytes()

    def __len__(self) -> int:
        return len(self.hashes)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        number = range(len(self))[index]
        return self.raw(number).decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        step = 1 << 16
        for start in range(0, len(self), step):  # offsets by thousands: single ones cost
            ends = self.offsets[start : start + step + 1].tolist()
            text = self.text[ends[0] : ends[-1]].tobytes()
            for i, j in pairwise(ends):
                yield text[i - ends[0] : j - ends[0]].decode("utf-8", "surrogateescape")

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and bool(self.find([encode(word)])[0] >= 0)

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:4])) + (", ..." if len(self) > 4 else "")
        return f"Words({len(self)}: {shown})"


def _hashes(words: Sequence[bytes]) -> np.ndarray:
    from xxhash import xxh3_64_intdigest

    return np.fromiter(map(xxh3_64_intdigest, words), np.uint64, len(words))
