"""``plan_rows`` and ``packed``: which row each piece of a document goes to, and the move itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from domainkit.outputs import fresh
from domainkit.text.transforms.kernels.best_fit import assign
from domainkit.text.transforms.kernels.rows import numba_can

__all__ = ["Packing", "Places", "packed", "plan_rows"]


class Places(NamedTuple):
    """int64 [R, length] each: a token's place in its piece, and its document (-1: padding)."""

    position: torch.Tensor
    document: torch.Tensor


class Packing(NamedTuple):
    """Pieces of documents in the order of their places, int64 [P] each on the host.

    ``document``, ``begin`` in it, ``size``; ``at`` in the flat rows. ``rows`` of ``length``.
    """

    document: np.ndarray
    begin: np.ndarray
    size: np.ndarray
    at: np.ndarray
    rows: int
    length: int

    def places(self, device: torch.device) -> Places:
        """What ``Pack`` says of each place.

        Example:
            >>> plan_rows(np.array([2, 3]), 3, "concat").places("cpu").position
            tensor([[0, 1, 0],
                    [0, 1, 0]])
        """
        total = self.rows * self.length
        if torch.device(device).type == "cpu" and numba_can(torch.empty(0)):
            position, document = (torch.from_numpy(fresh(total, "int64")) for _ in range(2))
            position.zero_()
            document.fill_(-1)
            from domainkit.text.transforms.kernels._numba_packing import number

            number(self.document, self.at, self.size, position.numpy(), document.numpy())
        else:
            position = torch.zeros(total, dtype=torch.int64, device=device)
            document = torch.full((total,), -1, dtype=torch.int64, device=device)
            within, piece = self._pieces(device)
            target = torch.from_numpy(self.at).to(device)[piece] + within
            position[target] = within
            document[target] = torch.from_numpy(self.document).to(device)[piece]
        shape = (self.rows, self.length)
        return Places(position.view(shape), document.view(shape))

    def _pieces(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Of each token: its place in its piece, and which piece that is."""
        size = torch.from_numpy(self.size).to(device)
        total = int(self.size.sum())
        piece = torch.repeat_interleave(
            torch.arange(len(self.size), device=device), size, output_size=total
        )
        before = size.cumsum(0) - size
        return torch.arange(total, device=device) - before[piece], piece

    def moved(
        self, values: torch.Tensor, starts: np.ndarray, out: torch.Tensor
    ) -> None:  # the torch form of ``packed``
        """Write the tokens into flat rows."""
        within, piece = self._pieces(values.device)
        source = torch.from_numpy(starts[self.document] + self.begin).to(values.device)
        target = torch.from_numpy(self.at).to(values.device)
        out[target[piece] + within] = values[source[piece] + within]


def packed(values: torch.Tensor, starts: np.ndarray, plan: Packing, fill: float) -> torch.Tensor:
    """The flat tokens of documents in their rows: the values' dtype [rows, length].

    Args:
        values: [N], any dtype.
        starts: int64 [B] on the host, where each document begins.
        plan: made of the documents' lengths.
        fill: what fills up.

    Example:
        >>> plan = plan_rows(np.array([2, 3]), 4, "best-fit")
        >>> packed(torch.tensor([1, 2, 3, 4, 5]), np.array([0, 2]), plan, 0)
        tensor([[1, 2, 0, 0],
                [3, 4, 5, 0]])
    """
    count = plan.rows * plan.length
    if numba_can(values):
        from domainkit.text.transforms.kernels._numba_packing import move

        flat = values.contiguous().numpy()
        out = torch.from_numpy(fresh(count, flat.dtype)).fill_(fill)
        source = starts[plan.document] + plan.begin
        move(flat, source, plan.size, plan.at, out.numpy())
    else:
        out = values.new_full((count,), fill)
        plan.moved(values, starts, out)
    return out.view(plan.rows, plan.length)


def plan_rows(lengths: np.ndarray, length: int, strategy: str) -> Packing:
    """Where documents of these lengths go.

    Args:
        lengths: int64 [B]; documents without tokens go nowhere.
        length: of a row.
        strategy: "best-fit" or "concat".

    Rows come in the order of the first document in them, and documents in a row in theirs.

    Example:
        >>> plan = plan_rows(np.array([3, 5, 1]), 6, "best-fit")
        >>> plan.rows, plan.document.tolist(), plan.at.tolist()
        (2, [0, 1, 2], [0, 6, 11])
    """
    if strategy == "concat":
        document, begin, size, at = _stream(lengths, length)
        return Packing(document, begin, size, at, -(-int(lengths.sum()) // length), length)
    pieces = -(-lengths // length)
    document = np.repeat(np.arange(len(lengths)), pieces)
    number = np.arange(len(document)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = number * length
    size = np.minimum(lengths[document] - begin, length)
    row = best_fit(size, length)
    order = np.argsort(row, kind="stable")
    document, begin, size, row = document[order], begin[order], size[order], row[order]
    before = np.cumsum(size) - size
    first = np.flatnonzero(np.diff(row, prepend=-1))
    at = row * length + before - np.repeat(before[first], np.diff(np.append(first, len(row))))
    return Packing(document, begin, size, at, len(first), length)


def best_fit(sizes: np.ndarray, length: int) -> np.ndarray:
    """The row of each piece, numbered by their first pieces.

    Example:
        >>> best_fit(np.array([3, 5, 1]), 6).tolist()
        [0, 1, 1]
    """
    # longest first; equal ones in their order
    order = np.argsort(-sizes, kind="stable")
    row = np.empty(len(sizes), np.int64)
    count = assign()(sizes, order, length, row)
    first = np.full(count, len(sizes))
    np.minimum.at(first, row, np.arange(len(sizes)))
    rank = np.empty(count, np.int64)
    rank[np.argsort(first)] = np.arange(count)
    return rank[row]


def _stream(lengths: np.ndarray, length: int) -> tuple[np.ndarray, ...]:
    """Pieces of one stream of documents that is cut every ``length`` tokens."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.union1d(ends, np.arange(0, total, length))
    cuts = np.union1d(cuts, [0, total]).astype(np.int64)
    at, size = cuts[:-1], np.diff(cuts)
    document = np.searchsorted(ends, at, side="right")
    return document, at - (ends - lengths)[document], size, at
