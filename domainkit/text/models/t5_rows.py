"""How the rows of a batch lie for T5's layers: made once per pass from lengths or masks.

A ``Rows`` holds what is needed to bring tokens into an order, to attend in it, and to go back.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch

from domainkit.errors import TransformError, nearest
from domainkit.ragged import Ragged
from domainkit.text.models.t5_attention import Attend, Grouped, Packed, Padded
from domainkit.text.models.t5_layers import T5Stack

__all__ = ["ATTENTION", "FlatRows", "chosen", "cross_mask", "self_mask"]

ATTENTION = ("auto", "flex", "grouped", "padded")


def chosen(attention: str, device: torch.device) -> str:
    """Which way a ``Ragged`` goes: "auto" groups on the CPU and pads elsewhere."""
    if attention not in ATTENTION:
        raise TransformError(f"attention={attention!r} is unknown. {nearest(attention, ATTENTION)}")
    if attention != "auto":
        return attention
    return "grouped" if device.type == "cpu" else "padded"


class FlatRows:
    """The order of a ragged batch whose sequences of equal length lie side by side.

    Args:
        lengths: one column per way in which sequences must agree to go together: int64 [B, k] on
            the host. With (target, source) lengths, both attentions of a decoder find their groups.

    Example:
        >>> rows = FlatRows(np.array([[3], [1], [3]]))
        >>> rows.order.tolist(), rows.runs(0, 0)
        ([1, 0, 2], [(1, 1, 1), (2, 3, 3)])
    """

    def __init__(self, lengths: np.ndarray) -> None:
        self.order = np.lexsort(lengths.T[::-1])  # by the first column, then the next
        self.lengths = lengths[self.order]

    def runs(self, query: int, key: int) -> list[tuple[int, int, int]]:
        """(how many, length in column ``query``, length in column ``key``) of neighbours alike."""
        pairs = zip(self.lengths[:, query].tolist(), self.lengths[:, key].tolist(), strict=True)
        return [(len(list(group)), *pair) for pair, group in groupby(pairs)]

    def take(self, batch: Ragged) -> torch.Tensor:
        """The values of ``batch`` with its sequences in this order."""
        rows = self._rows(batch)
        return batch.values if rows is None else batch.values.index_select(0, rows)

    def undo(self, values: torch.Tensor, like: Ragged) -> Ragged:
        """Values in this order as a batch of the sizes and order of ``like``."""
        rows = self._rows(like)
        if rows is not None:
            back = torch.empty_like(rows)
            back[rows] = torch.arange(len(rows), device=rows.device)
            values = values.index_select(0, back)
        return like.with_values(values)

    def _rows(self, batch: Ragged) -> torch.Tensor | None:
        """int64 [N]: which row of the batch comes where; None where nothing moves."""
        if (np.diff(self.order) == 1).all():
            return None
        offsets = batch.host_offsets
        parts = [np.arange(offsets[i], offsets[i + 1]) for i in self.order]
        return torch.from_numpy(np.concatenate(parts)).to(batch.device)

    def self_attend(self, stack: T5Stack, device: torch.device, how: str) -> Attend:
        heads, lengths = stack.config.num_heads, self.lengths[:, 0]
        if how == "grouped":
            longest = int(lengths.max(initial=0))
            return Grouped(heads, self.runs(0, 0), stack.bias(longest, device))
        # what is farther shares the last bucket: a table of one size, so nothing is compiled anew
        reach = stack.config.relative_attention_max_distance
        table = stack.bias_of(torch.arange(-reach, reach + 1, device=device))
        ids, places = _packed(lengths, device)
        return Packed(heads, ids, ids, (places, places), table, causal=stack.decoder)

    def cross_attend(self, stack: T5Stack, device: torch.device, how: str) -> Attend:
        heads = stack.config.num_heads
        if how == "grouped":
            return Grouped(heads, self.runs(0, 1), None)
        (ids, places), (others, theirs) = (_packed(self.lengths[:, i], device) for i in (0, 1))
        return Packed(heads, ids, others, (places, theirs), None, causal=False)


def _packed(lengths: np.ndarray, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """For every row of flat sequences: which sequence it is of, and where in it it stands."""
    ids = np.repeat(np.arange(len(lengths)), lengths)
    places = np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return torch.from_numpy(ids).to(device), torch.from_numpy(places).to(device)


def self_mask(stack: T5Stack, shape: Sequence[int], mask: torch.Tensor | None) -> Padded:
    """Attention within dense rows [B, L], whose padding is False in ``mask`` [B, L]."""
    bias = stack.bias(shape[1], stack.final_layer_norm.weight.device)
    if mask is not None:
        bias = bias.masked_fill(~mask[:, None, None, :], float("-inf"))
    return Padded(stack.config.num_heads, bias)


def cross_mask(stack: T5Stack, mask: torch.Tensor | None) -> Padded:
    """Attention of a decoder's dense rows to an encoder's, whose padding is False."""
    return Padded(stack.config.num_heads, None if mask is None else mask[:, None, None, :])
