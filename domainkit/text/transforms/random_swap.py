"""``RandomSwap``: pairs of tokens that change places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms._base import TokenTransform
from domainkit.text.transforms.checks import beside_tokens, check_tokens, row_ends, unpadded
from domainkit.transform import replace_fields

__all__ = ["RandomSwap"]


@dataclass(frozen=True)
class RandomSwap(TokenTransform):
    """Exchange two random tokens, ``swaps`` times one after the other.

    Method: random swap of "easy data augmentation" (Wei and Zou, EMNLP 2019). The two places are
    drawn on their own, so they may be one.

    Input and output: int32 or int64, a ``Ragged`` of items [L_i] or dense [B, L] without special
    tokens; with an ``attention_mask`` dense tokens lose their padding. ``labels`` and the other
    fields of the tokens move along.

    Args:
        swaps: how many pairs, at least 1.

    Raises:
        TransformError: swaps below 1, another dtype or shape.

    Example:
        >>> RandomSwap(3)(torch.arange(6)[None]).sort().values
        tensor([[0, 1, 2, 3, 4, 5]])
    """

    swaps: int = 1

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.swaps < 1:
            raise TransformError(f"RandomSwap needs swaps of 1 or more, got {self.swaps}")

    def apply(self, x: Any, draws: Draws) -> Any:
        check_tokens(self, x)
        return _taken(x, self._order(x, draws))

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        check_tokens(self, batch[self.field])
        batch = unpadded(batch)
        x = batch[self.field]
        order = self._order(x, draws)
        fields = {self.field: x} | {name: y for name, (y, _) in beside_tokens(batch).items()}
        return replace_fields(batch, {name: _taken(y, order) for name, y in fields.items()})

    def _order(self, x: Any, draws: Draws) -> torch.Tensor:
        """int64 [N]: which token comes to each place."""
        values, starts, lengths = row_ends(x)
        some = lengths > 0
        first = torch.from_numpy(starts[some]).to(values.device)
        count = torch.from_numpy(lengths[some]).to(values.device)
        unit = draws.uniform(2 * self.swaps, device=values.device).to(torch.float64)
        unit = unit[torch.from_numpy(some).to(values.device)]
        place = first[:, None] + (unit * count[:, None]).to(torch.int64)
        order = torch.arange(len(values), device=values.device)
        for i in range(self.swaps):
            a, b = place[:, 2 * i], place[:, 2 * i + 1]
            order[a], order[b] = order[b], order[a]
        return order


def _taken(x: Any, order: torch.Tensor) -> Any:
    values = row_ends(x)[0][order]
    return x.with_values(values) if isinstance(x, Ragged) else values.view_as(x)
