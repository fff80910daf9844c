"""Vectors as text, a line per word: GloVe, word2vec's text form, fastText's ``.vec``, CharNGram.

A line is the word and ``dim`` numbers with a space between. The first line may be the header of
word2vec and fastText, the number of words and dim. Some words of GloVe 840B have spaces in them, so
a line is cut from its right end. Numbers are read by pyarrow's CSV reader, in blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from domainkit.errors import DecodeError, TransformError
from domainkit.text.vectors.source import Source
from domainkit.text.vectors.table import Maker

__all__ = ["HEADER", "read_text"]

HEADER = re.compile(rb"(\d{1,18})[ \t](\d{1,18})[ \t\r]*")
_BLOCK = 1 << 22
_LONGEST = 1 << 24  # bytes of a line; more is no text of vectors


def read_text(source: Source, maker: Maker, dim: int | None = None) -> None:
    """Gives all words and vectors of a text file to ``maker``.

    Args:
        dim: numbers per word; None takes it from the header, or else from the first line.

    Raises:
        DecodeError: a line with another count of numbers, something else than a finite number, or
            more or fewer words than the header says; names line and word.
        TransformError: ``dim`` is not that of the header.
    """
    promised, number = None, 1
    for block in _lines(source):
        lines = block
        if number == 1:
            header = HEADER.fullmatch(block[0])
            if header and dim != 1:
                promised, found = int(header[1]), int(header[2])
                if dim not in (None, found):
                    raise TransformError(f"{source.label}: has dim {found}, not {dim}")
                dim, number, lines = found, 2, block[1:]
            elif dim is None:
                dim = len(block[0].split()) - 1
            if dim < 1:
                raise DecodeError(f"{source.label}: line 1 is no word with numbers behind it")
        if lines and dim is not None:
            words, rests = _cut(source, lines, number, dim)
            maker.add(words, _numbers(source, words, rests, number, dim))
            number += len(lines)
    came = number - 2
    if promised is not None and came != promised:
        raise DecodeError(
            f"{source.label}: the first line promises {promised} words, {came} came: the file is "
            f"{'cut off' if came < promised else 'damaged'}. Fetch it again."
        )


def _lines(source: Source) -> Iterator[list[bytes]]:
    """The lines in blocks, none of them empty, without the last line break."""
    rest = b""
    for block in source.blocks():
        whole, found, last = block.rpartition(b"\n")
        if found:
            yield [line.rstrip(b" \t\r") for line in (rest + whole).split(b"\n")]
            rest = last
        else:
            rest += block
        if len(rest) > _LONGEST:
            raise DecodeError(f"{source.label}: has no lines, is it vectors as text?")
    if rest.rstrip(b" \t\r"):
        yield [rest.rstrip(b" \t\r")]


def _cut(
    source: Source, lines: list[bytes], number: int, dim: int
) -> tuple[list[bytes], list[bytes]]:
    """The words, and for each its numbers with single spaces between."""
    words, rests = [], []
    for i, line in enumerate(lines):
        word, _, rest = line.partition(b" ")
        if rest.count(b" ") != dim - 1 or not rest:
            # a word with spaces, or other space than single ones
            fields = line.rsplit(None, dim)
            if len(fields) == dim and line[:1].isspace():
                fields.insert(0, b"")
            if len(fields) != dim + 1:
                raise _wrong(source, number + i, word, f"{dim} numbers", line)
            word, rest = fields[0], b" ".join(fields[1:])
        words.append(word)
        rests.append(rest)
    return words, rests


def _numbers(
    source: Source, words: list[bytes], rests: list[bytes], number: int, dim: int
) -> np.ndarray:
    """float32 [n, dim]."""
    import pyarrow as pa
    from pyarrow import csv

    column = pa.py_buffer(b" ".join(rests).replace(b" ", b"\n"))
    try:
        table = csv.read_csv(
            pa.BufferReader(column),
            csv.ReadOptions(column_names=["x"], block_size=1 << 20),
            csv.ParseOptions(delimiter=" ", quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(column_types={"x": pa.float32()}, null_values=[]),
        )
        rows = table.column(0).to_numpy().reshape(len(words), dim)
    except (pa.ArrowInvalid, ValueError):
        rows = _slowly(source, words, rests, number, dim)
    finite = np.isfinite(rows).all(1)
    if not finite.all():
        i = int(np.argmin(finite))
        raise _wrong(source, number + i, words[i], "finite numbers", rests[i])
    return rows


def _slowly(
    source: Source, words: list[bytes], rests: list[bytes], number: int, dim: int
) -> np.ndarray:
    """Line by line, to name the one that is wrong; also forms that pyarrow does not read (+1)."""
    rows = np.empty((len(words), dim), np.float32)
    for i, rest in enumerate(rests):
        try:
            rows[i] = [float(part) for part in rest.replace(b"_", b"?").split(b" ")]
        except ValueError as error:  # also 1_000, which is a number in Python alone
            raise _wrong(source, number + i, words[i], f"{dim} numbers", rest) from error
    return rows


def _wrong(source: Source, number: int, word: bytes, expected: str, got: bytes) -> DecodeError:
    name = word[:60].decode("utf-8", "backslashreplace")
    shown = got[-60:].decode("utf-8", "backslashreplace")
    return DecodeError(
        f"{source.label}: line {number} (word {name!r}) should have {expected}, and ends in "
        f"{shown!r}. Fetch the file again; if its first line is an odd one, say dim=."
    )
