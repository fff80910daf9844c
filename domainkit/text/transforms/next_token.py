"""``NextToken``: the labels of a language model, each token's successor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.text.transforms._base import TokenTransform
from domainkit.text.transforms.checks import IGNORED, check_mask, check_tokens, row_ends
from domainkit.transform import replace_fields

__all__ = ["NextToken"]


@dataclass(frozen=True)
class NextToken(TokenTransform):
    """Give each token the one behind it as its label; the last of a sequence has none.

    Input: int32 or int64, a ``Ragged`` of items [L_i] or dense [B, L]. A batch gets ``labels``,
    int64 of the same sizes: labels[j] = tokens[j + 1], and -100, which ``cross_entropy`` leaves
    out, for the last token and where the ``attention_mask`` has padding. Applied to bare tokens it
    gives both. ``Pack`` behind this step keeps documents apart, as no label looks into the next.

    Models of Hugging Face shift by themselves: they want ``labels = tokens``.

    Raises:
        TransformError: another dtype or shape.

    Example:
        >>> NextToken()(torch.tensor([[5, 6, 7]]))[1]
        tensor([[   6,    7, -100]])
    """

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"

    def apply(self, x: Any, draws: Draws) -> tuple[Any, Any]:
        check_tokens(self, x)
        return x, self._labels(x)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        x, real = batch[self.field], batch.get("attention_mask")
        check_tokens(self, x)
        labels = self._labels(x)
        if isinstance(x, torch.Tensor) and isinstance(labels, torch.Tensor) and real is not None:
            real = check_mask(real, x)
            follows = torch.zeros_like(real, dtype=torch.bool)
            follows[:, :-1] = real[:, 1:]
            labels = labels.masked_fill(~(follows & real), IGNORED)
        return replace_fields(batch, {"labels": labels})

    def _labels(self, x: torch.Tensor | Ragged) -> torch.Tensor | Ragged:
        values, starts, lengths = row_ends(x)
        labels = torch.full_like(values, IGNORED, dtype=torch.int64)
        labels[:-1] = values[1:]
        last = torch.from_numpy((starts + lengths - 1)[lengths > 0]).to(values.device)
        labels[last] = IGNORED
        return x.with_values(labels) if isinstance(x, Ragged) else labels.view_as(x)
