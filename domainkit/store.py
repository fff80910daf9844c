"""The prepared form of a split: Arrow IPC files, written whole or not at all, read by offset.

    <split folder>/
      part-00000.arrow ...   record batches of ``BATCH_ROWS`` rows each (the last one shorter)
      store.json             written last: layout version, features, fingerprint, each part's rows
                             and CRC-32

Media stays as published; arrays of one shape are rows of one width. Opening maps the files and
reads their footers, no row. Reading a row slices the mapped buffers through offsets that are
looked up once per record batch, so it copies nothing and makes no object but the slice. Only
``Store.verify`` reads the files whole.
"""

from __future__ import annotations

import bisect
import io
import json
import os
import shutil
import tempfile
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from domainkit.cache.files import sync_folder
from domainkit.errors import CardError, DomainkitError, ReaderError, StoreError
from domainkit.features import Feature, feature_from_spec
from domainkit.prepared import LAYOUT, check_store

__all__ = ["Store", "write_store"]

BATCH_ROWS = 512
PART_BYTES = 1 << 30
KEPT_BATCHES = 4096  # record batches whose offsets stay looked up: some 10 MB for five columns


class Store:
    """One prepared split, opened read-only.

    Args:
        folder: what ``write_store`` made.

    Raises:
        StoreError: the folder is damaged, incomplete or of another layout version. Opening reads no
            row, so damage inside the rows shows only to ``verify``.

    Attributes:
        features: column name -> ``Feature``.
        fingerprint: hex digest of what the rows were made from.
        info: the other facts that were written along (dataset name, split, ...).

    Example:
        >>> from domainkit.features import Int
        >>> with tempfile.TemporaryDirectory() as home:
        ...     made = write_store(f"{home}/s", [{"n": 7}], {"n": Int()}, fingerprint="f")
        ...     len(made), made.raw(0)
        (1, {'n': 7})
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            facts = json.loads((self.folder / "store.json").read_text(encoding="utf-8"))
            if facts["layout"] != LAYOUT:
                raise StoreError(
                    f"{self.folder} has layout {facts['layout']}, this domainkit reads layout "
                    f"{LAYOUT}: remove it and prepare again"
                )
            self.features: dict[str, Feature] = {
                name: feature_from_spec(spec) for name, spec in facts["features"].items()
            }
            self.fingerprint: str = facts["fingerprint"]
            self.info: dict[str, Any] = facts["info"]
            self._starts = [0]
            for rows in facts["part_rows"]:
                self._starts.append(self._starts[-1] + rows)
            sums = [int(digits, 16) for digits in facts["part_crc32"]]
            if len(sums) != len(facts["part_rows"]):
                raise ValueError("part_crc32 and part_rows differ in length")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, CardError) as error:
            raise StoreError(
                f"{self.folder} is not a prepared dataset ({error}): remove it and prepare again"
            ) from error
        self._readers = [self._open(i) for i in range(len(facts["part_rows"]))]
        # (part, record batch) -> the views of its columns; filled as batches are touched
        self._views: dict[tuple[int, int], dict[str, Any]] = {}
        self._loaded: deque[tuple[int, int]] = deque()  # the keys of _views, oldest first

    def _open(self, part: int) -> Any:
        import pyarrow as pa

        path = self.folder / f"part-{part:05d}.arrow"
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
            columns = {field.name: field.type for field in reader.schema}
        except (OSError, ValueError, pa.ArrowException) as error:
            raise StoreError(f"{path} is damaged ({error}): remove it and prepare again") from error
        rows = self._starts[part + 1] - self._starts[part]
        if reader.num_record_batches != -(-rows // BATCH_ROWS):
            raise StoreError(f"{path} does not hold {rows} rows: remove it and prepare again")
        if columns != {name: _arrow_type(feature) for name, feature in self.features.items()}:
            raise StoreError(f"{path} has other columns: remove the folder and prepare again")
        return reader

    def __len__(self) -> int:
        return self._starts[-1]

    def raw(self, row: int, columns: Iterable[str] | None = None) -> dict[str, Any]:
        """What the store keeps of one row: numbers, memoryviews, or numpy arrays for lists."""
        part = bisect.bisect_right(self._starts, row) - 1 if len(self._starts) > 2 else 0
        batch, offset = divmod(row - self._starts[part], BATCH_ROWS)
        views = self._views.get((part, batch)) or self._load(part, batch)
        names = self.features if columns is None else columns
        return {name: views[name](offset) for name in names}

    def column(self, name: str) -> np.ndarray:
        """A number column as one numpy array [rows]; without a copy when it is one record batch."""
        import pyarrow as pa

        chunks = [
            reader.get_batch(b).column(name)
            for reader in self._readers
            for b in range(reader.num_record_batches)
        ]
        dtype = np.dtype(self.features[name].dtype_stored)
        if not chunks:
            return np.empty(0, dtype)
        return pa.chunked_array(chunks).to_numpy()

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return sum(f.stat().st_size for f in self.folder.iterdir())

    def verify(self) -> None:
        """Read every part again and hold it to the CRC-32 that was taken while it was written.

        Raises:
            StoreError: a part has other bytes or cannot be read.
        """
        check_store(self.folder)

    def _load(self, part: int, batch: int) -> dict[str, Any]:
        import pyarrow as pa

        try:
            record = self._readers[part].get_batch(batch)
            record.validate()  # its sizes, not its values
        except (OSError, ValueError, pa.ArrowException) as error:
            raise StoreError(
                f"{self.folder}/part-{part:05d}.arrow is damaged ({error}): remove the folder and "
                "prepare again"
            ) from error
        views = {
            name: _view(feature, record.column(name)) for name, feature in self.features.items()
        }
        # No lock, which a fork could leave locked: each step is atomic. Two threads may build the
        # same views at once; setdefault keeps one of the equal pair, and its thread enters the key
        # once. Every entry drops at most one other, so no key is dropped before it is entered.
        key = (part, batch)
        kept = self._views.setdefault(key, views)
        if kept is views:
            self._loaded.append(key)
            if len(self._loaded) > KEPT_BATCHES:
                self._views.pop(self._loaded.popleft(), None)
        return kept

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self.folder,)


def _view(feature: Feature, array: Any) -> Any:
    """A function from the row within a record batch to what is stored there."""
    buffers = array.buffers()
    if feature.storage == "number":
        return np.frombuffer(buffers[1], feature.dtype_stored, len(array)).item
    if feature.storage == "fixed":
        data, width = memoryview(buffers[1]).cast("B"), feature.width
        return lambda i: data[i * width : (i + 1) * width]
    # a cast memoryview gives plain ints without keeping one object per row
    offsets = memoryview(buffers[1]).cast("B").cast("q")
    if feature.storage == "binary":
        # unsigned, as bytes are: some decoders refuse pyarrow's signed view
        data = memoryview(buffers[2]).cast("B") if buffers[2] is not None else memoryview(b"")
        return lambda i: data[offsets[i] : offsets[i + 1]]
    values = np.frombuffer(buffers[3] or b"", feature.dtype_stored)
    return lambda i: values[offsets[i] : offsets[i + 1]]


def write_store(
    folder: str | Path,
    records: Iterable[Mapping[str, Any]],
    features: Mapping[str, Feature],
    *,
    fingerprint: str,
    info: Mapping[str, Any] | None = None,
    expected_rows: int | None = None,
) -> Store:
    """Write records into ``folder``, which appears only when everything is there.

    Args:
        folder: where the store shall be; replaced when it exists.
        records: one mapping per row with a value for every feature.
        features: the columns, in order.
        fingerprint: a digest of what the rows are made from.
        info: facts to keep along (JSON-safe).
        expected_rows: how many rows there must be; None takes what comes.

    Raises:
        ReaderError: a record does not fit the features, or the number of rows is wrong.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        part_rows, sums = _write_parts(temporary, records, features, dict(info or {}))
        rows = sum(part_rows)
        if expected_rows is not None and rows != expected_rows:
            raise ReaderError(
                f"expected {expected_rows} rows, the files hold {rows}: the card is wrong or the "
                "publisher changed the files"
            )
        facts = {
            "layout": LAYOUT,
            "fingerprint": fingerprint,
            "features": {name: feature.spec() for name, feature in features.items()},
            "part_rows": part_rows,
            "part_crc32": [f"{crc:08x}" for crc in sums],
            "info": dict(info or {}),
        }
        with open(temporary / "store.json", "w", encoding="utf-8") as out:
            json.dump(facts, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(temporary, 0o755)  # mkdtemp makes it private; a cache may be shared
        if folder.exists():
            shutil.rmtree(folder)
        sync_folder(temporary)  # so that a power cut leaves no name without its content
        os.rename(temporary, folder)
        sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return Store(folder)


def _write_parts(
    folder: Path, records: Iterable[Mapping[str, Any]], features: Mapping[str, Feature], info: dict
) -> tuple[list[int], list[int]]:
    """Write the parts; the rows and the CRC-32 of each."""
    import pyarrow as pa

    facts = {b"domainkit": json.dumps({"layout": LAYOUT, **info}).encode()}
    schema = pa.schema([(n, _arrow_type(f)) for n, f in features.items()], metadata=facts)
    part_rows: list[int] = []
    sums: list[int] = []
    writer: Any = None
    sink: Any = None
    try:
        for columns, count in _batches(records, features):
            if writer is None or sink.tell() >= PART_BYTES:
                if writer is not None:
                    sums.append(_close(writer, sink))
                sink = _Summed(io.FileIO(folder / f"part-{len(part_rows):05d}.arrow", "wb"))
                writer = pa.ipc.new_file(sink, schema)
                part_rows.append(0)
            arrays = [pa.array(columns[f.name], type=f.type) for f in schema]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            part_rows[-1] += count
    finally:
        if writer is not None:
            sums.append(_close(writer, sink))
    return part_rows, sums


class _Summed(io.BufferedWriter):
    """A file that knows the CRC-32 of what was written, which is never read again for it."""

    crc = 0

    def write(self, data: Any) -> int:
        self.crc = zlib.crc32(data, self.crc)
        return super().write(data)


def _close(writer: Any, sink: _Summed) -> int:
    writer.close()
    sink.flush()
    os.fsync(sink.fileno())
    sink.close()
    return sink.crc


def _batches(
    records: Iterable[Mapping[str, Any]], features: Mapping[str, Feature]
) -> Iterator[tuple[dict[str, list[Any]], int]]:
    columns: dict[str, list[Any]] = {name: [] for name in features}
    count = row = 0
    for row, record in enumerate(records):
        if record.keys() != features.keys():
            raise ReaderError(
                f"row {row}: the reader gave {sorted(record)}, the card has {sorted(features)}"
            )
        for name, feature in features.items():
            try:
                columns[name].append(feature.encode(record[name]))
            except (TypeError, ValueError, DomainkitError) as error:
                raise ReaderError(f"row {row}, column {name!r}: {error}") from error
        count += 1
        if count == BATCH_ROWS:
            yield columns, count
            columns, count = {name: [] for name in features}, 0
    if count:
        yield columns, count


def _arrow_type(feature: Feature) -> Any:
    import pyarrow as pa

    kind = type(feature).__name__
    if feature.storage == "fixed":
        return pa.binary(feature.width)
    if feature.storage == "binary":
        return pa.large_string() if kind == "Text" else pa.large_binary()
    number = pa.from_numpy_dtype(np.dtype(feature.dtype_stored))
    return number if feature.storage == "number" else pa.large_list(number)
