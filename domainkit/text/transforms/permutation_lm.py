"""``PermutationLM``: tokens to guess in a random order, XLNet's task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms._base import TokenTransform
from domainkit.text.transforms.checks import (
    IGNORED,
    check_ids,
    check_probability,
    check_tokens,
    row_ends,
    token_offsets,
)
from domainkit.text.transforms.kernels.segments import random_spans
from domainkit.transform import replace_fields

__all__ = ["PermutationLM", "permutation_mask"]

ORDER = 3 << 34  # where the numbers of the order begin, behind those of the spans


@dataclass(frozen=True)
class PermutationLM(TokenTransform):
    """Choose spans of tokens to be guessed, and the order in which they are.

    Method: XLNet (Yang et al., arXiv:1906.08237): a token to guess sees those that are not
    guessed, and of the guessed ones those that come before it in the order. Spans are those of
    ``SpanCorruption``, with tokens allowed behind the last.

    Input: int32 or int64, a ``Ragged`` of items [L_i]. A batch gets ``labels`` (int64, the token
    where it is to be guessed, -100 elsewhere) and ``permutation`` (int64, its place in the order
    from 0 on, -1 elsewhere), both ``Ragged`` like the tokens, which stay. Applied to bare tokens it
    gives labels and permutation. ``permutation_mask`` makes the mask for attention of them.

    Args:
        density: share of the tokens that are guessed.
        span_length: tokens of a span in the mean.
        special_ids: tokens that are never guessed.

    Raises:
        TransformError: wrong arguments, another dtype, or dense tokens (make them ``Ragged``).

    Example:
        >>> tokens = Ragged.from_list([torch.arange(12)])
        >>> labels, permutation = PermutationLM(density=0.25)(tokens)
        >>> sorted(permutation[0].tolist())[-4:]
        [-1, 0, 1, 2]
    """

    density: float = 1 / 6
    span_length: float = 3.0
    special_ids: tuple[int, ...] = ()

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_probability(self, "density", self.density)
        object.__setattr__(self, "special_ids", check_ids(self, "special_ids", self.special_ids))
        if not self.span_length >= 1.0:
            raise TransformError(
                f"PermutationLM needs span_length of 1 or more, got {self.span_length}"
            )

    def apply(self, x: Any, draws: Draws) -> tuple[Ragged, Ragged]:
        check_tokens(self, x)
        if not isinstance(x, Ragged):
            raise TransformError(
                f"PermutationLM takes a Ragged of tokens, got {list(x.shape)}: put it before Pad"
            )
        ids, _, lengths = row_ends(x)
        spans = random_spans(lengths, self.density, self.span_length, draws, ids.device, tail=True)
        guessed = spans.hidden
        for special in self.special_ids:
            guessed &= ids != special
        labels = ids.to(torch.int64).masked_fill(~guessed, IGNORED)
        return x.with_values(labels), x.with_values(self._order(x, guessed, draws))

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        labels, permutation = self.apply(batch[self.field], draws)
        return replace_fields(batch, {"labels": labels, "permutation": permutation})

    def _order(self, x: Ragged, guessed: torch.Tensor, draws: Draws) -> torch.Tensor:
        offsets = token_offsets(x)
        chance = draws.uniform_ragged(offsets, start=ORDER).to(torch.float64)
        total = len(chance)
        count = offsets.diff()
        sample = torch.repeat_interleave(
            torch.arange(len(count), device=offsets.device), count, output_size=total
        )
        # guessed tokens of a sample first, by their numbers: their ranks are the order
        key = chance + 3 * sample + (~guessed).to(torch.float64)
        place = torch.arange(total, device=offsets.device) - offsets[:-1][sample]
        rank = torch.empty_like(place)
        rank[torch.sort(key, stable=True).indices] = place
        return rank.masked_fill(~guessed, -1)


def permutation_mask(permutation: torch.Tensor, real: torch.Tensor | None = None) -> torch.Tensor:
    """Which token may look at which: bool [B, 1, L, L] for ``scaled_dot_product_attention``.

    Args:
        permutation: int64 [B, L] of ``PermutationLM``, padded with -1.
        real: bool [B, L], where there is no padding; None where there is none.

    A token sees what comes before it in the order; itself only where it is not guessed. Tokens that
    are not guessed see each other only.

    Example:
        >>> permutation_mask(torch.tensor([[-1, 1, 0]]))[0, 0].int()
        tensor([[1, 0, 0],
                [1, 0, 1],
                [1, 0, 0]], dtype=torch.int32)
    """
    of = permutation[:, None, :, None]
    at = permutation[:, None, None, :]
    seen = (at < of) | (at < 0)
    return seen if real is None else seen & real[:, None, None, :]
