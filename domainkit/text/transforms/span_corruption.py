"""``SpanCorruption``: T5's task, to write what was taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms._base import TokenTransform
from domainkit.text.transforms.checks import (
    beside_tokens,
    check_tokens,
    row_ends,
    unpadded,
)
from domainkit.text.transforms.kernels.rows import ragged_rows
from domainkit.text.transforms.kernels.segments import Spans, compact, random_spans
from domainkit.transform import replace_fields

__all__ = ["SpanCorruption"]


@dataclass(frozen=True)
class SpanCorruption(TokenTransform):
    """Take spans of tokens out of each sequence; what remains is the input, the spans the labels.

    This is the denoising of T5 (Raffel et al., JMLR 2020, 3.1.4): each span is replaced by a
    sentinel of its own; the labels are each sentinel and the tokens it stands for. Both end with
    ``eos_id``. A sample's spans are the same alone and in any batch.

    Input: int32 or int64, a ``Ragged`` of items [L_i] or dense [B, L], without special tokens. A
    batch gets new ``tokens`` and ``labels``, each a ``Ragged`` of int64; other fields of the tokens
    (``attention_mask``) are dropped. Applied to bare tokens it gives both. Sequences of less than
    two tokens stay whole, with ``eos_id`` alone as labels. Padding that an ``attention_mask`` shows
    is left out. The labels have lengths of their own: cut before this step, and pad behind it.

    Args:
        first_sentinel: the id of the first sentinel; the next ones count down from it (t5-small:
            32099, <extra_id_0>).
        density: share of the tokens that are taken out.
        mean_length: tokens of a span in the mean.
        eos_id: the end of both; None for none.
        sentinels: how many there are.

    Raises:
        TransformError: wrong arguments, another dtype or shape, or a sequence so long that it needs
            more sentinels than there are.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> tokens, labels = SpanCorruption(99, density=0.3, eos_id=1)(torch.arange(10, 20)[None])
        >>> tokens[0].tolist(), labels[0].tolist()
        ([10, 11, 12, 13, 14, 15, 16, 99, 1], [99, 17, 18, 19, 1])
    """

    first_sentinel: int
    density: float = 0.15
    mean_length: float = 3.0
    eos_id: int | None = 1
    sentinels: int = 100

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0.0 < self.density < 1.0 or not self.mean_length >= 1.0:
            raise TransformError(
                "SpanCorruption needs density in (0, 1) and mean_length of 1 or more, got "
                f"{self.density} and {self.mean_length}"
            )
        if not 1 <= self.sentinels <= self.first_sentinel + 1:
            raise TransformError(
                "SpanCorruption counts sentinels down from first_sentinel and not below 0, got "
                f"first_sentinel={self.first_sentinel} and {self.sentinels} sentinels"
            )

    def apply(self, x: Any, draws: Draws) -> tuple[Ragged, Ragged]:
        check_tokens(self, x)
        values, _, lengths = row_ends(x)
        spans = random_spans(lengths, self.density, self.mean_length, draws, values.device)
        if (most := int(spans.spans.max(initial=0))) > self.sentinels:
            raise TransformError(
                f"SpanCorruption: a sequence of {int(lengths.max())} tokens has {most} spans, and "
                f"there are {self.sentinels} sentinels: put Truncate before it"
            )
        return self._inputs(values, lengths, spans), self._labels(values, spans)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        check_tokens(self, batch[self.field])
        batch = unpadded(batch)
        tokens, labels = self.apply(batch[self.field], draws)
        new = replace_fields(batch, {self.field: tokens, "labels": labels})
        for name in beside_tokens(batch).keys() - {"labels"}:  # their places are gone
            del new[name]
        return new

    def _inputs(self, values: torch.Tensor, lengths: np.ndarray, spans: Spans) -> Ragged:
        counts = lengths - spans.counts + spans.spans
        ids = torch.where(spans.begins, self.first_sentinel - spans.number, values)
        kept = compact(ids.to(values.dtype), ~spans.hidden | spans.begins, int(counts.sum()))
        return self._ended(kept, counts)

    def _labels(self, values: torch.Tensor, spans: Spans) -> Ragged:
        """Each hidden token at its rank among its own and the sentinels before it."""
        counts = spans.counts + spans.spans
        out = torch.zeros(int(counts.sum()) + 1, dtype=torch.int64, device=values.device)
        rank = spans.hidden.cumsum(0) + spans.begins.cumsum(0)  # of a hidden token, from 1 on
        last = len(out) - 1
        out[torch.where(spans.hidden, rank - 1, last)] = values.to(torch.int64)
        out[torch.where(spans.begins, rank - 2, last)] = self.first_sentinel - spans.number
        return self._ended(out[:-1], counts)

    def _ended(self, values: torch.Tensor, counts: np.ndarray) -> Ragged:
        end = () if self.eos_id is None else (self.eos_id,)
        return ragged_rows(values, np.cumsum(counts) - counts, counts, (), end)
