"""``pool``: one vector for a sequence from the states of its tokens."""

from __future__ import annotations

import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["POOLINGS", "pool"]

POOLINGS = ("cls", "max", "mean", "weighted-mean")


def pool(
    states: Ragged | torch.Tensor, how: str = "mean", mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Vectors [B, d] of states, a ``Ragged`` of items [L_i, d] or dense [B, L, d].

    Args:
        states: floating; a sequence without tokens gets zeros.
        how: "mean" of all tokens; "cls", the first token; "max" of each number; "weighted-mean",
            with the weights 1, 2, 3 ... by place (Muennighoff, arXiv:2202.08904).
        mask: bool [B, L], which states of a dense batch count; None: all. Not for ``Ragged``.

    Raises:
        TransformError: another shape, another ``how``.

    Example:
        >>> items = [torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0]])]
        >>> states = Ragged.from_list(items, inner=1)
        >>> pool(states).tolist(), pool(states, "cls").tolist()
        ([[2.0], [5.0]], [[1.0], [5.0]])
    """
    if how not in POOLINGS:
        raise TransformError(f"pool takes {', '.join(map(repr, POOLINGS))}, got {how!r}")
    if isinstance(states, Ragged):
        if states.item_ndim != 2 or len(states.inner) != 1:
            raise TransformError(f"pool takes items [L_i, d] or [B, L, d], got {states!r}")
        return _ragged(states, how)
    if states.ndim != 3:
        raise TransformError(f"pool takes items [L_i, d] or [B, L, d], got {list(states.shape)}")
    if mask is None:
        mask = states.new_ones(states.shape[:2], dtype=torch.bool)
    return _dense(states, how, mask.to(torch.bool))


def _ragged(states: Ragged, how: str) -> torch.Tensor:
    values, count, batch = states.values, states.lengths, len(states)
    sample = torch.repeat_interleave(
        torch.arange(batch, device=values.device), count, output_size=len(values)
    )
    out = values.new_zeros(batch, values.shape[1])
    if how == "cls":
        first = torch.where(count > 0, states.offsets[:-1], 0)
        if not len(values):
            return out
        return torch.where((count > 0)[:, None], values[first], out)
    if how == "max":
        index = sample[:, None].expand_as(values)
        return out.scatter_reduce(0, index, values, "amax", include_self=False)
    if how == "mean":
        return out.index_add(0, sample, values) / count.clamp(min=1)[:, None]
    place = torch.arange(1, len(values) + 1, device=values.device) - states.offsets[:-1][sample]
    weight = place.to(values.dtype)[:, None]
    total = (count * (count + 1) // 2).clamp(min=1)[:, None]
    return out.index_add(0, sample, values * weight) / total


def _dense(states: torch.Tensor, how: str, mask: torch.Tensor) -> torch.Tensor:
    some = mask.any(1, keepdim=True)
    if how == "cls":  # the first that counts, on whichever side the padding is
        first = mask.to(torch.int64).argmax(1)
        found = states[torch.arange(len(states), device=states.device), first]
        return found.masked_fill(~some, 0)
    if how == "max":
        return states.masked_fill(~mask[..., None], float("-inf")).amax(1).masked_fill(~some, 0)
    weight = mask.cumsum(1) * mask if how == "weighted-mean" else mask
    weight = weight.to(states.dtype)
    # padding may hold anything, so it is not only weighted by 0
    summed = torch.einsum("bld,bl->bd", states.masked_fill(~mask[..., None], 0), weight)
    return summed / weight.sum(1, keepdim=True).clamp(min=1)
