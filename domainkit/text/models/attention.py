"""Attention over a flat batch: every sequence looks at itself, and no padding is computed.

``ragged_attention`` takes queries, keys and values of all tokens behind each other. On a CPU,
sequences of equal length go through torch's fused attention together, each other one by itself:
what padding costs elsewhere is saved. On CUDA it is one varlen kernel where torch has it and the
numbers are half precision, else the padded form.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention

from domainkit.ragged import Ragged

__all__ = ["Lengths", "dense_attention", "ragged_attention"]

Bias = Callable[[int], torch.Tensor]  # of a length L: [1, heads, L, L], added to the scores


class Lengths:
    """How the sequences of a batch lie; made once, used by all layers.

    Args:
        x: whose sizes.

    Example:
        >>> lengths = Lengths(Ragged.from_list([torch.zeros(n) for n in (3, 1, 3)]))
        >>> [(n, rows.tolist()) for n, rows in lengths.groups]
        [(1, [3]), (3, [0, 1, 2, 4, 5, 6])]
    """

    def __init__(self, x: Ragged) -> None:
        self.shape = x
        sizes = x.host_shapes[:, 0]
        self.longest = int(sizes.max(initial=0))
        self.groups: list[tuple[int, torch.Tensor]] = []
        if x.device.type != "cuda":
            for size in np.unique(sizes[sizes > 0]).tolist():
                starts = x.host_offsets[:-1][sizes == size]
                rows = (starts[:, None] + np.arange(size)).reshape(-1)
                self.groups.append((size, torch.from_numpy(rows).to(x.device)))


def ragged_attention(
    qkv: torch.Tensor,
    lengths: Lengths,
    *,
    heads: int,
    scale: float | None = None,
    dropout: float = 0.0,
    bias: Bias | None = None,
) -> torch.Tensor:
    """Self-attention of every sequence.

    Args:
        qkv: [N, 3, heads * d], floating: queries, keys and values of all tokens.
        lengths: how the N tokens are shared out.
        heads: of the attention.
        scale: of the scores; None for 1 / sqrt(d).
        dropout: of the weights.
        bias: what is added to the scores of a sequence, by its length.

    Returns:
        [N, heads * d].

    Example:
        >>> batch = Ragged.from_list([torch.rand(n, 3, 8) for n in (4, 2)], inner=2)
        >>> ragged_attention(batch.values, Lengths(batch), heads=2).shape
        torch.Size([6, 8])
    """
    how = _How(heads, scale, dropout, bias)
    if qkv.device.type == "cuda":
        return _on_cuda(qkv, lengths, how)
    if len(lengths.groups) == 1:  # all are equally long: no token has to be moved
        return _group(qkv, lengths.groups[0][0], how)
    out = qkv.new_empty(len(qkv), qkv.shape[2])
    for size, rows in lengths.groups:
        if len(rows) == size:  # one sequence: a view
            first = int(rows[0])
            out[first : first + size] = _group(qkv[first : first + size], size, how)
        else:
            out[rows] = _group(qkv[rows], size, how)
    return out


def dense_attention(
    qkv: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    heads: int,
    scale: float | None = None,
    dropout: float = 0.0,
    bias: Bias | None = None,
) -> torch.Tensor:
    """The padded form: qkv [B, L, 3, heads * d], mask bool [B, L] (None: no padding).

    Example:
        >>> dense_attention(torch.rand(2, 5, 3, 8), None, heads=2).shape
        torch.Size([2, 5, 8])
    """
    q, k, v = qkv.unflatten(3, (heads, -1)).permute(2, 0, 3, 1, 4)  # each [B, heads, L, d]
    seen: torch.Tensor | None = None
    if mask is not None:
        # a row of padding alone looks at all of it: its numbers are nobody's, but must not be NaN
        seen = (mask | ~mask.any(1, keepdim=True))[:, None, None, :]
    if bias is not None:
        added = bias(qkv.shape[1])
        seen = added if seen is None else added.masked_fill(~seen, float("-inf"))
    mixed = scaled_dot_product_attention(q, k, v, attn_mask=seen, dropout_p=dropout, scale=scale)
    return mixed.transpose(1, 2).flatten(2)


class _How(NamedTuple):
    heads: int
    scale: float | None
    dropout: float
    bias: Bias | None


def _group(qkv: torch.Tensor, size: int, how: _How) -> torch.Tensor:
    """Sequences of one length, [n * size, 3, width] to [n * size, width]."""
    dense = qkv.view(-1, size, *qkv.shape[1:])
    mixed = dense_attention(dense, None, **how._asdict())
    return mixed.reshape(-1, mixed.shape[2])


def _on_cuda(qkv: torch.Tensor, lengths: Lengths, how: _How) -> torch.Tensor:
    shape = lengths.shape
    kernel = _varlen()
    half = qkv.dtype in (torch.float16, torch.bfloat16)
    plain = how.scale is None and not how.dropout and how.bias is None
    if kernel is not None and half and plain:
        q, k, v = qkv.unflatten(2, (how.heads, -1)).unbind(1)
        ends = shape.offsets.to(torch.int32)
        mixed: torch.Tensor = kernel(q, k, v, ends, ends, lengths.longest, lengths.longest)
        return mixed.flatten(1)
    dense, counts = shape.with_values(qkv).pad()
    real = torch.arange(dense.shape[1], device=qkv.device) < counts[:, None]
    return dense_attention(dense, real, **how._asdict())[real]


@cache
def _varlen() -> Any:
    """torch's varlen attention, which newer versions have."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn
