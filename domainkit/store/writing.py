"""Writing a store: parts of record batches, then the facts; nothing half-made is ever seen."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from domainkit.cache.files import sync_folder
from domainkit.errors import DomainkitError, ReaderError
from domainkit.features import Feature
from domainkit.prepared import LAYOUT
from domainkit.store.reading import BATCH_ROWS, Store, arrow_type

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
    schema = pa.schema([(n, arrow_type(f)) for n, f in features.items()], metadata=facts)
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
