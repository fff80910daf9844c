"""``RandomSwap``: pairs of tokens that change places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms.checks import check_tokens, row_ends
from domainkit.transform import Transform

__all__ = ["RandomSwap"]


@dataclass(frozen=True)
class RandomSwap(Transform):
    """Exchange two random tokens, ``swaps`` times one after the other.

    Method: random swap of "easy data augmentation" (Wei and Zou, EMNLP 2019). The two places are
    drawn on their own, so they may be one.

    Input and output: int32 or int64, a ``Ragged`` of items [L_i] or dense [B, L] without padding
    and special tokens. Labels per token do not move along: swap before you make them.

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
        values, starts, lengths = row_ends(x)
        some = lengths > 0
        first = torch.from_numpy(starts[some]).to(values.device)
        count = torch.from_numpy(lengths[some]).to(values.device)
        unit = draws.uniform(2 * self.swaps, device=values.device).to(torch.float64)
        unit = unit[torch.from_numpy(some).to(values.device)]
        place = first[:, None] + (unit * count[:, None]).to(torch.int64)
        out = values.clone()
        for i in range(self.swaps):
            a, b = place[:, 2 * i], place[:, 2 * i + 1]
            out[a], out[b] = out[b], out[a]
        return x.with_values(out) if isinstance(x, Ragged) else out.view_as(x)
