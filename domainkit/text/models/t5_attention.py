"""How T5 attends: the relative position bias, and attention over padded, grouped or packed rows.

T5 divides the products of queries and keys by nothing (its initialisation takes care of their
size) and adds to them a learned number for each head and each bucket of distances. Source: C.
Raffel et al., "Exploring the limits of transfer learning", JMLR 21, 2020, section 2.1.

A layer does not know how its rows lie. It is handed an ``Attend``, made once per pass, which knows:

    Padded     rows [B, L, d] with a mask
    Grouped    rows [N, d], sequences of equal length side by side: no padding anywhere
    Packed     rows [N, d] through torch's flex attention, one kernel for all sequences
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import torch
from torch.nn.functional import scaled_dot_product_attention

__all__ = ["Attend", "Grouped", "Packed", "Padded"]


class Attend(Protocol):
    """Attention over rows that lie in some way: q [*rows, H * d], k and v [*other rows, H * d]."""

    def __call__(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dropout: float
    ) -> torch.Tensor: ...


def _heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """[B, L, H * d] as [B, H, L, d], without a copy."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


class Padded:
    """Attention over dense rows.

    Args:
        heads: number of heads H.
        mask: added to the products, float broadcastable to [B, H, Lq, Lk]; or bool, True where a
            query may look; or None. A query that may look nowhere gets zeros.
    """

    def __init__(self, heads: int, mask: torch.Tensor | None) -> None:
        self.heads, self.mask = heads, mask

    def __call__(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dropout: float
    ) -> torch.Tensor:
        q, k, v = (_heads(x, self.heads) for x in (q, k, v))
        out = scaled_dot_product_attention(
            q, k, v, attn_mask=self.mask, dropout_p=dropout, scale=1.0
        )
        return out.transpose(1, 2).flatten(2)


class Grouped:
    """Attention sequence by sequence over flat rows, those of equal lengths in one call.

    Args:
        heads: number of heads H.
        runs: (number of sequences, length of their queries, length of their keys), in the order in
            which the rows lie.
        bias: float [1, H, Lq, Lk] for the longest, or None; a shorter sequence takes its corner,
            since only distances count.
    """

    def __init__(
        self, heads: int, runs: Sequence[tuple[int, int, int]], bias: torch.Tensor | None
    ) -> None:
        self.heads, self.runs, self.bias = heads, runs, bias

    def __call__(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dropout: float
    ) -> torch.Tensor:
        pieces, row, col = [], 0, 0
        for count, long, wide in self.runs:
            rows, cols = slice(row, row + count * long), slice(col, col + count * wide)
            row, col = rows.stop, cols.stop
            if long == 0 or wide == 0:  # nothing asks, or there is nothing to look at
                pieces.append(torch.zeros_like(q[rows]))
                continue
            out = scaled_dot_product_attention(
                _heads(q[rows].unflatten(0, (count, long)), self.heads),
                _heads(k[cols].unflatten(0, (count, wide)), self.heads),
                _heads(v[cols].unflatten(0, (count, wide)), self.heads),
                attn_mask=None if self.bias is None else self.bias[:, :, :long, :wide],
                dropout_p=dropout,
                scale=1.0,
            )
            pieces.append(out.transpose(1, 2).reshape(count * long, q.shape[1]))
        return torch.cat(pieces) if pieces else torch.zeros_like(q)


class Packed:
    """Attention over flat rows in one kernel: torch's flex attention with a block mask.

    Compiled on CUDA at its first use; elsewhere the plain form runs, which is for tests. Dropout of
    the attention itself is not possible in it.

    Args:
        heads: number of heads H.
        queries, keys: int64 [N], [M]: which sequence each row belongs to.
        places: int64 [N] and [M]: where in its sequence each row stands.
        table: float [H, 2 * reach + 1], the bias of each distance from -reach to reach, or None.
        causal: whether a row sees only those before it and itself.
    """

    def __init__(
        self,
        heads: int,
        queries: torch.Tensor,
        keys: torch.Tensor,
        places: tuple[torch.Tensor, torch.Tensor],
        table: torch.Tensor | None,
        *,
        causal: bool,
    ) -> None:
        from torch.nn.attention.flex_attention import create_block_mask

        self.heads, self.table, self.places = heads, table, places
        here, there = places

        def visible(b: Any, h: Any, i: Any, j: Any) -> torch.Tensor:
            same = queries[i] == keys[j]
            return same & (there[j] <= here[i]) if causal else same

        size = (len(queries), len(keys))
        self.mask = create_block_mask(visible, None, None, *size, device=str(queries.device))

    def __call__(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dropout: float
    ) -> torch.Tensor:
        q, k, v = (_heads(x[None], self.heads) for x in (q, k, v))
        here, there = self.places
        table = self.table
        reach = 0 if table is None else table.shape[1] // 2

        def biased(score: torch.Tensor, b: Any, h: Any, i: Any, j: Any) -> torch.Tensor:
            if table is None:
                return score
            # rows of other sequences are hidden; their distance must only stay inside the table
            return score + table[h, (there[j] - here[i]).clamp(-reach, reach) + reach]

        out = _flex(q.is_cuda)(q, k, v, score_mod=biased, block_mask=self.mask, scale=1.0)
        return out.transpose(1, 2).flatten(2)[0]


@cache
def _flex(compiled: bool) -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention) if compiled else flex_attention
