"""Which kind of file of vectors lies before us, told by its first bytes, never by its name."""

from __future__ import annotations

import re

from domainkit.errors import DecodeError, TransformError, nearest
from domainkit.text.vectors.fasttext_binary import MAGIC, read_fasttext
from domainkit.text.vectors.source import Source
from domainkit.text.vectors.table import Maker
from domainkit.text.vectors.text_format import HEADER, read_text
from domainkit.text.vectors.word2vec_binary import read_word2vec

__all__ = ["KINDS", "check_kind", "kind_of", "read_into"]

KINDS = ("text", "word2vec-binary", "fasttext-binary", "char-ngram")
_GRAM = re.compile(rb"^[234]gram-\S", re.MULTILINE)
_LOOK = 1 << 20  # bytes


def check_kind(kind: str | None) -> None:
    """Raises TransformError where ``kind`` is none of ``KINDS``."""
    if kind is not None and kind not in KINDS:
        raise TransformError(f"no kind of vectors is called {kind!r}. {nearest(kind, KINDS)}")


def kind_of(source: Source) -> str:
    """One of ``KINDS``.

    Raises:
        DecodeError: it is none of them.
    """
    head = source.peek(4)
    if head == MAGIC:
        return "fasttext-binary"
    head = source.peek(_LOOK)
    first, _, rest = head.partition(b"\n")
    header = HEADER.fullmatch(first)
    if header and rest and not _is_text(rest, int(header[2])):
        return "word2vec-binary"
    if b"\x00" in head:
        raise DecodeError(
            f"{source.label}: is neither text nor a binary file of word2vec or fastText. An "
            "archive with several files needs member=."
        )
    return "char-ngram" if _GRAM.search(head) else "text"


def read_into(maker: Maker, source: Source, kind: str, dim: int | None) -> None:
    """Reads all of a file of ``kind`` into ``maker``."""
    if kind == "fasttext-binary":
        read_fasttext(source, maker)
    elif kind == "word2vec-binary":
        read_word2vec(source, maker)
    else:
        read_text(source, maker, dim)


def _is_text(rest: bytes, dim: int) -> bool:
    """Whether what comes behind the header is a word and ``dim`` numbers in digits."""
    fields = rest.partition(b"\n")[0].rsplit(None, dim)[-dim:]
    return bool(fields) and all(re.fullmatch(rb"[-+.\deE]+|nan|-?inf", part) for part in fields)
