"""``RandomCrop``: a stretch of each sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms._base import TokenTransform
from domainkit.text.transforms.checks import beside_tokens, check_tokens, row_ends, unpadded
from domainkit.text.transforms.kernels.rows import ragged_rows
from domainkit.transform import replace_fields

__all__ = ["RandomCrop"]


@dataclass(frozen=True)
class RandomCrop(TokenTransform):
    """Keep ``length`` tokens from a random place; shorter sequences stay whole.

    Input: int32 or int64, a ``Ragged`` of items [L_i] or dense [B, L]; output the same, with at
    most ``length`` tokens. Every start from 0 to L_i - length is as probable as another. In a batch
    ``labels``, ``attention_mask`` and the other fields of the tokens are cut with them.

    Args:
        length: tokens that stay, at least 1.

    Raises:
        TransformError: length below 1, another dtype or shape.

    Example:
        >>> import torch
        >>> crop = RandomCrop(3)(torch.arange(10)[None])[0]
        >>> crop.shape, crop.diff().tolist()
        (torch.Size([3]), [1, 1])
    """

    length: int

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.length < 1:
            raise TransformError(f"RandomCrop needs length of 1 or more, got {self.length}")

    def apply(self, x: Any, draws: Draws) -> Any:
        check_tokens(self, x)
        return self._cut(x, draws)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        check_tokens(self, batch[self.field])
        batch = unpadded(batch)
        fields = {self.field: batch[self.field]}
        fields |= {name: x for name, (x, _) in beside_tokens(batch).items()}
        return replace_fields(batch, {name: self._cut(x, draws) for name, x in fields.items()})

    def _cut(self, x: Any, draws: Draws) -> Any:
        values, starts, lengths = row_ends(x)
        kept = np.minimum(lengths, self.length)
        unit = draws.uniform(1)[:, 0].cpu().numpy().astype(np.float64)
        first = np.floor(unit * (lengths - kept + 1)).astype(np.int64)
        rows = ragged_rows(values, starts + first, kept)
        if isinstance(x, Ragged):
            return rows
        return rows.values.view(len(x), min(self.length, x.shape[1]))
