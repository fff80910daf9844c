"""``RandomDeletion``: tokens that go missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.text.transforms._base import TokenTransform
from domainkit.text.transforms.checks import (
    beside_tokens,
    check_ids,
    check_probability,
    check_tokens,
    row_ends,
    token_offsets,
    unpadded,
)
from domainkit.transform import replace_fields

__all__ = ["RandomDeletion"]


@dataclass(frozen=True)
class RandomDeletion(TokenTransform):
    """Delete each token with probability p; of a sequence that would lose all, one stays.

    Method: word dropout of "easy data augmentation" (Wei and Zou, EMNLP 2019). The token that stays
    where all would go is the one with the largest number drawn.

    Input: int32 or int64, a ``Ragged`` of items [L_i] or dense [B, L]; padding that an
    ``attention_mask`` shows goes first. Output: a ``Ragged``. In a batch ``labels`` and the other
    fields of the tokens lose the same places. On a GPU it waits once for the new lengths.

    Args:
        p: how probable it is that a token goes, in [0, 1].
        special_ids: tokens that never go.

    Raises:
        TransformError: p outside [0, 1], another dtype or shape.

    Example:
        >>> RandomDeletion(1.0, special_ids=(1,))(torch.tensor([[1, 7, 8, 1]]))[0]
        tensor([1, 1])
    """

    p: float = 0.1
    special_ids: tuple[int, ...] = ()

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_probability(self, "p", self.p)
        object.__setattr__(self, "special_ids", check_ids(self, "special_ids", self.special_ids))

    def apply(self, x: Any, draws: Draws) -> Ragged:
        check_tokens(self, x)
        keep, lengths = self._keep(x, draws)
        return self._kept(x, keep, lengths)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        check_tokens(self, batch[self.field])
        batch = unpadded(batch)
        x = batch[self.field]
        keep, lengths = self._keep(x, draws)
        fields = {self.field: x} | {name: y for name, (y, _) in beside_tokens(batch).items()}
        return replace_fields(
            batch, {name: self._kept(y, keep, lengths) for name, y in fields.items()}
        )

    def _keep(self, x: Any, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
        ids, _, _ = row_ends(x)
        offsets = token_offsets(x)
        chance = draws.uniform_ragged(offsets)
        for special in self.special_ids:
            chance = chance.masked_fill(ids == special, 2.0)
        keep = chance >= self.p
        count = offsets.diff()
        sample = torch.repeat_interleave(
            torch.arange(len(count), device=ids.device), count, output_size=len(ids)
        )
        best = torch.full((len(count),), -1.0, device=ids.device)
        best = best.scatter_reduce(0, sample, chance, "amax")
        lost = best < self.p  # none of these would stay
        keep |= lost[sample] & (chance == best[sample])
        kept = torch.zeros_like(count).index_add_(0, sample, keep.to(torch.int64))
        return keep, kept

    def _kept(self, x: Any, keep: torch.Tensor, lengths: torch.Tensor) -> Ragged:
        values = x.values if isinstance(x, Ragged) else x.reshape(-1)
        return Ragged.from_shapes(values[keep], lengths.cpu().numpy())
