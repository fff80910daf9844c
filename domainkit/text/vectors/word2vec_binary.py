"""word2vec's binary form, as T. Mikolov's program writes it (2013) and Google News came in.

A line of text with the number of words and dim; then for each word its bytes, a space, and dim
float32, lowest byte first. The original puts a line break behind each vector, other writers none.
"""

from __future__ import annotations

import numpy as np

from domainkit.errors import DecodeError
from domainkit.text.vectors.source import Source
from domainkit.text.vectors.table import Maker
from domainkit.text.vectors.text_format import HEADER

__all__ = ["read_word2vec"]

_AT_ONCE = 4096  # words that are handed on together
_LONGEST = 4096  # bytes of a word


def read_word2vec(source: Source, maker: Maker) -> None:
    """Gives all words and vectors of a binary file to ``maker``.

    Raises:
        DecodeError: no such header, cut off, or a number that is not finite; names the word.
    """
    header = HEADER.fullmatch(source.until(b"\n", 64, "the first line"))
    if header is None or int(header[2]) < 1:
        raise DecodeError(f"{source.label}: the first line should be a number of words and dim")
    count, dim = int(header[1]), int(header[2])
    for start in range(0, count, _AT_ONCE):
        words, rows = [], []
        for number in range(start, min(count, start + _AT_ONCE)):
            word = source.until(b" ", _LONGEST, f"word {number + 1} of {count}")
            word = word.removeprefix(b"\n")
            name = word.decode("utf-8", "backslashreplace")
            rows.append(source.read(4 * dim, f"word {number + 1} of {count} ({name!r})"))
            words.append(word)
        vectors = np.frombuffer(b"".join(rows), "<f4").reshape(-1, dim)
        finite = np.isfinite(vectors).all(1)
        if not finite.all():
            i = int(np.argmin(finite))
            name = words[i].decode("utf-8", "backslashreplace")
            raise DecodeError(
                f"{source.label}: word {start + i + 1} ({name!r}) has numbers that are not "
                "finite: the file is damaged. Fetch it again."
            )
        maker.add(words, vectors)
    if source.peek(2).strip(b"\n"):
        raise DecodeError(f"{source.label}: has more than the {count} words its first line says")
