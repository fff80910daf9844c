"""``Reverse``: each sequence from its end to its beginning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.draws import Draws
from domainkit.text.transforms._base import TokenTransform
from domainkit.text.transforms.checks import beside_tokens, check_tokens, row_ends
from domainkit.transform import replace_fields

__all__ = ["Reverse"]


@dataclass(frozen=True)
class Reverse(TokenTransform):
    """Turn the order of the tokens around.

    Input and output: int32 or int64, a ``Ragged`` of items [L_i] or dense [B, L]. In a batch
    ``labels``, ``attention_mask`` and the other fields of the tokens turn with them, so padding on
    the right becomes padding on the left.

    Raises:
        TransformError: another dtype or shape.

    Example:
        >>> Reverse()(torch.tensor([[1, 2, 3]]))
        tensor([[3, 2, 1]])
    """

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"

    def apply(self, x: Any, draws: Draws) -> Any:
        check_tokens(self, x)
        return self._turned(x)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        check_tokens(self, batch[self.field])
        fields = {self.field: batch[self.field]}
        fields |= {name: x for name, (x, _) in beside_tokens(batch).items()}
        return replace_fields(batch, {name: self._turned(x) for name, x in fields.items()})

    def _turned(self, x: Any) -> Any:
        if isinstance(x, torch.Tensor):
            return x.flip(1)
        values, starts, lengths = row_ends(x)
        # place j of a sample that starts at s and has n tokens takes s + n - 1 - (j - s)
        index = np.repeat(2 * starts + lengths - 1, lengths) - np.arange(len(values))
        return x.with_values(values[torch.from_numpy(index).to(values.device)])
