"""``Truncate``: no sequence longer than so many tokens."""

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
from domainkit.text.transforms.checks import beside_tokens, check_side, check_tokens
from domainkit.text.transforms.kernels.rows import ragged_rows
from domainkit.transform import replace_fields

__all__ = ["Truncate"]


@dataclass(frozen=True)
class Truncate(TokenTransform):
    """Cut off what is beyond ``max_length`` tokens.

    Input and output: int32 or int64, a ``Ragged`` of items [L_i] or dense [B, L]. In a batch
    ``labels`` and ``attention_mask`` are cut with the tokens.

    Args:
        max_length: tokens that stay, at least 1.
        side: "right" cuts off the end, "left" the beginning.

    Raises:
        TransformError: wrong arguments, another dtype or shape.

    Example:
        >>> Truncate(2, side="left")(torch.tensor([[1, 2, 3, 4]]))
        tensor([[3, 4]])
    """

    max_length: int
    side: str = "right"

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"
    planner: ClassVar[str | None] = "domainkit.text.transforms._planner"

    def __post_init__(self) -> None:
        if self.max_length < 1:
            raise TransformError(f"Truncate needs max_length of 1 or more, got {self.max_length}")
        check_side(self, self.side)

    def apply(self, x: Any, draws: Draws) -> Any:
        check_tokens(self, x)
        return self._cut(x)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        check_tokens(self, batch[self.field])
        fields = {self.field: batch[self.field]}
        fields |= {name: x for name, (x, _) in beside_tokens(batch).items()}
        return replace_fields(batch, {name: self._cut(x) for name, x in fields.items()})

    def _cut(self, x: torch.Tensor | Ragged) -> torch.Tensor | Ragged:
        if isinstance(x, torch.Tensor):
            return x[:, : self.max_length] if self.side == "right" else x[:, -self.max_length :]
        lengths = x.host_shapes[:, 0]
        kept = np.minimum(lengths, self.max_length)
        if (kept == lengths).all():
            return x
        starts = x.host_offsets[:-1] if self.side == "right" else x.host_offsets[1:] - kept
        return ragged_rows(x.values, starts, kept)
