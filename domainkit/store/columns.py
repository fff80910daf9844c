"""How a column of one part is read: a class for each of the four storages.

A column knows where its values begin in every record batch that was touched. Touching holds what is
small (numbers, offsets) to its checksum, all of the record batch at once; rows of bytes and lists
have a checksum each. There is no lock, which a fork could leave locked: a place is noted in one
step, and the same whoever notes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from xxhash import xxh3_64_intdigest

from domainkit.features import Feature
from domainkit.prepared import BATCH_ROWS

if TYPE_CHECKING:
    from domainkit.store.part import Part

__all__ = ["COLUMNS", "Column", "Reader"]

LOW = (1 << 32) - 1
Reader = Callable[[int, int], Any]


class Column:
    """The base; ``index`` is the column's among all, ``beside`` among those with row checksums."""

    def __init__(self, part: Part, name: str, index: int, beside: int, feature: Feature) -> None:
        self.part, self.name, self._index, self._feature = part, name, index, feature
        self._data = part.data
        self._unit = np.dtype(feature.dtype_stored or "uint8")
        # where the values of a record batch begin, in items; 0 until it is touched, as no values
        # can begin where a file's magic number is
        self._places = np.zeros(part.batches, np.int64)
        self._places_of = self._places.data  # gives plain ints, one at a time
        if beside >= 0:
            self._sums, self._sums_of = part.row_sums[:, beside], part.row_sums.reshape(-1).data
            self._step, self._start = part.row_sums[0].size, beside * BATCH_ROWS

    def reader(self) -> Reader:
        """A function (record batch, offset) -> what is stored of one row, unchecked."""
        # a closure, as this is what takes the time of a small row
        raise NotImplementedError

    def checked_reader(self) -> Reader:
        """``reader``, with every row held to its checksum."""
        read, sums, digest = self.reader(), self._sums_of, xxh3_64_intdigest
        step, start = self._step, self._start

        def checked(batch: int, offset: int) -> Any:
            value = read(batch, offset)
            if digest(value) & LOW != sums[batch * step + start + offset]:
                raise self.part.damaged(batch, self.name, offset)
            return value

        return checked

    def touch(self, batch: int) -> int:
        """Note where a record batch's values are, which are checked as far as they are small."""
        self.part.look()
        return self._note(batch)

    def touched(self, batches: np.ndarray) -> np.ndarray:
        """Where the values of record batches begin [k]; touches those that are new."""
        marks = self._marks()
        new = batches[marks[batches] == 0]
        if new.size:
            self.part.look()
            for batch in np.unique(new).tolist():
                self._note(batch)
        return self._places[batches]

    def _note(self, batch: int) -> int:
        raise NotImplementedError

    def _hold(self, batch: int, start: int, size: int, expected: int) -> None:
        if xxh3_64_intdigest(self._data[start : start + size]) != expected:
            raise self.part.damaged(batch, self.name)

    def _marks(self) -> np.ndarray:
        """What is not 0 for record batches that were touched."""
        return self._places

    def _hold_rows(self, batches: np.ndarray, offsets: np.ndarray, rows: Iterable[Any]) -> None:
        found = np.fromiter(map(xxh3_64_intdigest, rows), np.uint64, len(batches))
        wrong = np.flatnonzero(found.astype(np.uint32) != self._sums[batches, offsets])
        if wrong.size:
            raise self.part.damaged(int(batches[wrong[0]]), self.name, int(offsets[wrong[0]]))

    def _items(self) -> Any:
        """The whole file as items; what is left over at its end belongs to no value."""
        size, code = self._unit.itemsize, str(self._unit.char)
        return self._data[: len(self._data) // size * size].cast(code)  # type: ignore[call-overload]


class Numbers(Column):
    """One number per row."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._numbers = self._items()
        self._array = np.frombuffer(self._numbers, self._unit)

    def reader(self) -> Reader:
        numbers, places, touch = self._numbers, self._places_of, self.touch

        def read(batch: int, offset: int) -> Any:
            return numbers[(places[batch] or touch(batch)) + offset]

        return read

    checked_reader = reader  # touching has checked them

    def take(self, batches: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """[k] numbers."""
        return self._array[self.touched(batches) + offsets]

    def whole(self) -> list[np.ndarray]:
        """All numbers, record batch by record batch, without a copy."""
        places = self.touched(np.arange(self.part.batches))
        return [
            self._array[place : place + self.part.rows_of(batch)]
            for batch, place in enumerate(places.tolist())
        ]

    def _note(self, batch: int) -> int:
        _, values, expected = self.part.entry(batch, self._index)
        size = self._unit.itemsize
        self._hold(batch, values, self.part.rows_of(batch) * size, expected)
        self._places[batch] = place = values // size
        return place


class Fixed(Column):
    """Bytes, the same number in every row."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._width = self._feature.width

    def reader(self) -> Reader:
        data, places, touch, width = self._data, self._places_of, self.touch, self._width

        def read(batch: int, offset: int) -> memoryview:
            start = (places[batch] or touch(batch)) + offset * width
            return data[start : start + width]

        return read

    def take(self, batches: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """uint8 [k, width], a copy."""
        places, width = self.touched(batches), self._width
        if width == 0:
            return np.empty((len(batches), 0), np.uint8)
        # a row is one item that may begin at any byte: numpy copies it in one piece
        every = np.ndarray(
            (len(self._data) - width + 1,), np.dtype((np.void, width)), self._data, 0, 1
        )
        rows = every[places + offsets * width].view(np.uint8).reshape(-1, width)
        self._hold_rows(batches, offsets, rows)
        return rows

    def _note(self, batch: int) -> int:
        self._places[batch] = place = self.part.entry(batch, self._index)[1]
        return place


class Sized(Column):
    """Bytes or items, as many as the offsets say."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        data = self._data
        self._ends = data[: len(data) // 8 * 8].cast("q")
        self._ends_array = np.frombuffer(self._ends, np.int64)
        # where the offsets of a record batch begin; noted last, so that it tells who was touched
        self._tables = np.zeros(self.part.batches, np.int64)
        self._tables_of = self._tables.data
        self._values = self._items()
        if self._feature.storage == "list":
            self._values = np.frombuffer(self._values, self._unit)

    def reader(self) -> Reader:
        values, places, tables = self._values, self._places_of, self._tables_of
        ends, touch = self._ends, self.touch

        def read(batch: int, offset: int) -> Any:
            at = (tables[batch] or touch(batch)) + offset
            place = places[batch]
            return values[place + ends[at] : place + ends[at + 1]]

        return read

    def take(self, batches: np.ndarray, offsets: np.ndarray) -> tuple[list[Any], np.ndarray]:
        """k views, and their lengths [k]."""
        places = self.touched(batches)
        at = self._tables[batches] + offsets
        starts, stops = self._ends_array[at], self._ends_array[at + 1]
        values = self._values
        pairs = zip((places + starts).tolist(), (places + stops).tolist(), strict=True)
        rows = [values[a:b] for a, b in pairs]
        self._hold_rows(batches, offsets, rows)
        return rows, stops - starts

    def lengths(self, batches: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """[k], from the offsets alone."""
        self.touched(batches)
        at = self._tables[batches] + offsets
        return self._ends_array[at + 1] - self._ends_array[at]

    def _note(self, batch: int) -> int:
        table, values, expected = self.part.entry(batch, self._index)
        self._hold(batch, table, 8 * (self.part.rows_of(batch) + 1), expected)
        self._places[batch] = values // self._unit.itemsize
        self._tables[batch] = place = table // 8
        return place

    def _marks(self) -> np.ndarray:
        return self._tables


COLUMNS: dict[str, type[Column]] = {
    "number": Numbers,
    "fixed": Fixed,
    "binary": Sized,
    "list": Sized,
}
