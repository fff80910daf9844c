"""``Joined``: several datasets as one source of rows, the ground of ``concat`` and ``mix``."""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from domainkit.columns import room_for

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["Joined"]


class Joined:
    """Several datasets as one source: row ``starts[k] + i`` is row i of dataset k."""

    def __init__(self, parts: Sequence[Dataset]) -> None:
        first = parts[0]
        for part in parts[1:]:
            if part.features != first.features:
                raise TypeError(
                    f"the columns differ: {first!r} and {part!r}; select_columns() keeps the "
                    "common ones"
                )
        self.parts = list(parts)
        self.features = first.features
        self.starts = np.cumsum([0, *(len(p) for p in parts)])
        self._ends = self.starts.tolist()  # plain ints are found faster, one at a time
        joined = "+".join(p.fingerprint for p in parts)
        self.fingerprint = hashlib.sha256(joined.encode()).hexdigest()[:32]
        self.info = {"name": " + ".join(dict.fromkeys(p.name for p in parts))}

    def __len__(self) -> int:
        return int(self.starts[-1])

    def raw(self, row: int, columns: Any = None, *, checked: bool = False) -> dict[str, Any]:
        k = bisect.bisect_right(self._ends, row) - 1
        part, names = self.parts[k], self.features if columns is None else columns
        return part._source.raw(part._row(row - self._ends[k]), names, checked=checked)

    def column(self, name: str) -> np.ndarray:
        return np.concatenate([p.column(name) for p in self.parts])

    def take(self, rows: Any, name: str, *, out: np.ndarray | None = None) -> Any:
        """See ``Store.take``; ``out`` is filled part by part."""
        rows = np.asarray(rows, np.int64)
        feature = self.features[name]
        room = room_for(len(rows), name, feature, out)
        taken = [(where, p._source.take(ids, name)) for p, where, ids in self._spread(rows)]
        if feature.storage == "binary":
            views: list[Any] = [None] * len(rows)
            for where, found in taken:
                for i, view in zip(where.tolist(), found, strict=True):
                    views[i] = view
            return views
        if feature.storage == "list":
            pieces: list[Any] = [room] * len(rows)
            lengths = np.zeros(len(rows), np.int64)
            for where, (values, sizes) in taken:
                lengths[where] = sizes
                ends = np.cumsum(sizes).tolist()
                for i, a, b in zip(where.tolist(), [0, *ends], ends, strict=False):
                    pieces[i] = values[a:b]
            return np.concatenate([room, *pieces]), lengths
        for where, values in taken:
            room[where] = values
        return room

    def lengths(self, rows: Any, name: str) -> np.ndarray:
        rows = np.asarray(rows, np.int64)
        lengths = np.zeros(len(rows), np.int64)
        for part, where, ids in self._spread(rows):
            lengths[where] = part._source.lengths(ids, name)
        return lengths

    def where(self, row: int) -> str:
        """The file that a row is in."""
        k = int(np.searchsorted(self.starts, row, side="right")) - 1
        part = self.parts[k]
        return str(part._source.where(int(part.ids(row - int(self.starts[k])))))

    def _spread(self, rows: np.ndarray) -> Iterator[tuple[Dataset, np.ndarray, np.ndarray]]:
        """Rows by part: the part, which of them are its own, and what its source calls them."""
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()}..{rows.max()} of a dataset of {len(self)}")
        whose = np.searchsorted(self.starts, rows, side="right") - 1
        for k in np.unique(whose).tolist():
            where = np.flatnonzero(whose == k)
            yield self.parts[k], where, self.parts[k].ids(rows[where] - self.starts[k])
