"""``Dataset``: rows of decoded samples by index, and views of them.

A dataset is map-style and works in torch's own ``DataLoader`` by duck type. It holds a source (a
mapped ``Store`` or a join of several) and which of its rows it shows; no object exists per row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch

from domainkit.assembly import Assembly
from domainkit.batch import Batch
from domainkit.cards import load_card
from domainkit.errors import DecodeError, NotFoundError, nearest
from domainkit.features import Feature
from domainkit.joined import Joined
from domainkit.lengths import measure
from domainkit.mixing import part_lengths
from domainkit.prepare import prepare
from domainkit.progress import bar
from domainkit.splits import parse_split

__all__ = ["Dataset", "Source", "load_dataset"]

Rows = range | np.ndarray


class Source(Protocol):
    """Where a dataset's rows come from: ``Store`` is one, the join behind ``concat`` another."""

    features: dict[str, Feature]
    fingerprint: str
    info: dict[str, Any]

    def __len__(self) -> int: ...
    def raw(self, row: int, columns: Any = None, *, checked: bool = False) -> dict[str, Any]: ...
    def column(self, name: str) -> np.ndarray: ...
    def take(self, rows: Any, name: str, *, out: np.ndarray | None = None) -> Any: ...
    def lengths(self, rows: Any, name: str) -> np.ndarray: ...
    def where(self, row: int) -> str: ...


def load_dataset(name: str, split: str | None = None) -> Dataset:
    """Fetch, verify and prepare a dataset if that has not happened yet, and open it.

    Args:
        name: such as "vision/fashion-mnist"; ``list_datasets()`` gives all.
        split: such as "train", "train[:10%]" or "train+test". May be left out when the dataset has
            one split only.

    Raises:
        NotFoundError: no such dataset or split.
        FetchError: a file could not be fetched or is not what the card promises.
        ReaderError, ArchiveError: a file is not laid out as its reader expects.

    Example:
        >>> load_dataset("vision/fashion-mnist-mini", "train[:10%]")
        Dataset(vision/fashion-mnist-mini, train: 500 of 5000 rows; image: Image, label: Label)
    """
    card = load_card(name)
    if split is None:
        if len(card.splits) > 1:
            raise NotFoundError(
                f"{name} has several splits: choose one of {', '.join(card.splits)}"
            )
        split = next(iter(card.splits))
    terms = parse_split(split)
    for term in terms:  # refuse a wrong name before anything is fetched
        card.split(term.name)
    parts = []
    for term in terms:
        whole = Dataset(prepare(card, term.name))
        parts.append(whole.select(term.rows(len(whole))))
    return parts[0] if len(parts) == 1 else Dataset(Joined(parts))


