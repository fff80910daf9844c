"""What the token transforms accept, said the same way by all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import replace_fields

__all__ = [
    "BESIDE",
    "IGNORED",
    "beside_tokens",
    "check_ids",
    "check_mask",
    "check_probability",
    "check_side",
    "check_tokens",
    "row_ends",
    "same_sizes",
    "token_offsets",
    "unpadded",
]

IGNORED = -100  # the label that torch.nn.functional.cross_entropy leaves out
# the fields that hold one value per token, and what they hold where there is none
BESIDE: dict[str, float] = {
    "attention_mask": False,
    "labels": IGNORED,
    "token_type_ids": 0,
    "position_ids": 0,
    "document_ids": -1,
    "word_ids": -1,
    "permutation": -1,
}


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


def check_ids(op: Any, name: str, ids: Any) -> tuple[int, ...]:
    """Token ids as a tuple of int; TransformError unless they are whole numbers from 0 on."""
    wanted = f"{type(op).__name__} needs {name}: token ids, whole numbers of at least 0"
    given = (ids,) if isinstance(ids, (int, np.integer)) else ids
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TransformError(f"{wanted}; got {ids!r}")
    found = tuple(given)
    if not all(isinstance(i, (int, np.integer)) and not isinstance(i, bool) for i in found):
        raise TransformError(f"{wanted}; got {ids!r}")
    if found and min(found) < 0:
        raise TransformError(f"{wanted}; got {ids!r}")
    return tuple(int(i) for i in found)


def check_probability(op: Any, name: str, value: Any) -> None:
    """TransformError unless ``value`` is a number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value <= 1.0:
        raise TransformError(f"{type(op).__name__} needs {name} in [0, 1], got {value!r}")


def row_ends(x: torch.Tensor | Ragged) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """A batch's flat tokens, and where each sample starts and how long it is, on the host."""
    if isinstance(x, Ragged):
        return x.values, x.host_offsets[:-1], x.host_shapes[:, 0]
    rows, length = x.shape
    return x.reshape(-1), np.arange(rows) * length, np.full(rows, length)


def beside_tokens(batch: Mapping[str, Any]) -> dict[str, tuple[Any, float]]:
    """The other fields of a batch with one value per token: name -> (field, its filler).

    A field counts where it has the sizes of ``batch["tokens"]``.
    """
    tokens = batch["tokens"]
    return {
        name: (batch[name], filler)
        for name, filler in BESIDE.items()
        if name in batch and same_sizes(batch[name], tokens)
    }


def unpadded(batch: Mapping[str, Any]) -> Mapping[str, Any]:
    """The batch with dense tokens that have an ``attention_mask`` as ``Ragged`` ones without it.

    The fields of the tokens go with them. Other batches stay as they are.
    """
    tokens, mask = batch["tokens"], batch.get("attention_mask")
    if not isinstance(tokens, torch.Tensor) or mask is None:
        return batch
    real = check_mask(mask, tokens)
    lengths = real.sum(1).cpu().numpy()
    names = ["tokens", *(name for name in beside_tokens(batch) if name != "attention_mask")]
    new = replace_fields(
        batch, {name: Ragged.from_shapes(batch[name][real], lengths) for name in names}
    )
    del new["attention_mask"]
    return new


def check_mask(mask: Any, tokens: torch.Tensor) -> torch.Tensor:
    """``attention_mask`` as bool [B, L]; TransformError unless it has the tokens' shape."""
    if not isinstance(mask, torch.Tensor) or mask.shape != tokens.shape:
        got = list(mask.shape) if isinstance(mask, torch.Tensor) else repr(mask)
        raise TransformError(
            f"attention_mask must be [B, L] as the tokens, got {got} for {list(tokens.shape)}"
        )
    return mask.to(torch.bool)


def token_offsets(x: torch.Tensor | Ragged) -> torch.Tensor:
    """int64 [B + 1]: where every sample starts in the flat order of its tokens."""
    if isinstance(x, Ragged):
        return x.offsets
    samples, length = x.shape
    return torch.arange(samples + 1, device=x.device) * length


def same_sizes(x: Any, tokens: Any) -> bool:
    """Whether ``x`` has one value for each of these tokens."""
    if isinstance(x, Ragged) and isinstance(tokens, Ragged):
        same = x.host_shapes.shape == tokens.host_shapes.shape
        return same and bool((x.host_shapes == tokens.host_shapes).all())
    return (
        isinstance(x, torch.Tensor) and isinstance(tokens, torch.Tensor) and x.shape == tokens.shape
    )
