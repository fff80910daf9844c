"""One part of a store: its two mapped files, and where the columns lie in them."""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_64_intdigest

from domainkit.errors import StoreError
from domainkit.features import Feature
from domainkit.prepared import BATCH_ROWS, advice
from domainkit.store.columns import COLUMNS, Column, Reader

__all__ = ["Part"]

ENTRY = 4  # words per record batch and column, see ``prepared.checks``


class Part:
    """The rows ``first`` to ``first + rows`` of a store, opened without reading any.

    A map keeps what was mapped readable when the file is removed or replaced. A file that loses
    its end while it is mapped is another matter: a read behind the new end kills the process, and
    nothing can be caught. So sizes are looked at again whenever a record batch is first touched;
    what is cut off between that look and the reading cannot be noticed.

    Args:
        path: the Arrow file; its checksums lie beside it.
        first: the number of its first row in the store.
        rows: how many there are.
        size: bytes of the Arrow file, as written.
        features: the columns.

    Raises:
        StoreError: a file is not there or has another size.
    """

    def __init__(
        self, path: Path, first: int, rows: int, size: int, features: Mapping[str, Feature]
    ) -> None:
        self.path, self.first, self.rows = path, first, rows
        self.batches = -(-rows // BATCH_ROWS)
        checked = [name for name, feature in features.items() if feature.storage != "number"]
        shape = (self.batches, len(checked), BATCH_ROWS)
        entries = 4 * shape[0] * shape[1] * shape[2]
        blocks = entries + 8 * ENTRY * self.batches * len(features)
        self._width = len(features)
        self._files = (
            _Mapped(path, size),
            _Mapped(path.with_suffix(".sums"), blocks + 16 * (self.batches + 1)),
        )
        self.data = memoryview(self._files[0].map)
        sums = memoryview(self._files[1].map)
        self._entries = sums[entries:blocks]
        self.row_sums = np.frombuffer(sums[:entries], np.uint32).reshape(shape)
        at = {name: i for i, name in enumerate(features)}

        def make(name: str) -> Column:
            feature = features[name]
            beside = checked.index(name) if name in checked else -1
            return COLUMNS[feature.storage](self, name, at[name], beside, feature)

        # made when first asked for: a table may have a thousand columns
        self.columns: dict[str, Any] = _Lazy(make)
        self.raw: dict[str, Reader] = _Lazy(lambda name: self.columns[name].reader())
        self.checked: dict[str, Reader] = _Lazy(lambda name: self.columns[name].checked_reader())

    def rows_of(self, batch: int) -> int:
        """How many rows a record batch has."""
        return min(BATCH_ROWS, self.rows - batch * BATCH_ROWS)

    def entry(self, batch: int, index: int) -> tuple[int, int, int]:
        """Where the offsets and values of a column begin, and what the small one hashes to."""
        number = batch * self._width + index
        words = self._entries[8 * ENTRY * number : 8 * ENTRY * (number + 1)]
        offsets, values, content, own = words.cast("Q")
        if xxh3_64_intdigest(words[:-8], number) != own:
            raise StoreError(
                f"{self._files[1].path} is damaged (rows {self._range(batch)}): "
                f"{advice(self.path.parent)}"
            )
        return offsets, values, content

    def look(self) -> None:
        """Are the files as long as ever?

        Raises:
            StoreError: one has lost its end.
        """
        for file in self._files:
            file.look()

    def damaged(self, batch: int, name: str, offset: int | None = None) -> StoreError:
        """The error for one row, or the rows of a record batch, whose checksum differs."""
        row = "" if offset is None else f"row {self.first + batch * BATCH_ROWS + offset}"
        return StoreError(
            f"{self.path} is damaged ({row or 'rows ' + self._range(batch)}, column {name!r}: not "
            f"the bytes that were written): {advice(self.path.parent)}"
        )

    def _range(self, batch: int) -> str:
        start = self.first + batch * BATCH_ROWS
        return f"{start}..{start + self.rows_of(batch) - 1}"


class _Mapped:
    """A file mapped for reading, which must have ``size`` bytes."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        try:
            with open(path, "rb") as file:
                stat = os.fstat(file.fileno())
                if stat.st_size == size:
                    self.map = _map(file.fileno(), size)
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} is damaged ({error}): {advice(path.parent)}") from error
        if stat.st_size != size:
            raise StoreError(
                f"{path} is damaged (it has {stat.st_size:,} bytes, {size:,} were written): "
                f"{advice(path.parent)}"
            )
        self._identity = stat.st_dev, stat.st_ino

    def look(self) -> None:
        try:
            stat = os.stat(self.path)
        except OSError:
            return  # what was removed stays mapped
        if stat.st_size < self.size and (stat.st_dev, stat.st_ino) == self._identity:
            raise StoreError(
                f"{self.path} is damaged (it has lost its end while it was open: {stat.st_size:,} "
                f"of {self.size:,} bytes are left): {advice(self.path.parent)}"
            )


def _map(number: int, size: int) -> mmap.mmap:
    # the map outlives the open file: without its number, a store costs no open files
    lean: dict[str, Any] = {"trackfd": False} if sys.version_info >= (3, 13) else {}
    return mmap.mmap(number, size, access=mmap.ACCESS_READ, **lean)


class _Lazy(dict[str, Any]):
    """A dict that makes what it is asked for."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: str) -> Any:
        # no lock, which a fork could leave locked: two threads may make two that are equal
        return self.setdefault(name, self._make(name))
