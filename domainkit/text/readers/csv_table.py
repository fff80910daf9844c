"""Rows of a table of comma- or tab-separated values, plain or compressed, one record per row.

The format is RFC 4180's, read by Python's ``csv``: quoted fields may hold delimiters and line
ends, and a doubled quote stands for one. Nothing is guessed: a row of another width is an error.
"""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from domainkit.archive import open_stream
from domainkit.errors import ReaderError

__all__ = ["read_csv"]

LONGEST = 2**31 - 1  # characters in a field: what a C long holds on every platform


def read_csv(
    files: Mapping[str, Path],
    split: str,
    *,
    columns: Sequence[str],
    header: bool = True,
    delimiter: str = ",",
    quote: str = '"',
    label_offset: int | None = None,
    where_column: str = "",
    where_value: str = "",
) -> Iterator[dict[str, Any]]:
    """Yield one record per row, in the file's order.

    Args:
        files: ``table``: the file, UTF-8, plain or compressed (gzip, bzip2, xz, zstd).
        split: what ``where_column`` must say, unless ``where_value`` is given.
        columns: which columns become fields. With a header, names from it, or ``field=column`` to
            rename one. Without, one field name for every column from the first on, and "" for a
            column to leave out.
        header: whether the first row holds the names of the columns.
        delimiter: one character.
        quote: the quoting character; "" where quotes are ordinary characters.
        label_offset: makes an int of the field ``label`` and takes this from it, for classes that
            are published as 1, 2, 3 ... None leaves it a str.
        where_column: take only rows whose column of this name (with a header) has the value
            ``where_value``.
        where_value: see there; "" means the split's name.

    Yields:
        One str per field; ``label`` as int where ``label_offset`` is given.

    Raises:
        ReaderError: a column is missing, a row is wider or narrower than it should be, a label is
            no number, the text is not UTF-8, a quote stays open, or no row is of the split.
        ArchiveError: the file is damaged or cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.csv"
        ...     _ = path.write_text('1,"Well, well"\\n2,Fine\\n')
        ...     list(read_csv({"table": path}, "train", columns=["label", "text"], header=False,
        ...                   label_offset=1))
        [{'label': 0, 'text': 'Well, well'}, {'label': 1, 'text': 'Fine'}]
    """
    path = files["table"]
    if len(delimiter) != 1 or len(quote) > 1 or delimiter == quote:
        raise ReaderError(
            f"{path}: delimiter must be one character and quote another or none, got "
            f"{delimiter!r} and {quote!r}: correct the card"
        )
    rows = _rows(path, delimiter, quote)
    if header:
        names = next(rows, (0, []))[1]
        fields = _by_name(path, names, columns)
        width = len(names)
        where = _position(path, names, where_column) if where_column else None
    elif where_column:
        raise ReaderError(f"{path}: where_column needs a header: correct the card")
    else:
        fields = [(name, i) for i, name in enumerate(columns) if name]
        width, where = len(columns), None
    wanted = where_value or split
    found = False
    for line, row in rows:
        if len(row) != width:
            raise ReaderError(
                f"{path} line {line}: expected {width} fields, got {len(row)}: is the delimiter "
                f"{delimiter!r}, and is a text with a delimiter quoted?"
            )
        if where is not None and row[where] != wanted:
            continue
        record: dict[str, Any] = {name: row[i] for name, i in fields}
        if label_offset is not None:
            record["label"] = _number(path, line, record.get("label")) - label_offset
        found = True
        yield record
    if not found:
        rule = f" with {where_column} = {wanted!r}" if where is not None else ""
        raise ReaderError(f"{path}: expected rows{rule} for the split {split!r}, found none")


def _by_name(path: Path, names: list[str], columns: Sequence[str]) -> list[tuple[str, int]]:
    """(field, position) of every wanted column."""
    if len(set(names)) != len(names):
        raise ReaderError(f"{path}: two columns have one name: {', '.join(names)}")
    fields = []
    for entry in columns:
        field, _, column = entry.partition("=")
        fields.append((field, _position(path, names, column or field)))
    return fields


def _position(path: Path, names: list[str], column: str) -> int:
    if column not in names:
        raise ReaderError(
            f"{path}: expected a column {column!r}, its columns are {', '.join(names) or 'none'}"
        )
    return names.index(column)


def _number(path: Path, line: int, text: Any) -> int:
    try:
        return int(text)
    except (TypeError, ValueError):
        raise ReaderError(
            f"{path} line {line}: expected a whole number as label, got {text!r}"
        ) from None


def _rows(path: Path, delimiter: str, quote: str) -> Iterator[tuple[int, list[str]]]:
    """(number of its last line, fields) of every row; blank lines may stand at the end only."""
    blank = 0
    with open_stream(path) as raw, _long_fields():
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        lines = _Lines(text)
        table = csv.reader(
            lines,
            delimiter=delimiter,
            quotechar=quote or None,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        )
        while True:
            try:
                row = next(table, None)
            except UnicodeDecodeError as error:
                raise ReaderError(
                    f"{path}: line {table.line_num + 1} or the few after it are not UTF-8 "
                    f"({error.reason}): convert the file"
                ) from error
            except csv.Error as error:
                raise ReaderError(f"{path} line {table.line_num}: {error}") from error
            if row is None:
                return
            if lines.ended:  # csv hands out what it has when a quoted field never ends
                raise ReaderError(
                    f"{path}: ends inside a quoted field: is the file cut off, or quote another?"
                )
            if not row:
                blank = blank or table.line_num
                continue
            if blank:
                raise ReaderError(f"{path} line {blank}: expected a row, the line is blank")
            yield table.line_num, row


class _Lines:
    """The lines of a text; ``ended`` is set once somebody asked for one beyond the last."""

    def __init__(self, text: Iterable[str]) -> None:
        self._text = iter(text)
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            return next(self._text)
        except StopIteration:
            self.ended = True
            raise


_lock = threading.Lock()
_open = 0
_before = 0


@contextmanager
def _long_fields() -> Iterator[None]:
    """Lift csv's limit of 131,072 characters per field while any reader is open.

    The limit belongs to the whole process, so it is put back by the last reader to finish.
    """
    global _open, _before  # noqa: PLW0603
    with _lock:
        if _open == 0:
            _before = csv.field_size_limit(LONGEST)
        _open += 1
    try:
        yield
    finally:
        with _lock:
            _open -= 1
            if _open == 0:
                csv.field_size_limit(_before)
