"""``Table``: words with their vectors as arrays, in memory or mapped from a folder, and its maker.

The folder holds, beside ``facts.json``, which is written last:

    vectors.npy   float32 [N, dim], the vector of each word
    norms.npy     float32 [N], their lengths
    mean.npy      float32 [dim], the mean of all of them
    words.bin     the words in UTF-8, one after another
    offsets.npy   int64 [N + 1], where each word begins
    hashes.npy    uint64 [N], order.npy int64 [N]: the hashes of words in rising order, and whose
    ngrams.npy    float32 [buckets, dim], of fastText alone
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from domainkit.errors import DecodeError
from domainkit.text.vectors.words import Words

__all__ = ["LAYOUT", "Maker", "NpyWriter", "Table", "open_table"]

LAYOUT = 1  # raise it when the folder's layout changes: what is there is then made anew
_HEADER = 128  # bytes before the numbers, room for any shape


@dataclass(frozen=True)
class Table:
    """Words and vectors.

    Attributes:
        words: N of them.
        rows: float32 [N, dim].
        norms: float32 [N].
        mean: float32 [dim].
        ngrams: float32 [buckets, dim], of fastText alone.
        facts: what kind of file it came from, and what that kind needs to know.
    """

    words: Words
    rows: np.ndarray
    norms: np.ndarray
    mean: np.ndarray
    ngrams: np.ndarray | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def open_table(folder: Path) -> Table | None:
    """Maps what a ``Maker`` wrote, without reading it; None where it is not there as a whole."""
    try:
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in facts["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if facts.get("layout") != LAYOUT or sizes != facts["files"]:
        return None
    arrays = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r")
        for name in ("offsets", "hashes", "order", "vectors", "norms", "mean", "ngrams")
        if f"{name}.npy" in sizes
    }
    empty = sizes["words.bin"] == 0  # nothing can be mapped then: the one word is ""
    text = np.zeros(0, np.uint8) if empty else np.memmap(folder / "words.bin", np.uint8, "r")
    words = Words(text, arrays["offsets"], arrays["hashes"], arrays["order"])
    mean = np.array(arrays["mean"])
    rows, norms, ngrams = arrays["vectors"], arrays["norms"], arrays.get("ngrams")
    return Table(words, rows, norms, mean, ngrams, facts)


class NpyWriter:
    """A float32 ``.npy`` of [rows, dim] whose rows come by and by."""

    def __init__(self, path: Path, dim: int) -> None:
        self.path, self.dim, self.rows = path, dim, 0
        self._file: BinaryIO = path.open("xb")
        self._file.write(bytes(_HEADER))

    def add(self, rows: np.ndarray) -> None:
        """Appends float32 [n, dim]."""
        self._file.write(np.ascontiguousarray(rows, "<f4").data)
        self.rows += len(rows)

    def close(self) -> None:
        """Writes the header, now that the number of rows is known."""
        shape = f"({self.rows}, {self.dim})"
        text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
        head = b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little")
        self._file.seek(0)
        self._file.write(head + text.ljust(_HEADER - 11).encode() + b"\n")
        self._file.close()

    def abandon(self) -> None:
        """Closes the file as it is."""
        self._file.close()


class Maker:
    """Writes a table's folder from words and vectors that come by and by.

    Of a word that comes twice the first vector is kept, which in files by frequency is the one of
    the more frequent.
    """

    def __init__(self, folder: Path, label: str) -> None:
        self.folder, self.label = folder, label
        self.facts: dict[str, Any] = {}
        self._words: dict[bytes, None] = {}
        self._rows: NpyWriter | None = None
        self._sum: np.ndarray | None = None
        self._norms: list[np.ndarray] = []
        self._twice = 0
        self._open: list[NpyWriter] = []

    def add(self, words: Sequence[bytes], rows: np.ndarray) -> None:
        """Words and their vectors, float32 [n, dim]."""
        if self._rows is None:
            self._rows = self.writer("vectors", rows.shape[1])
            self._sum = np.zeros(rows.shape[1])
        kept = []
        for i, word in enumerate(words):
            if word not in self._words:
                self._words[word] = None
                kept.append(i)
        if len(kept) < len(words):
            self._twice += len(words) - len(kept)
            rows = rows[kept]
        self._rows.add(rows)
        self._norms.append(np.sqrt(np.einsum("ij,ij->i", rows, rows)))
        self._sum += rows.sum(0, dtype=np.float64)

    def writer(self, name: str, dim: int) -> NpyWriter:
        """Another array of the folder, such as the vectors of fastText's n-grams."""
        new = NpyWriter(self.folder / f"{name}.npy", dim)
        self._open.append(new)
        return new

    def abandon(self) -> None:
        """Closes all files, finished or not."""
        for one in self._open:
            one.abandon()

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Writes the rest, and ``facts`` at the very end.

        Raises:
            DecodeError: nothing came.
        """
        if self._rows is None or self._sum is None:
            raise DecodeError(f"{self.label}: holds no vectors")
        self._rows.close()
        words = Words.of(list(self._words))
        words.text.tofile(self.folder / "words.bin")
        arrays = {
            "offsets": words.offsets,
            "hashes": words.hashes,
            "order": words.order,
            "norms": np.concatenate(self._norms),
            "mean": (self._sum / len(words)).astype(np.float32),
        }
        for name, array in arrays.items():
            np.save(self.folder / f"{name}.npy", array)
        sizes = {}
        for path in sorted(self.folder.iterdir()):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            sizes[path.name] = path.stat().st_size
        known = {**self.facts, **facts, "twice": self._twice, "layout": LAYOUT, "files": sizes}
        with (self.folder / "facts.json").open("x", encoding="utf-8") as out:
            json.dump(known, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
