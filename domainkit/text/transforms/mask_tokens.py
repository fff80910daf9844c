"""``MaskTokens``: hide some tokens, for a model that learns to guess them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms.checks import IGNORED, check_tokens, token_offsets
from domainkit.transform import Transform, replace_fields

__all__ = ["MaskTokens"]

# Where the second number of every token lies in its sample's row of draws: behind the first
# numbers of any sequence that fits into memory, and within Philox's counter.
SECOND = 1 << 33


@dataclass(frozen=True)
class MaskTokens(Transform):
    """Choose tokens at random; most become ``mask_id``, some another token, some stay.

    This is the masking of BERT (Devlin et al., arXiv:1810.04805, 3.1). Each token has draws of its
    own by its place in its sample, so a sample is masked alike alone, in any batch, ``Ragged`` or
    dense (filled up at the end).

    Input: int32 or int64, a ``Ragged`` of items [L_i] or dense [B, L]. A batch gets new ``tokens``
    and ``labels``: int64 of the same sizes, the true token where one was chosen and -100 elsewhere.
    Applied to bare tokens it gives both. Where the batch has an ``attention_mask``, padding is
    never chosen.

    Args:
        mask_id: the token that hides another.
        vocab_size: how many tokens there are; random tokens come from all but the special ones.
        p: how probable it is that a token is chosen, in [0, 1].
        special_ids: tokens that are never chosen ([CLS], [SEP], [PAD] ...); ``mask_id`` is one too.
        mask_share: the part of the chosen tokens that become ``mask_id``.
        random_share: the part of them that become a random token; the rest stays.

    Raises:
        TransformError: wrong arguments, another dtype or shape.

    Example:
        >>> op = MaskTokens(mask_id=2, vocab_size=100, p=1.0, special_ids=(0,), mask_share=1.0,
        ...                 random_share=0.0)
        >>> op(torch.tensor([[0, 7, 8]]))
        (tensor([[0, 2, 2]]), tensor([[-100,    7,    8]]))
    """

    mask_id: int
    vocab_size: int
    p: float = 0.15
    special_ids: tuple[int, ...] = ()
    mask_share: float = 0.8
    random_share: float = 0.1

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "special_ids", tuple(self.special_ids))
        if not 0 <= self.mask_id < self.vocab_size:
            raise TransformError(
                f"MaskTokens needs mask_id in [0, {self.vocab_size}), got {self.mask_id}"
            )
        outside = [i for i in self.special_ids if not 0 <= i < self.vocab_size]
        if outside:
            raise TransformError(
                f"MaskTokens needs special_ids in [0, {self.vocab_size}), got {outside[0]}"
            )
        shares = (self.mask_share, self.random_share)
        if not 0.0 <= self.p <= 1.0 or min(shares) < 0.0 or sum(shares) > 1.0 + 1e-9:
            raise TransformError(
                "MaskTokens needs p in [0, 1] and shares that are not negative and add up to at "
                f"most 1, got p={self.p}, {self.mask_share} and {self.random_share}"
            )
        if self.random_share > 0.0 and len(self._special()) == self.vocab_size:
            raise TransformError(
                "MaskTokens: every token is special, so none can be drawn: set random_share=0"
            )

    def apply(self, x: Any, draws: Draws) -> tuple[Any, Any]:
        check_tokens(self, x)
        return self._masked(x, draws, None)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        x, real = batch[self.field], batch.get("attention_mask")
        check_tokens(self, x)
        if isinstance(x, Ragged):
            real = None  # nothing is padded
        tokens, labels = self._masked(x, draws, real)
        return replace_fields(batch, {self.field: tokens, "labels": labels})

    def _masked(self, x: Any, draws: Draws, real: torch.Tensor | None) -> tuple[Any, Any]:
        ids = x.values if isinstance(x, Ragged) else x.reshape(-1)
        offsets = token_offsets(x)
        allowed = torch.ones_like(ids, dtype=torch.bool)
        for special in self._special():
            allowed &= ids != special
        if real is not None:
            allowed &= real.reshape(-1).to(torch.bool)
        chance = draws.uniform_ragged(offsets)
        # given that chance is below p, chance / p is again uniform in [0, 1): one draw does both
        hidden = allowed & (chance < self.p * self.mask_share)
        swapped = allowed & ~hidden & (chance < self.p * (self.mask_share + self.random_share))
        tokens = ids.masked_fill(hidden, self.mask_id)
        if self.random_share > 0.0:
            other = self._random_ids(draws.uniform_ragged(offsets, start=SECOND))
            tokens = torch.where(swapped, other.to(ids.dtype), tokens)
        labels = ids.to(torch.int64).masked_fill(~(allowed & (chance < self.p)), IGNORED)
        if isinstance(x, Ragged):
            return x.with_values(tokens), x.with_values(labels)
        return tokens.view_as(x), labels.view_as(x)

    def _random_ids(self, unit: torch.Tensor) -> torch.Tensor:
        """Uniform over the ids that are not special: draw a rank, step over each special id."""
        special = self._special()
        ids = (unit.to(torch.float64) * (self.vocab_size - len(special))).to(torch.int64)
        for skipped in special:
            ids = ids + (ids >= skipped)
        return ids

    def _special(self) -> list[int]:
        return sorted({*self.special_ids, self.mask_id})