class Dataset:
    """Samples by index.

    ``ds[i]`` is a dict of decoded values; ``ds[2:5]`` and ``ds[[4, 1]]`` are smaller datasets;
    ``ds["label"]`` is a column. ``ds.raw(i)`` is what is stored (the bytes as published).

    Args:
        source: where the rows come from.
        rows: which of its rows, in order; None for all.
        columns: which columns; None for all.

    Example:
        >>> ds = load_dataset("text/sentiment-sentences", "train")
        >>> sorted(ds[0])
        ['label', 'source', 'text']
        >>> ds.filter(lambda row: row["label"] == 1, columns=["label"])[0]["label"]
        1
    """

    def __init__(
        self, source: Source, rows: Rows | None = None, columns: Sequence[str] | None = None
    ) -> None:
        self._source = source
        self._rows: Rows = range(len(source)) if rows is None else rows
        self._columns = tuple(source.features if columns is None else columns)

    # -- facts ---------------------------------------------------------------------------------

    @property
    def features(self) -> dict[str, Feature]:
        """Column name -> ``Feature``."""
        return {name: self._source.features[name] for name in self._columns}

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    @property
    def info(self) -> dict[str, Any]:
        """Facts of the source: dataset name, split, licence."""
        return self._source.info

    @property
    def name(self) -> str:
        """What error messages and tables call it: "vision/mnist, train"."""
        return ", ".join(str(v) for k in ("name", "split") if (v := self.info.get(k)))

    @cached_property
    def fingerprint(self) -> str:
        """A digest of which rows of which files these are, in which order."""
        rows, total = self._rows, len(self._source)
        if isinstance(rows, range):
            if rows == range(total):
                return self._source.fingerprint
            rows = np.arange(rows.start, rows.stop, rows.step, dtype=np.int64)
        if np.array_equal(rows, np.arange(total)):
            return self._source.fingerprint
        digest = hashlib.sha256(self._source.fingerprint.encode())
        digest.update(rows.tobytes())
        return digest.hexdigest()[:32]

    def __len__(self) -> int:
        return len(self._rows)

    def ids(self, indices: Any) -> np.ndarray:
        """int64: the ids of the samples at these indices, the same in every view of one source."""
        index, n = np.asarray(indices, dtype=np.int64), len(self)
        if index.size and not -n <= index.min() <= index.max() < n:
            raise IndexError(f"rows {index.min()}..{index.max()} of a dataset of {n}")
        index = np.where(index < 0, index + n, index)
        if isinstance(self._rows, range):
            return self._rows.start + index * self._rows.step
        return self._rows[index]

    @cached_property
    def repeats(self) -> bool:
        """Whether a row is shown more than once."""
        if isinstance(self._rows, range):
            return False
        seen = np.zeros(len(self._source), dtype=bool)
        seen[self._rows] = True
        return int(seen.sum()) < len(self._rows)

    def told(self, row: int, column: str, error: Exception) -> str:
        """What is wrong with the sample of this id: dataset, split, row, column, cause and file."""
        told = f"{self.name}, row {row}, column {column!r}: {error}"
        where = self._source.where(row)
        return told if where in told else f"{told} (stored in {where})"

    @property
    def parts(self) -> tuple[int, ...]:
        """How many rows each dataset of a ``concat`` has here, one after the other; else all rows.

        A view has the parts of what it is a view of, some perhaps shorter or empty.

        Raises:
            ValueError: the rows of the parts do not come one part after the other (as in ``mix``).
        """
        if isinstance(self._source, Joined):
            return part_lengths(self._source.starts, self._rows)
        return (len(self),)

    # -- samples -------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, (torch.Tensor, np.ndarray)) and index.ndim == 0:
            index = index.item()
        if isinstance(index, (int, np.integer)):
            return self._decode(self._row(int(index)))
        if isinstance(index, str):
            return self.column(index)
        return self.select(index)

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Several samples at once: what torch's ``DataLoader`` calls for a batch."""
        return [self._decode(self._row(int(i))) for i in indices]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[i] for i in range(len(self)))

    def raw(self, index: int, *, checked: bool = False) -> dict[str, Any]:
        """The stored form of one row, without a copy: numbers, memoryviews, numpy arrays.

        Bytes and lists are held to their checksums if ``checked``, as by ``ds[i]``.

        Raises:
            StoreError: the row is damaged.
        """
        return self._source.raw(self._row(index), self._columns, checked=checked)

    def batch(self, indices: Any) -> Batch:
        """Several samples as one ``Batch``: dense where equal in size, else ``Ragged``.

        Raises:
            DecodeError, StoreError: a sample cannot be decoded or read; of several the first.
        """
        made = self.assembly(self.ids(indices))
        made.read()
        made.allocate()
        for index in range(made.to_decode):
            made.decode(index)
        batch, _ = made.finish()
        for bad in made.bad:
            raise type(bad.error)(self.told(bad.row, bad.column, bad.error)) from bad.error
        return batch

    def assembly(self, ids: np.ndarray, **kwargs: Any) -> Assembly:
        """A batch of the samples with these ids in the making; see ``Assembly``."""
        return Assembly(self._source, self._columns, ids, **kwargs)

    def lengths(self, column: str, indices: Any = None) -> np.ndarray:
        """How long samples are, without decoding them where a header tells.

        Args:
            column: items of Tokens, bytes of Text, seconds of Audio, pixels of an Image, boxes of
                Boxes, or the values of a number column.
            indices: of which samples; None for all.

        Example:
            >>> load_dataset("audio/voice-prompts", "test").lengths("audio", [0, 1]).round(2)
            array([1.46, 1.78])
        """
        if column not in self._columns:
            raise NotFoundError(
                f"{self.name} has no column {column!r}. {nearest(column, self._columns)}"
            )
        which = np.arange(len(self)) if indices is None else indices
        return measure(self._source, column, self.ids(which))

    def collate(self, samples: Sequence[Mapping[str, Any]], ids: np.ndarray) -> Batch:
        """Put decoded samples into one ``Batch``; ``ids`` are theirs, in the same order."""
        fields = {n: f.collate([s[n] for s in samples]) for n, f in self.features.items()}
        return Batch(fields, ids=torch.from_numpy(np.array(ids, dtype=np.int64)))

    def column(self, name: str) -> Any:
        """One column of all rows: a numpy array for numbers, else a list of decoded values."""
        if name not in self._columns:
            raise NotFoundError(
                f"{self.name} has no column {name!r}. {nearest(name, self._columns)}"
            )
        feature = self._source.features[name]
        if feature.storage != "number":
            return [sample[name] for sample in self.select_columns([name])]
        values = self._source.column(name)
        if isinstance(self._rows, range):
            return values[_as_slice(self._rows)]
        return values[self._rows]

    # -- views ---------------------------------------------------------------------------------

    def select(self, rows: Any) -> Dataset:
        """The rows of a slice, a range, a list of indices or a boolean mask, in that order."""
        if isinstance(rows, torch.Tensor):
            rows = rows.cpu().numpy()
        if isinstance(rows, range):
            ends = (rows[0], rows[-1]) if rows else (0, 0)
            if max(ends) < max(len(self), 1) and min(ends) >= 0:
                rows = _as_slice(rows)  # a slice of a range is a range: no array of rows
        if isinstance(rows, slice):
            return Dataset(self._source, self._rows[rows], self._columns)
        index = np.asarray(rows)
        if index.dtype == bool and index.shape == (len(self),):
            index = np.flatnonzero(index)
        if index.ndim != 1 or (index.size and index.dtype.kind not in "iu"):
            raise TypeError(
                f"a dataset takes an int, a column name, a slice, a list of ints or a mask of "
                f"{len(self)} booleans, got {rows!r:.80}"
            )
        return Dataset(self._source, self.ids(index), self._columns)

    def select_columns(self, names: Sequence[str]) -> Dataset:
        """The same rows with these columns only: what is left out is neither read nor decoded."""
        names = [names] if isinstance(names, str) else list(names)
        for name in names:
            if name not in self._columns:
                raise NotFoundError(
                    f"{self.name} has no column {name!r}. {nearest(name, self._columns)}"
                )
        return Dataset(self._source, self._rows, names)

    def filter(
        self, keep: Callable[[dict[str, Any]], bool], columns: Sequence[str] | None = None
    ) -> Dataset:
        """The rows for which ``keep(sample)`` is true; only ``columns`` are decoded for it."""
        seen = self if columns is None else self.select_columns(columns)
        kept = []
        with bar(f"filter {self.name}", len(self), unit="rows") as progress:
            for i in range(len(self)):
                if keep(seen[i]):
                    kept.append(i)
                progress.advance(1)
        return self.select(np.array(kept, dtype=np.int64))

    # -- leaving -------------------------------------------------------------------------------

    def to_parquet(self, path: Any) -> None:
        """Write all rows to one Parquet file; media stays as published."""
        from domainkit import interop

        interop.to_parquet(self, path)

    def to_webdataset(self, path: Any) -> None:
        """Write all rows to one webdataset tar file."""
        from domainkit import interop

        interop.to_webdataset(self, path)

    def to_hf(self) -> Any:
        """The rows as a Hugging Face ``datasets.Dataset`` (needs the extra "datasets")."""
        from domainkit import interop

        return interop.to_hf(self)

    # -- showing -------------------------------------------------------------------------------

    def __repr__(self) -> str:
        from domainkit import display

        return display.dataset_line(self)

    def _repr_html_(self) -> str:
        from domainkit import display

        return display.dataset_html(self)

    # -- within --------------------------------------------------------------------------------

    def _row(self, index: int) -> int:
        n = len(self._rows)
        if not -n <= index < n:
            raise IndexError(f"row {index} of a dataset of {n}")
        return int(self._rows[index])

    def _decode(self, row: int) -> dict[str, Any]:
        raw = self._source.raw(row, self._columns, checked=True)
        features = self._source.features
        sample = {}
        for name in self._columns:
            try:
                sample[name] = features[name].decode(raw[name])
            except DecodeError as error:
                raise DecodeError(self.told(row, name, error)) from error
        return sample


def _as_slice(rows: range) -> slice:
    if not rows:
        return slice(0, 0)  # an empty range may have any ends
    # a range that runs down to 0 stops at -1, which a slice would read as the last row
    return slice(rows.start, rows.stop if rows.stop >= 0 else None, rows.step)
