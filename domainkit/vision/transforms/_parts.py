"""Parts of a batch: some of its samples taken out, and put back changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import batch_length, replace_fields

__all__ = ["put", "run_parts", "take"]

Step = Callable[[Any, Draws], Any]


def run_parts(
    name: str, batch: Any, draws: Draws, steps: Sequence[tuple[Step, torch.Tensor, int]]
) -> Any:
    """Run each step on its own samples.

    Args:
        name: of the transform, for its errors.
        steps: (step, bool [B]: its samples, the number of its draws); no sample in two of them.
    """
    parts = []
    for step, mask, op in steps:
        own = draws.at(op)
        if bool(mask.all()):
            return step(batch, own)
        (rows,) = torch.nonzero(mask.cpu(), as_tuple=True)
        if len(rows) == 0:
            continue
        if getattr(step, "pairs", False):  # partners are of the whole batch
            parts.append((rows, take(step(batch, own), rows)))
        else:
            some = replace(own, ids=own.ids[rows.to(own.ids.device)])
            parts.append((rows, step(take(batch, rows), some)))
    return put(name, batch, parts) if parts else batch


def take(batch: Any, rows: torch.Tensor) -> Any:
    """The samples ``rows`` (int64 on the host) of a field, or of every field of a mapping."""
    if isinstance(batch, Mapping):
        return replace_fields(batch, {key: take(value, rows) for key, value in batch.items()})
    if isinstance(batch, torch.Tensor):
        return batch.index_select(0, rows.to(batch.device))
    if isinstance(batch, Ragged):
        return batch[rows]
    if isinstance(batch, (list, tuple)):
        return [batch[i] for i in rows.tolist()]
    return batch


def put(name: str, batch: Any, parts: Sequence[tuple[torch.Tensor, Any]]) -> Any:
    """``batch`` with the samples of ``parts`` (rows, their new values) instead of its own."""
    if not isinstance(batch, Mapping):
        return _put(name, "pictures", batch, parts, batch_length(batch))
    total = batch_length(batch)
    keys = set().union(*(part for _, part in parts))
    if any(set(part) != keys for _, part in parts) or (_left(parts, total) and keys != set(batch)):
        raise TransformError(
            f"{name}: its transforms must give the same fields to every sample, got "
            + " and ".join(sorted({", ".join(map(repr, part)) for _, part in parts}))
        )
    fields = {
        key: _put(name, repr(key), batch.get(key), [(r, part[key]) for r, part in parts], total)
        for key in keys
    }
    return replace_fields(batch, fields)


def _left(parts: Sequence[tuple[torch.Tensor, Any]], total: int) -> bool:
    return sum(len(rows) for rows, _ in parts) < total


def _put(
    name: str, key: str, old: Any, parts: Sequence[tuple[torch.Tensor, Any]], total: int
) -> Any:
    values = [value for _, value in parts] + ([old] if _left(parts, total) else [])
    first = values[0]
    if all(isinstance(v, torch.Tensor) for v in values):
        if len({(v.shape[1:], v.dtype, v.device) for v in values}) == 1:
            out = old.clone() if _left(parts, total) else first.new_empty(total, *first.shape[1:])
            for rows, value in parts:
                out.index_copy_(0, rows.to(out.device), value)
            return out
    elif not all(isinstance(v, (torch.Tensor, Ragged, list, tuple)) for v in values):
        return old if old is not None else first  # no field of samples
    if isinstance(old, torch.Tensor) or len({_dtype(v) for v in values}) > 1:
        got = " and ".join(dict.fromkeys(_said(v) for v in values))
        raise TransformError(
            f"{name}: all samples of a dense batch must come out alike, but {key} would be {got}. "
            "Use steps that keep size and dtype, or resize and convert all samples after"
        )
    items: list[Any] = list(old) if _left(parts, total) else [None] * total
    for rows, value in parts:
        for row, item in zip(rows.tolist(), value, strict=True):
            items[row] = item
    if isinstance(first, (list, tuple)):
        return items
    inner = max((len(v.inner) for v in values if isinstance(v, Ragged)), default=0)
    return Ragged.from_list(items, inner=inner)


def _dtype(value: Any) -> Any:
    return value.dtype if isinstance(value, (torch.Tensor, Ragged)) else list


def _said(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape[1:])}"
    return repr(value) if isinstance(value, Ragged) else type(value).__name__
