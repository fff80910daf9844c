"""``Store``: a prepared split, read row by row, many rows at once, or a whole column."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from domainkit.columns import room_for
from domainkit.errors import CardError, StoreError
from domainkit.features import Feature, feature_from_spec
from domainkit.prepared import BATCH_ROWS, advice, check_store, read_facts
from domainkit.store.part import Part

__all__ = ["Store"]


class Store:
    """One prepared split, opened read-only.

    Every value is held to a checksum that was taken while it was written: numbers, and how long the
    others are, when their record batch is first touched; the bytes of a row when the row is read by
    ``take`` or by ``raw(..., checked=True)``. Opening reads no row.

    Args:
        folder: what ``write_store`` made.

    Raises:
        StoreError: the folder is damaged, incomplete or of another layout version. Damage inside
            the rows shows when they are read, or to ``verify``.

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
        facts = read_facts(self.folder)
        try:
            self.features: dict[str, Feature] = {
                name: feature_from_spec(spec) for name, spec in facts["features"].items()
            }
            self.fingerprint: str = facts["fingerprint"]
            self.info: dict[str, Any] = facts["info"]
            sizes = list(zip(facts["part_rows"], facts["part_bytes"], strict=True))
        except (ValueError, KeyError, TypeError, AttributeError, CardError) as error:
            raise StoreError(
                f"{self.folder} is not a prepared dataset ({error}): {advice(self.folder)}"
            ) from error
        self._parts: list[Part] = []
        self._starts = [0]
        for number, (rows, size) in enumerate(sizes):
            path = self.folder / f"part-{number:05d}.arrow"
            self._parts.append(Part(path, self._starts[-1], rows, size, self.features))
            self._starts.append(self._starts[-1] + rows)
        self._only = self._parts[0] if len(self._parts) == 1 else None

    def __len__(self) -> int:
        return self._starts[-1]

    def raw(
        self, row: int, columns: Iterable[str] | None = None, *, checked: bool = False
    ) -> dict[str, Any]:
        """What the store keeps of one row: numbers, memoryviews, or numpy arrays for lists.

        Args:
            row: in [0, len).
            columns: which of them; None for all.
            checked: hold memoryviews and arrays to the row's checksum, which reads all their bytes.

        Raises:
            StoreError: the row is damaged.
        """
        part = self._only or self._parts[bisect.bisect_right(self._starts, row) - 1]
        row -= part.first
        batch, offset = row // BATCH_ROWS, row % BATCH_ROWS
        read = part.checked if checked else part.raw
        names = self.features if columns is None else columns
        return {name: read[name](batch, offset) for name in names}

    def take(self, rows: Any, name: str, *, out: np.ndarray | None = None) -> Any:
        """One column of many rows at once, as stored and checked; in any order, repeated or not.

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
            StoreError: a row is damaged; says which.

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
        room = room_for(len(rows), name, feature, out)
        if feature.storage in ("number", "fixed"):
            for part, where, batches, offsets in self._spread(rows):
                room[where] = part.columns[name].take(batches, offsets)
            return room
        views: list[Any] = [None] * len(rows)
        lengths = np.zeros(len(rows), np.int64)
        for part, where, batches, offsets in self._spread(rows):
            found, lengths[where] = part.columns[name].take(batches, offsets)
            if isinstance(where, slice):
                views = found
            else:
                for i, view in zip(where.tolist(), found, strict=True):
                    views[i] = view
        if feature.storage == "binary":
            return views
        return np.concatenate([room, *views]), lengths

    def lengths(self, rows: Any, name: str) -> np.ndarray:
        """int64 [k]: how long the stored values of these rows are, which are not read.

        Items of a "list" column, bytes of a "binary" one.

        Raises:
            IndexError: there is no such row.
            ValueError: the column's values are all of one size.
            StoreError: the lengths are damaged.
        """
        kind = self.features[name].storage
        if kind not in ("list", "binary"):
            raise ValueError(f"column {name!r} is {kind!r}: its values are all of one size")
        lengths = np.zeros(len(rows), np.int64)
        for part, where, batches, offsets in self._spread(rows):
            lengths[where] = part.columns[name].lengths(batches, offsets)
        return lengths

    def where(self, row: int) -> str:
        """The file that a row is in, for messages."""
        return str(self.folder / f"part-{bisect.bisect_right(self._starts, row) - 1:05d}.arrow")

    def column(self, name: str) -> np.ndarray:
        """A number column as one numpy array [rows]; without a copy when it is one record batch.

        Raises:
            StoreError: a number is damaged.
        """
        pieces = [piece for part in self._parts for piece in part.columns[name].whole()]
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate([np.empty(0, self.features[name].dtype_stored), *pieces])

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return sum(f.stat().st_size for f in self.folder.iterdir())

    def verify(self) -> None:
        """Read everything again and hold it to the checksums that were taken while writing.

        Raises:
            StoreError: a file has other bytes or cannot be read; says which rows are damaged.
        """
        check_store(self.folder)

    def _spread(self, rows: Any) -> Iterator[tuple[Part, Any, np.ndarray, np.ndarray]]:
        """Rows by part: the part, which of them are there, their record batches, the row within."""
        rows = np.asarray(rows, np.int64)
        if not rows.size:
            return
        if rows.min() < 0 or rows.max() >= len(self):
            raise IndexError(f"rows {rows.min()}..{rows.max()} of a store of {len(self)}")
        if len(self._parts) == 1:
            yield self._parts[0], slice(None), *np.divmod(rows, BATCH_ROWS)
            return
        whose = np.searchsorted(self._starts, rows, side="right") - 1
        for i in np.unique(whose).tolist():
            where = np.flatnonzero(whose == i)
            part = self._parts[i]
            yield part, where, *np.divmod(rows[where] - part.first, BATCH_ROWS)

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self.folder,)
