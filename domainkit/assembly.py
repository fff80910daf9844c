"""``Assembly``: one batch in the making, from rows of a source to a ``Batch``.

It has four steps, so that a loader's threads can share the third one, and the second one can wait
until there is memory for it:

    read      the stored form of all rows; whole fields where that is all there is to do; the sizes
              that the headers of media tell
    allocate  one buffer for all of a column's media
    decode    one row's media, right into its place in the buffer (any thread, any order); or
              elsewhere, and what the first pass of a pipeline makes of it into the buffer
    finish    the ``Batch``, without the rows that could not be read or decoded

A row that fails is noted in ``bad`` and does not stop the others: whether it may be left out is for
the caller to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import local
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from domainkit.batch import Batch
from domainkit.errors import DecodeError, DomainkitError, StoreError
from domainkit.features import Feature
from domainkit.ragged import Ragged

if TYPE_CHECKING:
    from domainkit.transform import PerSample

__all__ = ["Assembly", "BadSample", "Stored"]

Collate = Mapping[str, Callable[[list[Any]], Any]]
Allocate = Callable[[int, torch.dtype], torch.Tensor]
# a column, the sizes of its decoded media and their places in the batch -> what is made of them
Start = Callable[[str, np.ndarray, np.ndarray], "PerSample | None"]


class Stored(Protocol):
    """What is needed of a source of rows: ``domainkit.store.Store`` is one."""

    features: dict[str, Feature]

    def take(self, rows: np.ndarray, name: str, *, out: np.ndarray | None = None) -> Any: ...


@dataclass(frozen=True)
class BadSample:
    """A row of the source that could not be read or decoded, its place in the batch, and why."""

    place: int
    row: int
    column: str
    error: DomainkitError


def _plain(count: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.empty(count, dtype=dtype)


def _as_decoded(column: str, shapes: np.ndarray, places: np.ndarray) -> None:
    return None


class Assembly:
    """A batch of the given rows of a source.

    Args:
        source: where the rows are.
        columns: which columns the batch will have.
        rows: int64 [B], rows of the source, in the batch's order.
        collate: column -> a function from the list of its decoded values to the batch's field.
        allocate: gives the flat buffer of a field, from a number of elements and a dtype.
        start: what is made of each decoded medium on its way into the batch, told the column, the
            media's sizes (int64 [B, ndim]) and their places in the batch; None: nothing.

    Example:
        >>> from domainkit import load_dataset
        >>> ds = load_dataset("vision/fashion-mnist-mini", "test")
        >>> made = Assembly(ds._source, ["label"], np.array([2, 0]))
        >>> made.read()
        >>> made.allocate()
        >>> made.finish()[0]
        Batch(B=2)
          label  int64 [2]
    """

    def __init__(
        self,
        source: Stored,
        columns: Sequence[str],
        rows: np.ndarray,
        *,
        collate: Collate | None = None,
        allocate: Allocate = _plain,
        start: Start = _as_decoded,
    ) -> None:
        self._source = source
        self._columns = tuple(columns)
        self._rows = rows
        self._collate = collate or {}
        self._memory, self._start = allocate, start
        self._kept = np.arange(len(rows))  # places in ``rows`` that were read
        self._fields: dict[str, Any] = {}
        self._media: dict[str, _Values | _Buffer] = {}
        self._lost: set[int] = set()  # indices into ``_kept`` of what was not decoded
        self.bad: list[BadSample] = []

    def read(self) -> None:
        """Read the rows, and learn how large what has to be decoded will be."""
        try:
            self._read()
        except (StoreError, DecodeError):
            # one of them is damaged, or the common part of all
            self._kept = np.array([k for k in self._kept if self._readable(int(k))], dtype=np.int64)
            self._read()

    def allocate(self) -> None:
        """Make room for what has to be decoded."""
        for name, field in self._media.items():
            try:
                field.allocate(self._memory)
            except MemoryError:  # a header may lie; row by row it is found which one does
                self._media[name] = field.singly()

    @property
    def to_decode(self) -> int:
        """How many rows there are for ``decode``."""
        return len(self._kept) if self._media else 0

    @property
    def nbytes(self) -> int:
        """Bytes of the buffers for media, known before they are made."""
        return sum(field.nbytes for field in self._media.values())

    @property
    def bytes_read(self) -> int:
        """Bytes of media as stored."""
        return sum(field.bytes_read for field in self._media.values())

    @property
    def started(self) -> bool:
        """Whether ``start`` was done: known once there is room."""
        return any(isinstance(f, _Buffer) and f.work is not None for f in self._media.values())

    def place(self, index: int) -> int:
        """Which place in the batch ``decode(index)`` is about."""
        return int(self._kept[index])

    def decode(self, index: int) -> None:
        """Decode the media of one row; ``index`` in [0, ``to_decode``)."""
        for name, field in self._media.items():
            try:
                field.decode(index)
            except DecodeError as error:
                self._lost.add(index)
                self._note(self.place(index), name, error)
                return

    def leave_out(self, index: int) -> None:
        """Do without a row instead of decoding it."""
        self._lost.add(index)

    def finish(self) -> tuple[Batch, np.ndarray]:
        """The batch, and which places of it were read: int64 [k], rising."""
        fields = dict(self._fields)
        good = [i for i in range(len(self._kept)) if i not in self._lost]
        index = None if len(good) == len(self._kept) else good
        for name, field in self._media.items():
            fields[name] = field.finish(index)
        if index is not None:
            for name in self._fields:
                fields[name] = _only(fields[name], index)
        kept = self._kept if index is None else self._kept[index]
        for name, function in self._collate.items():
            if name in fields and len(kept):  # a batch of bad samples only is never given out
                fields[name] = function(fields[name])
        self.bad.sort(key=lambda sample: sample.place)
        ordered = {name: fields[name] for name in self._columns}
        return Batch(ordered, ids=torch.from_numpy(self._rows[kept].astype(np.int64))), kept

    def _read(self) -> None:
        rows = self._rows[self._kept]
        self._fields, self._media = {}, {}
        for name in self._columns:
            feature = self._source.features[name]
            out = None
            if feature.storage == "fixed":
                flat = self._memory(len(rows) * feature.width, torch.uint8)
                out = flat.view(len(rows), feature.width).numpy()
            stored = self._source.take(rows, name, out=out)
            if name in self._collate:
                self._media[name] = _Values(feature, _each(feature, stored), joined=False)
            elif not feature.media:
                self._fields[name] = feature.collate_stored(stored)
            else:
                shapes = [feature.shape_of(raw) for raw in stored]
                if not shapes or any(s is None or len(s) != len(shapes[0] or ()) for s in shapes):
                    self._media[name] = _Values(feature, stored, joined=True)
                else:
                    known = np.array(shapes, dtype=np.int64)
                    work = self._start(name, known, self._kept)
                    self._media[name] = _Buffer(feature, stored, known, work)

    def _readable(self, place: int) -> bool:
        name = ""
        try:
            for name in self._columns:
                feature = self._source.features[name]
                stored = self._source.take(self._rows[[place]], name)
                if not feature.media:
                    feature.collate_stored(stored)
        except (StoreError, DecodeError) as error:
            self._note(place, name, error)
            return False
        return True

    def _note(self, place: int, column: str, error: DomainkitError) -> None:
        self.bad.append(BadSample(place, int(self._rows[place]), column, error))


class _Buffer:
    """One column's media in one buffer, each row's size known before it is decoded."""

    _values: torch.Tensor

    def __init__(
        self, feature: Feature, stored: Sequence[Any], decoded: np.ndarray, work: PerSample | None
    ) -> None:
        self._feature, self._stored, self.work = feature, stored, work
        self._decoded = decoded
        self._shapes = decoded if work is None else work.shapes
        self._offsets = np.zeros(len(decoded) + 1, dtype=np.int64)
        np.cumsum(self._shapes.prod(axis=1), out=self._offsets[1:])
        # one channel lies the same in both orders, and is called by the plain one
        self._last = feature.channels_last and bool((decoded[:, 0] != 1).any())

        self.nbytes = int(self._offsets[-1]) * feature.media_dtype.itemsize
        self.bytes_read = sum(map(len, stored))

    def allocate(self, memory: Allocate) -> None:
        self._values = memory(int(self._offsets[-1]), self._feature.media_dtype)

    def singly(self) -> _Values:
        return _Values(self._feature, self._stored, joined=True)

    def decode(self, index: int) -> None:
        flat = self._values[int(self._offsets[index]) : int(self._offsets[index + 1])]
        out = self._shaped(flat, self._shapes[index])
        if self.work is None:
            self._feature.decode_into(self._stored[index], out)
            return
        size = int(self._decoded[index].prod())
        medium = self._shaped(_scratch(size, self._feature.media_dtype), self._decoded[index])
        self._feature.decode_into(self._stored[index], medium)
        self.work.run(index, medium, out)

    def finish(self, index: Sequence[int] | None) -> torch.Tensor | Ragged:
        batch = Ragged.from_shapes(self._values, self._shapes, channels_last=self._last)
        if index is not None:
            batch = batch[index]
        return batch.dense() if batch.is_dense else batch

    def _shaped(self, flat: torch.Tensor, sizes: np.ndarray) -> torch.Tensor:
        shape = sizes.tolist()
        if self._feature.channels_last:
            return flat.view(*shape[1:], shape[0]).permute(2, 0, 1)
        return flat.view(*shape)


_mine = local()
_KEPT = 1 << 26  # bytes; what a thread needs for a larger medium is not kept


def _scratch(count: int, dtype: torch.dtype) -> torch.Tensor:
    """Memory [count] of the calling thread's own, used again by its next call."""
    size = count * dtype.itemsize
    buffer: np.ndarray | None = getattr(_mine, "buffer", None)
    if buffer is None or buffer.nbytes < size:
        buffer = np.empty(size, dtype=np.uint8)  # which lies in large pages, torch's does not
        if size <= _KEPT:
            _mine.buffer = buffer
    return torch.from_numpy(buffer[:size]).view(dtype)


class _Values:
    """One column's decoded values as a list: sizes are known afterwards, or a function wants it."""

    def __init__(self, feature: Feature, stored: Sequence[Any], *, joined: bool) -> None:
        self._feature, self._stored, self._joined = feature, stored, joined
        self._values: list[Any] = [None] * len(stored)
        self.nbytes = 0  # not known before
        self.bytes_read = sum(map(len, stored)) if feature.media else 0

    def allocate(self, memory: Allocate) -> None:
        pass

    def singly(self) -> _Values:
        return self

    def decode(self, index: int) -> None:
        self._values[index] = self._feature.decode(self._stored[index])

    def finish(self, index: Sequence[int] | None) -> Any:
        values = self._values if index is None else [self._values[i] for i in index]
        return self._feature.collate(values) if self._joined and values else values


def _each(feature: Feature, stored: Any) -> Sequence[Any]:
    """What ``take`` gave of several rows as one stored form per row."""
    if feature.storage == "list":
        values, lengths = stored
        return np.split(values, np.cumsum(lengths)[:-1]) if len(lengths) else []
    return stored.tolist() if feature.storage == "number" else stored


def _only(field: Any, index: Sequence[int]) -> Any:
    return [field[i] for i in index] if isinstance(field, list) else field[index]
