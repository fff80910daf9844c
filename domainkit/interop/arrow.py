"""``from_arrow``, ``from_parquet`` and ``to_parquet``: tables of columns, batch by batch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from domainkit.dataset import Dataset
from domainkit.errors import ReaderError
from domainkit.interop.columns import features_of, info_of, told_features, values
from domainkit.interop.export import arrow_schema, record_batches
from domainkit.interop.own import (
    Overrides,
    Rows,
    expand,
    file_facts,
    override_facts,
    overrides,
    own_dataset,
    whole_file,
)

__all__ = ["from_arrow", "from_parquet", "rows_of", "to_parquet"]

BATCH_ROWS = 512
BATCH_BYTES = 16 << 20  # what is turned into Python's bytes at a time


def from_arrow(
    source: Any, *, features: Mapping[str, Any] | None = None, name: str | None = None
) -> Dataset:
    """The columns of an Arrow IPC file, IPC stream or ``pyarrow.Table`` as a dataset.

    bytes (also Hugging Face's ``{bytes, path}``) become Image or Audio by what the first one starts
    with, strings Text, whole numbers and booleans Int, other numbers Float (null is NaN), lists of
    whole numbers Tokens, nested lists of fixed size Tensor. Label names, modes and shapes that
    domainkit or Hugging Face wrote into the schema's metadata are kept.

    Files of others have no checksums, so they are taken as they are when the rows are first copied
    into the cache; from there on every row is held to the checksum that it got then.

    Args:
        source: a path, several paths with the same columns (a list, or ``*`` and ``{0..9}`` in the
            name), or a table in memory.
        features: column -> what it is instead: a ``Feature``, a card's spec of one such as
            ``{"type": "Label", "names": [...]}``, or None to leave the column out.
        name: what messages call the data; None takes the name of the first file, or "table".

    Raises:
        NotFoundError: no such file.
        ReaderError: not Arrow, files whose columns differ, a null, or a column that is no feature.

    Example:
        >>> import os, tempfile, unittest.mock
        >>> import pyarrow as pa
        >>> table = pa.table({"text": ["good", "bad"], "stars": [5, 1]})
        >>> with tempfile.TemporaryDirectory() as home:
        ...     with unittest.mock.patch.dict(os.environ, {"DOMAINKIT_HOME": home}):
        ...         ds = from_arrow(table)
        ...     ds, ds[1]
        (Dataset(table: 2 rows; text: Text, stars: Int), {'text': 'bad', 'stars': 1})
    """
    import pyarrow as pa

    given = overrides(features)
    facts: dict[str, Any] = {"format": "arrow", "features": override_facts(given)}
    if isinstance(source, pa.Table):
        facts["table"] = _digest(source)
        return own_dataset(
            facts,
            lambda: rows_of(source.schema, lambda _: source.to_batches(), given, source.num_rows),
            name=name or "table",
        )
    files = expand(source)
    facts["files"] = file_facts(files)

    def make() -> Rows:
        schemas = [_open_arrow(f)[0] for f in files]
        _same_columns(files, schemas)

        def batches(_: list[str] | None) -> Iterator[Any]:
            for file in files:
                yield from _open_arrow(file)[1]

        return rows_of(schemas[0], batches, given)

    return own_dataset(facts, make, name=name or files[0].stem, place=str(files[0].resolve()))


def from_parquet(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    features: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Dataset:
    """The columns of one or more Parquet files as a dataset; see ``from_arrow`` for all else.

    Example:
        >>> import os, tempfile, unittest.mock
        >>> import pyarrow as pa, pyarrow.parquet as pq
        >>> with tempfile.TemporaryDirectory() as home:
        ...     pq.write_table(pa.table({"label": [1, 0]}), f"{home}/rows.parquet")
        ...     with unittest.mock.patch.dict(os.environ, {"DOMAINKIT_HOME": home}):
        ...         label = {"type": "Label", "names": ["cat", "dog"]}
        ...         ds = from_parquet(f"{home}/rows.parquet", features={"label": label})
        ...     ds.features["label"].names[ds[0]["label"]]
        'dog'
    """
    given = overrides(features)
    files = expand(path)
    facts = {
        "format": "parquet",
        "files": file_facts(files),
        "features": override_facts(given),
    }

    def make() -> Rows:
        opened = [_open_parquet(f) for f in files]
        _same_columns(files, [p.schema_arrow for p in opened])
        total = sum(p.metadata.num_rows for p in opened)
        size = sum(
            p.metadata.row_group(i).total_byte_size
            for p in opened
            for i in range(p.metadata.num_row_groups)
        )

        def batches(wanted: list[str] | None) -> Iterator[Any]:
            for parquet in opened:
                yield from parquet.iter_batches(_step(total, size), columns=wanted)

        return rows_of(opened[0].schema_arrow, batches, given, total)

    return own_dataset(facts, make, name=name or files[0].stem, place=str(files[0].resolve()))


def to_parquet(ds: Dataset, path: str | os.PathLike[str]) -> None:
    """Write all rows to one Parquet file, which appears when it is complete.

    Media is written as stored, raw pictures as PNG. ``from_parquet`` gives the same rows and
    features back; Hugging Face's ``datasets`` reads pictures, recordings and class names.

    Example:
        >>> import tempfile
        >>> import pyarrow.parquet as pq
        >>> from domainkit.dataset import load_dataset
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ds = load_dataset("text/sentiment-sentences", "test[:9]")
        ...     to_parquet(ds, f"{folder}/t.parquet")
        ...     pq.read_table(f"{folder}/t.parquet").num_rows
        9
    """
    import pyarrow.parquet as pq

    schema = arrow_schema(ds)
    # a dictionary of whole pictures saves nothing and costs a hash of every byte
    small = [name for name, feature in ds.features.items() if feature.storage == "number"]
    with (
        whole_file(path) as temporary,
        pq.ParquetWriter(temporary, schema, use_dictionary=small or False) as writer,
    ):
        for batch in record_batches(ds, schema, f"write {Path(path).name}"):
            writer.write_batch(batch)


def rows_of(
    schema: Any,
    batches: Callable[[list[str] | None], Iterable[Any]],
    given: Overrides,
    total: int | None = None,
    *,
    files: bool = False,
) -> Rows:
    """The store's rows of a stream of Arrow record batches.

    Args:
        schema: a ``pyarrow.Schema``.
        batches: gives the record batches; asked for some columns it may give only these, None
            means all.
        given: the user's overrides.
        total: how many rows there are, when known.
        files: whether a row may name a local file instead of holding its bytes.
    """
    features = features_of(schema, given, lambda column: _first(batches([column]), column, files))
    wanted = None if len(features) == len(schema.names) else list(features)

    def records() -> Iterator[dict[str, Any]]:
        row = 0
        for large in _safely(batches(wanted)):
            step = _step(large.num_rows, large.nbytes)
            for start in range(0, large.num_rows, step):
                batch = large.slice(start, step)
                stop = row + batch.num_rows - 1
                where = f"rows {row}..{stop}, column "
                columns = [
                    values(batch.column(name), feature, where=f"{where}{name!r}", files=files)
                    for name, feature in features.items()
                ]
                for row_values in zip(*columns, strict=True):
                    yield dict(zip(features, row_values, strict=True))
                row = stop + 1

    return Rows(features, records(), total, info_of(schema))


def _step(rows: int, size: int) -> int:
    """How many rows to take at a time, of so many rows that are so many bytes."""
    return max(1, min(BATCH_ROWS, rows * BATCH_BYTES // max(size, 1)))


def _first(batches: Iterable[Any], column: str, files: bool) -> bytes | None:
    from domainkit.features import Mask  # any feature that keeps encoded bytes as they are

    for batch in _safely(batches):
        array = batch.column(column).drop_null()
        if len(array):
            return next(iter(values(array[:1], Mask(), where=f"column {column!r}", files=files)))
    return None


def _safely(batches: Iterable[Any]) -> Iterator[Any]:
    import pyarrow as pa

    try:
        yield from batches
    except (pa.ArrowException, OSError) as error:
        raise ReaderError(f"the data is damaged or cut off: {error}") from error


def _open_arrow(file: Path) -> tuple[Any, Iterator[Any]]:
    import pyarrow as pa

    source = pa.memory_map(str(file))
    try:
        reader = pa.ipc.open_file(source)
        return reader.schema, (reader.get_batch(i) for i in range(reader.num_record_batches))
    except pa.ArrowInvalid:
        pass  # not the file form; the stream form has no magic number
    try:
        source.seek(0)
        stream = pa.ipc.open_stream(source)
        return stream.schema, iter(stream)
    except (pa.ArrowInvalid, OSError) as error:
        raise ReaderError(f"{file} is neither an Arrow IPC file nor a stream: {error}") from error


def _open_parquet(file: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # pre-buffering would keep every row group that was read until the end
        return pq.ParquetFile(file, pre_buffer=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise ReaderError(f"{file} is not a Parquet file, or damaged: {error}") from error


def _same_columns(files: Sequence[Path], schemas: Sequence[Any]) -> None:
    first = schemas[0]
    for file, schema in zip(files, schemas, strict=True):
        if set(schema.names) != set(first.names):
            raise ReaderError(
                f"the files have different columns: {files[0].name} has "
                f"{', '.join(first.names)}; {file.name} has {', '.join(schema.names)}"
            )
        if told_features(schema) != told_features(first):  # one index would mean two classes
            raise ReaderError(
                f"{files[0].name} and {file.name} say different things about their columns (class "
                "names, shapes): load them one by one, with features="
            )


def _digest(table: Any) -> str:
    """A digest of a table's content and schema; nothing is copied."""
    import pyarrow as pa

    class Sink:
        closed = False
        digest = hashlib.sha256()

        def write(self, data: Any) -> int:
            self.digest.update(data)
            return len(data)

        def flush(self) -> None: ...
        def close(self) -> None: ...

    sink = Sink()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.digest.hexdigest()
