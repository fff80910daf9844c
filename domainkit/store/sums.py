"""The checksums beside a part, taken from what is written and never from what came of it."""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from domainkit.features import Feature
from domainkit.prepared import BATCH_ROWS

__all__ = ["SummedFile", "Sums"]


class SummedFile(io.BufferedWriter):
    """A file that knows the XXH3-64 of what was written since it was last asked."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "wb"))
        self._hash = xxhash.xxh3_64()

    def write(self, data: Any) -> int:
        self._hash.update(data)
        return super().write(data)

    def cut(self) -> tuple[int, int]:
        """Where the file ends now, and the checksum of what was written since the last cut."""
        digest = self._hash.intdigest()
        self._hash.reset()
        return self.tell(), digest

    def close(self) -> None:
        """Not before the disk has it."""
        if not self.closed:
            self.flush()
            os.fsync(self.fileno())
        super().close()


class Sums:
    """Writes the file of checksums of one part; ``prepared.checks`` says what it looks like.

    Args:
        part: the Arrow file whose checksums these are.
        features: its columns.
    """

    def __init__(self, part: Path, features: Mapping[str, Feature]) -> None:
        self._part, self._features = part, features
        self._file = SummedFile(part.with_suffix(".sums"))
        self._contents: list[list[int]] = []  # of the small buffers, per record batch

    def add(self, record: Any) -> None:
        """Take the checksums of a record batch that is being written."""
        contents = []
        for array, feature in zip(record.columns, self._features.values(), strict=True):
            small, rows = _buffers(array, feature)
            contents.append(0 if small is None else xxhash.xxh3_64_intdigest(small))
            if feature.storage != "number":
                sums = np.zeros(BATCH_ROWS, np.uint64)
                sums[: len(array)] = [xxhash.xxh3_64_intdigest(row) for row in rows]
                self._file.write(sums.astype(np.uint32).tobytes())
        self._contents.append(contents)

    def finish(self, blocks: list[tuple[int, int]]) -> str:
        """Add where everything lies in the part, which is complete; the checksum of all.

        Args:
            blocks: the cuts of the part's file: after each record batch, and at its end.
        """
        number = 0
        for places, contents in zip(self._places(), self._contents, strict=True):
            for (offsets, values), content in zip(places, contents, strict=True):
                entry = np.array([offsets, values, content], np.uint64).tobytes()
                own = xxhash.xxh3_64_intdigest(entry, number)
                self._file.write(entry + np.uint64(own).tobytes())
                number += 1
        self._file.write(np.array(blocks, np.uint64).tobytes())
        digest = self._file.cut()[1]
        self._file.close()
        return f"{digest:016x}"

    def close(self) -> None:
        """Let go of the file, complete or not."""
        self._file.close()

    def _places(self) -> Iterator[list[tuple[int, int]]]:
        """Per record batch and column: where in the part its offsets and values begin."""
        import pyarrow as pa

        with self._part.open("rb") as file:
            whole = pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        reader = pa.ipc.open_file(whole)
        for i in range(reader.num_record_batches):
            places = []
            for array, feature in zip(
                reader.get_batch(i).columns, self._features.values(), strict=True
            ):
                found = []
                for buffer in _wanted(array, feature):
                    # no magic number, and a place that any dtype may have, for what is empty
                    empty = buffer is None or not buffer.size
                    found.append(8 if empty else buffer.address - whole.address)
                assert not any(place % 8 for place in found), "Arrow aligns to 8 bytes at least"
                places.append((found[0], found[1]))
            yield places


def _wanted(array: Any, feature: Feature) -> tuple[Any, Any]:
    """The buffers of the offsets (or nothing) and the values."""
    buffers = array.buffers()
    if feature.storage == "list":
        return buffers[1], buffers[3]
    return (buffers[1], buffers[2]) if feature.storage == "binary" else (None, buffers[1])


def _buffers(array: Any, feature: Feature) -> tuple[memoryview | None, Iterator[memoryview]]:
    """The bytes that are checked at once, and those of each row."""
    rows = len(array)
    offsets, values = (
        memoryview(buffer if buffer is not None else b"").cast("B")
        for buffer in _wanted(array, feature)
    )
    if feature.storage == "number":
        return values[: rows * np.dtype(feature.dtype_stored).itemsize], iter(())
    if feature.storage == "fixed":
        width = feature.width
        return None, (values[i * width : (i + 1) * width] for i in range(rows))
    small = offsets[: 8 * (rows + 1)]
    size = np.dtype(feature.dtype_stored or "uint8").itemsize
    ends = [end * size for end in small.cast("q").tolist()]
    return small, (values[a:b] for a, b in pairwise(ends))
