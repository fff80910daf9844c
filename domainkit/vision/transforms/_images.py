"""What all picture transforms share: checks of their input and arguments, and loops over items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = [
    "FLOATS",
    "PIXELS",
    "as_padding",
    "as_range",
    "as_size",
    "check_images",
    "each_item",
    "item_sizes",
    "join",
    "mirrored",
    "pixelwise",
    "put_rows",
    "sizes_in_graph",
]

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
PIXELS = (torch.uint8, *FLOATS)


def check_images(
    op: Any,
    x: Any,
    *,
    dtypes: Sequence[torch.dtype] | None = None,
    channels: Sequence[int] | None = None,
    hint: str = "",
) -> None:
    """TransformError unless ``x`` is a batch of pictures that ``op`` can work on.

    Args:
        dtypes: what is allowed; None allows every dtype.
        channels: what is allowed; None allows every number.
        hint: what to do about a wrong dtype.
    """
    name = type(op).__name__
    if isinstance(x, torch.Tensor):
        right, got = x.ndim == 4, f"a tensor {tuple(x.shape)}"
    elif isinstance(x, Ragged):
        right, got = x.host_shapes.shape[1] == 3 and not x.inner, repr(x)
    else:
        right, got = False, type(x).__name__
    if not right:
        one = ": a single picture needs [None] for its batch" if got.count(",") == 2 else ""
        raise TransformError(
            f"{name} takes a tensor [B, C, H, W] or a Ragged of pictures [C, H, W], got {got}{one}"
        )
    if dtypes is not None and x.dtype not in dtypes:
        allowed = ", ".join(str(d).removeprefix("torch.") for d in dtypes)
        got = str(x.dtype).removeprefix("torch.")
        raise TransformError(
            f"{name} takes {allowed} pictures, got {got}{'. ' if hint else ''}{hint}"
        )
    if channels is not None:
        found = sorted(set(x.host_shapes[:, 0].tolist())) if isinstance(x, Ragged) else [x.shape[1]]
        if not set(found) <= set(channels):
            way = ". Put RGB() before it" if 3 in channels and set(found) <= {1, 2, 3, 4} else ""
            raise TransformError(
                f"{name} takes pictures with {' or '.join(map(str, channels))} channels, got "
                f"{' and '.join(map(str, found))}{way}"
            )


def as_size(op: Any, size: Any) -> tuple[int, int]:
    """(height, width) of an argument that is an int (a square) or a pair of ints."""
    pair = (size, size) if isinstance(size, int) else size
    if (
        not isinstance(pair, (tuple, list))
        or len(pair) != 2
        or not all(type(n) is int and n > 0 for n in pair)
    ):
        raise TransformError(
            f"{type(op).__name__}: size must be a positive int or (height, width), got {size!r}"
        )
    return pair[0], pair[1]


def as_padding(op: Any, padding: Any) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of an int, (left and right, top and bottom), or all four."""
    sides = (padding,) if isinstance(padding, int) else padding
    if (
        not isinstance(sides, (tuple, list))
        or len(sides) not in (1, 2, 4)
        or not all(type(n) is int and n >= 0 for n in sides)
    ):
        raise TransformError(
            f"{type(op).__name__}: padding must be an int, (left/right, top/bottom) or (left, top, "
            f"right, bottom), none negative, got {padding!r}"
        )
    left, top, right, bottom = tuple(sides) * (4 // len(sides))
    return left, top, right, bottom


def as_range(op: Any, name: str, value: Any, *, above: float = 0.0) -> tuple[float, float]:
    """(low, high) of a pair of numbers with ``above`` < low <= high."""
    if not isinstance(value, (tuple, list)) or len(value) != 2 or not above < value[0] <= value[1]:
        raise TransformError(
            f"{type(op).__name__}: {name} must be (low, high) with {above:g} < low <= high, "
            f"got {value!r}"
        )
    return float(value[0]), float(value[1])


def constants(values: Any, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """``torch.tensor(values)``; in a graph on a device made there, as CUDA captures no host copy.

    Args:
        values: a number, or sequences of numbers, nested or not.
    """
    if device.type == "cpu" or not torch.compiler.is_compiling():
        return torch.tensor(values, dtype=dtype, device=device)
    if isinstance(values, (tuple, list)):
        return torch.stack([constants(value, dtype, device) for value in values])
    return torch.full((), values, dtype=dtype, device=device)


def sizes_in_graph(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """``item_sizes`` of dense pictures, made on the device of ``like`` [B, ...]."""
    return constants(list(x.shape[-2:]), torch.int64, like.device).expand(len(like), 2)


def item_sizes(x: torch.Tensor | Ragged) -> torch.Tensor:
    """int64 [B, 2] on the host: height and width of every picture."""
    if isinstance(x, Ragged):
        return torch.from_numpy(x.host_shapes[:, 1:].copy())
    return torch.tensor(x.shape[2:]).expand(len(x), 2)


def join(items: Sequence[torch.Tensor], like: torch.Tensor | Ragged) -> torch.Tensor | Ragged:
    """One dense tensor where all items have one shape, else a ``Ragged``; ``like`` if none."""
    if not items:
        return like
    if all(item.shape == items[0].shape for item in items):
        return torch.stack(list(items))
    return Ragged.from_list(items)


def each_item(
    x: Ragged, work: Callable[[int, torch.Tensor], torch.Tensor]
) -> torch.Tensor | Ragged:
    """``join`` of ``work(i, picture [1, C, H, W])`` for every item."""
    return join([work(i, item[None])[0] for i, item in enumerate(x)], like=x)


def pixelwise(
    x: torch.Tensor | Ragged, work: Callable[[torch.Tensor, slice], torch.Tensor]
) -> torch.Tensor | Ragged:
    """Run what changes pixels and no sizes; a ``Ragged`` stays one, with the same sizes.

    ``work(pictures [n, C, H, W], samples)`` is given the whole batch when all sizes are equal, else
    one picture at a time; ``samples`` says which rows of the batch it got.
    """
    if not isinstance(x, Ragged):
        return work(x, slice(None))
    if len(x) == 0:
        return x
    if x.is_dense:
        return x.with_values(_flat(work(x.dense(), slice(None)), x))
    parts = [_flat(work(item[None], slice(i, i + 1)), x) for i, item in enumerate(x)]
    return x.with_values(torch.cat(parts))


def put_rows(out: torch.Tensor, rows: torch.Tensor, values: torch.Tensor) -> None:
    """out[rows[i]] = values[i] in place, for int64 ``rows`` on the host."""
    if out.device.type != "cpu":
        out.index_copy_(0, rows.to(out.device), values)
        return
    for row, value in zip(rows.tolist(), values, strict=True):
        out[row].copy_(value)  # whole rows: 30 times as fast as index_copy_, which goes by elements


def _flat(pictures: torch.Tensor, like: Ragged) -> torch.Tensor:
    """Pictures [n, C, H, W] as values of ``like``, in its order of memory."""
    return (pictures.permute(0, 2, 3, 1) if like.channels_last else pictures).reshape(-1)


def mirrored(x: torch.Tensor | Ragged, mask: torch.Tensor, axis: int) -> torch.Tensor | Ragged:
    """Pictures mirrored along an axis of [B, C, H, W] where ``mask`` (bool [B]) says so."""
    there = mask.to(x.device)
    return pixelwise(x, lambda pictures, samples: _mirrored(pictures, there[samples], axis))


def _mirrored(x: torch.Tensor, mask: torch.Tensor, axis: int) -> torch.Tensor:
    # without waiting for the device, and in one graph
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return torch.where(mask[:, None, None, None], x.flip(axis), x)
    if len(x) == 0:
        return x
    # whole rows are copied 10 times as fast on a CPU as elements are chosen one by one
    flips = zip(x, mask.tolist(), strict=True)
    return torch.stack([p.flip(axis - 1) if yes else p for p, yes in flips])
