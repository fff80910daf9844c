"""What the token transforms accept, said the same way by all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["IGNORED", "beside_tokens", "check_side", "check_tokens", "token_offsets"]

IGNORED = -100  # the label that torch.nn.functional.cross_entropy leaves out
# the fields that hold one value per token, and what they hold where there is none
BESIDE: dict[str, float] = {"attention_mask": False, "labels": IGNORED}


def check_tokens(op: Any, x: Any) -> None:
    """TransformError unless ``x`` is a ``Ragged`` of items [L_i] or dense [B, L], integers."""
    name = type(op).__name__
    wanted = "tokens: a Ragged of items [L_i] or a tensor [B, L], int32 or int64"
    if not isinstance(x, (torch.Tensor, Ragged)):
        given = type(x).__name__
        raise TransformError(f"{name} takes {wanted}; got {given}: put Tokenize before it")
    if x.dtype not in (torch.int32, torch.int64):
        dtype = str(x.dtype).removeprefix("torch.")
        raise TransformError(f"{name} takes {wanted}; got {dtype}: put Tokenize before it")
    if isinstance(x, Ragged):
        if x.item_ndim != 1:
            raise TransformError(f"{name} takes {wanted}; got {x!r}")
    elif x.ndim != 2:
        raise TransformError(
            f"{name} takes {wanted}; got {list(x.shape)}: a single sequence is x[None]"
        )


def check_side(op: Any, side: str) -> None:
    """TransformError unless ``side`` is "left" or "right"."""
    if side not in ("left", "right"):
        raise TransformError(f"{type(op).__name__} needs side 'left' or 'right', got {side!r}")


def beside_tokens(batch: Mapping[str, Any]) -> dict[str, tuple[Any, float]]:
    """The other fields of a batch with one value per token: name -> (field, its filler).

    A field counts where it has the sizes of ``batch["tokens"]``.
    """
    tokens = batch["tokens"]
    return {
        name: (batch[name], filler)
        for name, filler in BESIDE.items()
        if name in batch and _same_sizes(batch[name], tokens)
    }


def token_offsets(x: torch.Tensor | Ragged) -> torch.Tensor:
    """int64 [B + 1]: where every sample starts in the flat order of its tokens."""
    if isinstance(x, Ragged):
        return x.offsets
    samples, length = x.shape
    return torch.arange(samples + 1, device=x.device) * length


def _same_sizes(x: Any, tokens: Any) -> bool:
    if isinstance(x, Ragged) and isinstance(tokens, Ragged):
        same = x.host_shapes.shape == tokens.host_shapes.shape
        return same and bool((x.host_shapes == tokens.host_shapes).all())
    return (
        isinstance(x, torch.Tensor) and isinstance(tokens, torch.Tensor) and x.shape == tokens.shape
    )
