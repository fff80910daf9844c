"""An archive of recordings and a CSV file beside it that says what each of them is."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from domainkit.archive import open_stream, walk
from domainkit.errors import ReaderError

__all__ = ["read_manifest"]


def read_manifest(
    files: Mapping[str, Path],
    split: str,
    *,
    columns: Sequence[str],
    file_column: str = "file",
    split_column: str = "split",
) -> Iterator[dict[str, Any]]:
    """Yield one record per row of a split, in archive order.

    Args:
        files: ``manifest``: the CSV file, UTF-8, first row names the columns, may be compressed;
            ``recordings``: the zip or tar.
        split: which rows to take.
        columns: the columns that become fields of the record, as str; the features turn them into
            numbers and labels.
        file_column: the column with the member's name in the archive.
        split_column: the column with the split's name; empty takes every row.

    Yields:
        ``audio`` bytes and one str per column.

    Raises:
        ReaderError: it is no CSV in UTF-8, a column is missing, a file is named twice, no row
            belongs to the split, or the archive lacks a recording of it.

    Example:
        >>> import tempfile, zipfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     manifest, recordings = Path(folder) / "m.csv", Path(folder) / "r.zip"
        ...     _ = manifest.write_text("file,label,split\\na.wav,en,train\\n")
        ...     with zipfile.ZipFile(recordings, "w") as file:
        ...         file.writestr("a.wav", b"RIFF")
        ...     paths = {"manifest": manifest, "recordings": recordings}
        ...     list(read_manifest(paths, "train", columns=["label"]))
        [{'audio': b'RIFF', 'label': 'en'}]
    """
    manifest, recordings = files["manifest"], files["recordings"]
    needed = [file_column, *([split_column] if split_column else []), *columns]
    rows = _rows(manifest, needed, file_column, (split_column, split))
    if not rows:
        raise ReaderError(f"{manifest}: no row has {split_column} = {split!r}")
    for member in walk(recordings):
        row = rows.pop(member.name, None)
        if row is not None:
            yield {"audio": member.read(), **{name: row[name] for name in columns}}
    if rows:
        raise ReaderError(
            f"{recordings}: {len(rows)} of the recordings that {manifest.name} names are missing, "
            f"the first is {next(iter(rows))!r}"
        )


def _rows(
    manifest: Path, needed: Sequence[str], file_column: str, of_split: tuple[str, str]
) -> dict[str, dict[str, str]]:
    """member name -> row, of one split."""
    column, split = of_split
    rows: dict[str, dict[str, str]] = {}
    with open_stream(manifest) as raw, _told(manifest):
        table = csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8-sig", newline=""))
        missing = [name for name in needed if name not in (table.fieldnames or ())]
        if missing:
            raise ReaderError(
                f"{manifest}: expected a column {missing[0]!r}, "
                f"its columns are {', '.join(table.fieldnames or ['none'])}"
            )
        for row in table:
            if None in row or None in row.values():
                raise ReaderError(
                    f"{manifest} line {table.line_num}: expected {len(table.fieldnames or ())} "
                    "fields: does a text with a comma lack its quotes?"
                )
            if column and row[column] != split:
                continue
            if row[file_column] in rows:
                raise ReaderError(
                    f"{manifest} line {table.line_num}: {row[file_column]!r} stands there twice"
                )
            rows[row[file_column]] = row
    return rows


@contextmanager
def _told(manifest: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise ReaderError(f"{manifest} is not UTF-8: {error}") from error
    except csv.Error as error:
        raise ReaderError(f"{manifest} is no CSV file that can be read: {error}") from error
