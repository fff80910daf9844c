"""Reading a store: rows one by one, many at once, whole columns."""

from __future__ import annotations

import bisect
import json
import mmap
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from domainkit.columns import room_for
from domainkit.errors import CardError, StoreError
from domainkit.features import Feature, feature_from_spec
from domainkit.prepared import LAYOUT, check_store

__all__ = ["BATCH_ROWS", "Store", "arrow_type"]

BATCH_ROWS = 512
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
        >>> import tempfile
        >>> from domainkit.features import Int
        >>> from domainkit.store import write_store
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
        self._maps: list[np.ndarray] = []  # uint8: each part's file
        self._places: list[np.ndarray] = []  # int64: see ``_locate``
        self._readers = [self._open(i) for i in range(len(facts["part_rows"]))]
        # (part, record batch) -> the views of its columns; filled as batches are touched
        self._views: dict[tuple[int, int], dict[str, Any]] = {}
        self._loaded: deque[tuple[int, int]] = deque()  # the keys of _views, oldest first

    def _open(self, part: int) -> Any:
        import pyarrow as pa

        path = self.folder / f"part-{part:05d}.arrow"
        try:
            with open(path, "rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            reader = pa.ipc.open_file(pa.py_buffer(mapped))
            columns = {field.name: field.type for field in reader.schema}
        except (OSError, ValueError, pa.ArrowException) as error:
            raise StoreError(f"{path} is damaged ({error}): remove it and prepare again") from error
        rows = self._starts[part + 1] - self._starts[part]
        if reader.num_record_batches != -(-rows // BATCH_ROWS):
            raise StoreError(f"{path} does not hold {rows} rows: remove it and prepare again")
        if columns != {name: arrow_type(feature) for name, feature in self.features.items()}:
            raise StoreError(f"{path} has other columns: remove the folder and prepare again")
        self._maps.append(np.frombuffer(mapped, np.uint8))
        shape = (reader.num_record_batches, len(self.features), 2)
        self._places.append(np.zeros(shape, np.int64))
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

    def take(self, rows: Any, name: str, *, out: np.ndarray | None = None) -> Any:
        """One column of many rows at once, as stored; rows in any order, repeated or not.

        Args:
            rows: int64 [k], each in [0, len).
            name: the column.
            out: for "fixed" columns: uint8 [k, width], contiguous, which is filled and returned.

        Returns:
            By the feature's ``storage``: "number" gives [k] of ``dtype_stored``; "fixed" uint8
            [k, width]; "list" the values of all rows end to end and int64 lengths [k]; "binary" a
            list of k memoryviews of the mapped file.

        Raises:
            IndexError: there is no such row.
            ValueError: ``out`` has another shape or dtype, or the column is not of one width.

        Example:
            >>> import tempfile
            >>> from domainkit.features import Tokens
            >>> from domainkit.store import write_store
            >>> with tempfile.TemporaryDirectory() as home:
            ...     rows = [{"t": [1, 2]}, {"t": []}, {"t": [3]}]
            ...     made = write_store(f"{home}/s", rows, {"t": Tokens()}, fingerprint="f")
            ...     made.take([2, 0], "t")
            (array([3, 1, 2], dtype=int32), array([1, 2]))
        """
        feature = self.features[name]
        kind = feature.storage
        room = room_for(len(rows), name, feature, out)
        if kind == "number":
            dtype = room.dtype
            for part, where, batch, offset in self._spread(rows):
                place = self._places[part][batch, self._index(name), 1] // dtype.itemsize
                room[where] = _typed(self._maps[part], dtype)[place + offset]
            return room
        if kind == "fixed":
            width = feature.width
            if width == 0:
                list(self._spread(rows))  # are they there?
                return room
            one = np.dtype((np.void, width))  # one item per row: numpy copies it in one piece
            for part, where, batch, offset in self._spread(rows):
                every = np.ndarray(
                    (len(self._maps[part]) - width + 1,), one, self._maps[part], 0, 1
                )
                place = self._places[part][batch, self._index(name), 1]
                room.view(one)[where, 0] = every[place + offset * width]
            return room
        views: list[Any] = [None] * len(rows)
        item = 1 if kind == "binary" else np.dtype(feature.dtype_stored).itemsize
        lengths = np.zeros(len(rows), np.int64)
        for part, where, batch, offset in self._spread(rows):
            start, stop = self._ends(part, name, batch, offset)
            lengths[where] = stop - start
            place = self._places[part][batch, self._index(name), 1] // item
            data: Any = memoryview(self._maps[part].data)
            if kind == "list":
                data = _typed(self._maps[part], np.dtype(feature.dtype_stored))
            found = zip((place + start).tolist(), (place + stop).tolist(), strict=True)
            if isinstance(where, slice):
                views = [data[a:b] for a, b in found]
            else:
                for i, (a, b) in zip(where.tolist(), found, strict=True):
                    views[i] = data[a:b]
        if kind == "binary":
            return views
        return np.concatenate(views or [np.empty(0, feature.dtype_stored)]), lengths

    def lengths(self, rows: Any, name: str) -> np.ndarray:
        """int64 [k]: how long the stored values of these rows are, which are not read.

        Items of a "list" column, bytes of a "binary" one.

        Raises:
            IndexError: there is no such row.
            ValueError: the column's values are all of one size.
        """
        kind = self.features[name].storage
        if kind not in ("list", "binary"):
            raise ValueError(f"column {name!r} is {kind!r}: its values are all of one size")
        lengths = np.zeros(len(rows), np.int64)
        for part, where, batch, offset in self._spread(rows):
            start, stop = self._ends(part, name, batch, offset)
            lengths[where] = stop - start
        return lengths

    def where(self, row: int) -> str:
        """The file that a row is in, for messages."""
        return str(self.folder / f"part-{bisect.bisect_right(self._starts, row) - 1:05d}.arrow")

    def _spread(self, rows: Any) -> Iterator[tuple[int, Any, np.ndarray, np.ndarray]]:
        """Rows by part: the part, which of them are there, their record batches, the row within."""
        rows = np.asarray(rows, np.int64)
        if rows.size == 0:
            return
        if rows.min() < 0 or rows.max() >= len(self):
            raise IndexError(f"rows {rows.min()}..{rows.max()} of a store of {len(self)}")
        parts = np.searchsorted(self._starts, rows, side="right") - 1
        for part in np.unique(parts).tolist():
            alone = len(self._maps) == 1
            where = slice(None) if alone else np.flatnonzero(parts == part)
            batch, offset = np.divmod(rows[where] - self._starts[part], BATCH_ROWS)
            places = self._places[part]
            # any column's buffer of values lies behind the file's magic number
            for new in np.unique(batch[places[batch, -1, 1] == 0]).tolist():
                self._locate(part, new)
            yield part, where, batch, offset

    def _locate(self, part: int, batch: int) -> None:
        """Note where in the file the buffers of a record batch begin: offsets, values."""
        base = self._maps[part].ctypes.data
        record = self._record(part, batch)
        for i, feature in enumerate(self.features.values()):
            buffers = record.column(i).buffers()
            places = self._places[part][batch, i]
            if feature.storage in ("list", "binary"):
                places[0] = buffers[1].address - base
            values = buffers[{"list": 3, "binary": 2}.get(feature.storage, 1)]
            places[1] = values.address - base if values is not None and values.size else 8

    def _ends(
        self, part: int, name: str, batch: np.ndarray, offset: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where the values of rows begin and end within their record batches' buffers."""
        place = self._places[part][batch, self._index(name), 0] // 8 + offset
        offsets = _typed(self._maps[part], np.dtype(np.int64))
        return offsets[place], offsets[place + 1]

    def _index(self, name: str) -> int:
        return list(self.features).index(name)

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

    def _record(self, part: int, batch: int) -> Any:
        import pyarrow as pa

        try:
            record = self._readers[part].get_batch(batch)
            record.validate()  # its sizes, not its values
        except (OSError, ValueError, pa.ArrowException) as error:
            raise StoreError(
                f"{self.folder}/part-{part:05d}.arrow is damaged ({error}): remove the folder and "
                "prepare again"
            ) from error
        return record

    def _load(self, part: int, batch: int) -> dict[str, Any]:
        record = self._record(part, batch)
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


def _typed(data: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A file's bytes as numbers; what is left at its end belongs to no value."""
    return data[: len(data) // dtype.itemsize * dtype.itemsize].view(dtype)


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


def arrow_type(feature: Feature) -> Any:
    import pyarrow as pa

    kind = type(feature).__name__
    if feature.storage == "fixed":
        return pa.binary(feature.width)
    if feature.storage == "binary":
        return pa.large_string() if kind == "Text" else pa.large_binary()
    number = pa.from_numpy_dtype(np.dtype(feature.dtype_stored))
    return number if feature.storage == "number" else pa.large_list(number)
