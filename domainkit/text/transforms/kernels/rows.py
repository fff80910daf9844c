"""``ragged_rows`` and ``dense_rows``: a stretch of each sample's tokens, moved to its place.

Cutting, adding special tokens and padding are one such move together. On a CPU it is a Numba loop,
elsewhere, and under ``torch.compile``, a few operations of torch on the flat tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec

import numpy as np
import torch

from domainkit.outputs import fresh
from domainkit.ragged import Ragged

__all__ = ["dense_rows", "numba_can", "ragged_rows", "real_places"]


def numba_can(values: torch.Tensor) -> bool:
    """Whether the Numba form can work on these tokens: on a CPU, outside a compiler.

    Example:
        >>> numba_can(torch.zeros(3, dtype=torch.int64, device="meta"))
        False
    """
    return (
        values.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and not values.requires_grad
        and _installed()
    )


@cache
def _installed() -> bool:
    return find_spec("numba") is not None  # a look at the disk, too slow for each batch


def ragged_rows(
    values: torch.Tensor,
    starts: np.ndarray,
    counts: np.ndarray,
    begin: Sequence[int] = (),
    end: Sequence[int] = (),
) -> Ragged:
    """A ``Ragged`` of items begin + values[starts[b] : starts[b] + counts[b]] + end.

    Args:
        values: [N], any dtype: the flat tokens.
        starts, counts: int64 [B] on the host.
        begin, end: numbers that every item gets.

    Example:
        >>> rows = ragged_rows(torch.tensor([5, 6, 7]), np.array([0, 2]), np.array([2, 1]), (1,))
        >>> [item.tolist() for item in rows]
        [[1, 5, 6], [1, 7]]
    """
    widths = counts + (len(begin) + len(end))
    at = np.cumsum(widths) - widths
    out, _ = _moved(values, starts, counts, (begin, end), at, widths, int(widths.sum()))
    return Ragged.from_shapes(out, widths)


def dense_rows(
    values: torch.Tensor,
    starts: np.ndarray,
    counts: np.ndarray,
    width: int,
    *,
    begin: Sequence[int] = (),
    end: Sequence[int] = (),
    left: bool = False,
    fill: float = 0,
    mask: bool = False,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The same rows filled up to [B, width], and bool [B, width], true where there is no filling.

    Args:
        width: at least what each row needs.
        left: whether the filling goes before the row.
        fill: what fills up.
        mask: whether the second is wanted; else it is None.

    Example:
        >>> starts, counts = np.array([0, 2]), np.array([2, 1])
        >>> dense_rows(torch.tensor([5, 6, 7]), starts, counts, 3, left=True, mask=True)
        (tensor([[0, 5, 6],
                [0, 0, 7]]), tensor([[False,  True,  True],
                [False, False,  True]]))
    """
    batch = len(starts)
    at, room = np.arange(batch) * width, np.full(batch, width)
    out, real = _moved(
        values, starts, counts, (begin, end), at, room, batch * width, left, fill, mask
    )
    return out.view(batch, width), None if real is None else real.view(batch, width)


def real_places(lengths: torch.Tensor, width: int, left: bool) -> torch.Tensor:
    """bool [B, width]: where rows of these lengths [B] lie among their filling.

    Example:
        >>> real_places(torch.tensor([1, 2]), 2, left=True).tolist()
        [[False, True], [True, True]]
    """
    column = torch.arange(width, device=lengths.device)
    return column >= width - lengths[:, None] if left else column < lengths[:, None]


def _moved(
    values: torch.Tensor,
    starts: np.ndarray,
    counts: np.ndarray,
    around: tuple[Sequence[int], Sequence[int]],
    at: np.ndarray,
    room: np.ndarray,
    total: int,
    left: bool = False,
    fill: float = 0,
    mask: bool = False,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    if values.ndim == 1 and numba_can(values):
        from domainkit.text.transforms.kernels._numba_rows import place

        flat = fresh(total, values.numpy().dtype)
        out = torch.from_numpy(flat)
        real = torch.from_numpy(fresh(total if mask else 0, "bool"))
        edges = (np.array(edge, flat.dtype) for edge in around)
        filler = flat.dtype.type(fill)
        source = values.contiguous().numpy()
        place(source, starts, counts, *edges, at, room, left, filler, flat, real.numpy())
        return out, real if mask else None
    begin, end = around
    widths = counts + (len(begin) + len(end))
    first = at + (room - widths if left else 0)
    rows = [torch.from_numpy(x).to(values.device) for x in (starts, counts, first, widths)]
    return _moved_by_torch(values, rows, around, (int(counts.sum()), total), fill, mask)


def _moved_by_torch(
    values: torch.Tensor,
    rows: list[torch.Tensor],
    around: tuple[Sequence[int], Sequence[int]],
    sizes: tuple[int, int],
    fill: float,
    mask: bool,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The reference form; ``rows``: starts, counts, first places and widths on the device."""
    starts, counts, first, widths = rows
    begin, end = around
    kept, total = sizes  # from the host, so that the device is never waited for
    index = torch.arange(kept, device=values.device)
    before = counts.cumsum(0) - counts
    source, target = (
        index + torch.repeat_interleave(shift - before, counts, output_size=kept)
        for shift in (starts, first + len(begin))
    )
    out = values.new_full((total, *values.shape[1:]), fill)
    out[target] = values[source]
    for j, token in enumerate(begin):
        out[first + j] = token
    for j, token in enumerate(end):
        out[first + widths - len(end) + j] = token
    if not mask:
        return out, None
    real = torch.zeros(total + 1, dtype=torch.int32, device=values.device)
    real.index_add_(0, first, torch.ones_like(first, dtype=torch.int32))
    real.index_add_(0, first + widths, -torch.ones_like(first, dtype=torch.int32))
    return out, real[:total].cumsum(0) > 0
