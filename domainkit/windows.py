"""``token_windows``: documents as one stream of tokens, cut into windows for language models.

The windows are rows of a ``Dataset`` like others, read from the mapped tokens when their turn
comes: nothing is copied beforehand, and a ``Loader`` keeps its exact state over them.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from domainkit.columns import room_for
from domainkit.dataset import Dataset
from domainkit.errors import NotFoundError, nearest
from domainkit.features import Feature, Tokens

__all__ = ["token_windows"]


def token_windows(
    dataset: Dataset,
    length: int,
    *,
    streams: int = 1,
    stride: int | None = None,
    column: str = "tokens",
) -> Dataset:
    """Windows of ``length`` tokens and the tokens that follow each.

    The dataset's documents stand one behind the other (put an end token into each, so that the
    model sees where one ends), and the stream is cut into ``streams`` equal parts. Row r is window
    r // streams of part r % streams. So a loader without shuffling whose global batch has
    ``streams`` samples gives, at each place of the batch, window after window of one text: that is
    truncated backpropagation through time, where a model carries its state along. With
    ``streams=1`` and shuffling the rows are training samples like any others.

    Args:
        dataset: with a column of ``Tokens``; see ``tokenize``.
        length: tokens of a window; the last of each part may be shorter.
        streams: parts; what does not divide, fewer than ``streams`` tokens at the end, is left out.
        stride: tokens from the beginning of a window to that of the next; None takes ``length``.
        column: the tokens.

    Returns:
        A dataset with the columns ``tokens`` and ``labels``, both int64 [<= length]: labels[j] is
        the token behind tokens[j].

    Raises:
        NotFoundError: no such column.
        TypeError: the column holds no tokens.
        ValueError: length, streams or stride below 1, or fewer than two tokens in a part.

    Example:
        >>> import os, tempfile, unittest.mock
        >>> import pyarrow as pa
        >>> import domainkit as dk
        >>> table = pa.table({"tokens": [[0, 1, 2, 3, 4], [5, 6], [7, 8, 9]]})
        >>> with tempfile.TemporaryDirectory() as home:
        ...     with unittest.mock.patch.dict(os.environ, {"DOMAINKIT_HOME": home}):
        ...         windows = token_windows(dk.from_arrow(table), 3, streams=2)
        ...     for batch in dk.Loader(windows, batch_size=2):
        ...         print(batch["tokens"].tolist(), batch["labels"].tolist())
        [[0, 1, 2], [5, 6, 7]] [[1, 2, 3], [6, 7, 8]]
        [[3], [8]] [[4], [9]]
    """
    if column not in dataset.columns:
        raise NotFoundError(
            f"there is no column {column!r}: tokenize() makes one of texts. "
            f"{nearest(column, dataset.columns)}"
        )
    if not isinstance(dataset.features[column], Tokens):
        raise TypeError(
            f"column {column!r} holds {dataset.features[column]}: token_windows takes Tokens, "
            "which tokenize() makes of texts"
        )
    step = length if stride is None else stride
    if min(length, streams, step) < 1:
        raise ValueError(
            f"length, streams and stride must be 1 or more, got {length}, {streams} and {step}"
        )
    return Dataset(_Windows(dataset, column, length, streams, step))


class _Windows:
    """The source of rows behind ``token_windows``."""

    def __init__(self, dataset: Dataset, column: str, length: int, streams: int, step: int) -> None:
        self._documents, self._column = dataset.select_columns([column]), column
        self._held = np.zeros(len(dataset), np.bool_)  # documents whose checksum was looked at
        self._length, self._streams, self._step = length, streams, step
        sizes = dataset.lengths(column)
        self._ends = np.cumsum(sizes, dtype=np.int64)
        total = int(self._ends[-1]) if len(sizes) else 0
        self._part = total // streams  # tokens of a part
        if self._part < 2:
            raise ValueError(
                f"{total} tokens in {streams} streams leave fewer than two to each: take fewer"
            )
        # a part's last token is a label only
        self._windows = -(-(self._part - 1) // step)
        self.features: dict[str, Feature] = {"tokens": Tokens(), "labels": Tokens()}
        facts = f"{dataset.fingerprint} {column} {length} {streams} {step}"
        self.fingerprint = hashlib.sha256(facts.encode()).hexdigest()[:32]
        self.info = {**dataset.info, "name": f"{dataset.name}, windows of {length}"}

    def __len__(self) -> int:
        return self._windows * self._streams

    def raw(self, row: int, columns: Any = None, *, checked: bool = False) -> dict[str, Any]:
        names = self.features if columns is None else columns
        first, size = self._place(row)
        tokens = self._read(first, size + 1, checked)
        both = {"tokens": tokens[:-1], "labels": tokens[1:]}
        return {name: both[name] for name in names}

    def take(self, rows: Any, name: str, *, out: np.ndarray | None = None) -> Any:
        """See ``Store.take``: the values of all rows behind each other, and their lengths."""
        room = room_for(len(rows), name, self.features[name], out)
        pieces = [self.raw(int(row), (name,), checked=True)[name] for row in np.asarray(rows)]
        return np.concatenate([room, *pieces]), self.lengths(rows, name)

    def column(self, name: str) -> np.ndarray:
        raise TypeError(f"windows overlap in {name!r}: read them row by row")

    def lengths(self, rows: Any, name: str) -> np.ndarray:
        return np.array([self._place(int(row))[1] for row in np.asarray(rows)], np.int64)

    def where(self, row: int) -> str:
        """The document that a window begins in."""
        document = int(np.searchsorted(self._ends, self._place(row)[0], side="right"))
        return self._documents.name + f", row {document}"

    def _place(self, row: int) -> tuple[int, int]:
        """Where a window begins in the stream, and how many tokens it has."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} windows")
        number, part = divmod(row, self._streams)
        begin = number * self._step
        return part * self._part + begin, min(self._length, self._part - 1 - begin)

    def _read(self, first: int, size: int, checked: bool) -> np.ndarray:
        """int32 [size]: a stretch of the stream, from as many documents as it takes."""
        document = int(np.searchsorted(self._ends, first, side="right"))
        pieces, need = [], size
        before = int(self._ends[document - 1]) if document else 0
        skip = first - before
        while need:
            # once a document and not once a window: a checksum reads all of it
            look = checked and not self._held[document]
            tokens = self._documents.raw(document, checked=look)[self._column]
            self._held[document] |= look
            pieces.append(tokens[skip : skip + need])
            need -= len(pieces[-1])
            document, skip = document + 1, 0
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
