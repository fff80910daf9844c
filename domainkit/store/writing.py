"""Writing a store: parts of record batches, then the facts; nothing half-made is ever seen."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from domainkit.cache.files import sync_folder
from domainkit.errors import DomainkitError, ReaderError
from domainkit.features import Feature
from domainkit.prepared import BATCH_ROWS, LAYOUT, sealed
from domainkit.store.reading import Store
from domainkit.store.sums import SummedFile, Sums

__all__ = ["write_store"]

PART_BYTES = 1 << 30


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
        parts = _write_parts(temporary, records, features, dict(info or {}))
        rows = sum(parts["part_rows"])
        if expected_rows is not None and rows != expected_rows:
            raise ReaderError(
                f"expected {expected_rows} rows, the files hold {rows}: the card is wrong or the "
                "publisher changed the files"
            )
        facts = {
            "layout": LAYOUT,
            "fingerprint": fingerprint,
            "features": {name: feature.spec() for name, feature in features.items()},
            **parts,
            "info": dict(info or {}),
        }
        with open(temporary / "store.json", "w", encoding="utf-8") as out:
            json.dump(sealed(facts), out, indent=1)
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
) -> dict[str, list[Any]]:
    """Write the parts; what ``store.json`` says of each."""
    import pyarrow as pa

    facts = {b"domainkit": json.dumps({"layout": LAYOUT, **info}).encode()}
    schema = pa.schema([(n, _arrow_type(f)) for n, f in features.items()], metadata=facts)
    told: dict[str, list[Any]] = {"part_rows": [], "part_bytes": [], "sums_xxh3": []}
    part: _Part | None = None
    try:
        for columns, count in _batches(records, features):
            if part is not None and part.size >= PART_BYTES:
                part.finish(told)
                part = None
            if part is None:
                number = len(told["part_rows"])
                part = _Part(folder / f"part-{number:05d}.arrow", schema, features)
            arrays = [pa.array(columns[f.name], type=f.type) for f in schema]
            part.add(pa.record_batch(arrays, schema=schema), count)
        if part is not None:
            part.finish(told)
            part = None
    finally:
        if part is not None:
            part.close()
    return told


class _Part:
    """A part that is being written, with its checksums."""

    def __init__(self, path: Path, schema: Any, features: Mapping[str, Feature]) -> None:
        import pyarrow as pa

        self._file = SummedFile(path)
        self._sums = Sums(path, features)
        self._writer = pa.ipc.new_file(self._file, schema)
        self._blocks: list[tuple[int, int]] = []
        self._rows = 0

    @property
    def size(self) -> int:
        return self._file.tell()

    def add(self, record: Any, count: int) -> None:
        self._sums.add(record)
        self._writer.write_batch(record)
        self._blocks.append(self._file.cut())
        self._rows += count

    def finish(self, told: dict[str, list[Any]]) -> None:
        self._writer.close()
        self._blocks.append(self._file.cut())
        self._file.close()
        told["part_rows"].append(self._rows)
        told["part_bytes"].append(self._blocks[-1][0])
        told["sums_xxh3"].append(self._sums.finish(self._blocks))

    def close(self) -> None:
        for thing in (self._writer, self._file, self._sums):
            with suppress(OSError, ValueError):  # the error that has come up counts
                thing.close()


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
