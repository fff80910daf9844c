"""``MaskTokens``: hide some tokens, for a model that learns to guess them."""

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
    IGNORED,
    check_ids,
    check_mask,
    check_probability,
    check_tokens,
    row_ends,
    same_sizes,
    token_offsets,
)
from domainkit.text.transforms.kernels.hiding import SECOND, hide_rows
from domainkit.text.transforms.kernels.rows import numba_can
from domainkit.text.transforms.kernels.segments import random_spans
from domainkit.transform import replace_fields

__all__ = ["MaskTokens"]

UNITS = ("token", "word", "span")
DECIDE = 1 << 32  # where the numbers begin that decide what becomes of a chosen word's tokens


@dataclass(frozen=True)
class MaskTokens(TokenTransform):
    """Choose tokens at random; most become ``mask_id``, some another token, some stay.

    This is the masking of BERT (Devlin et al., arXiv:1810.04805, 3.1). Each token has draws of its
    own by its place in its sample, so a sample is masked alike alone, in any batch, ``Ragged`` or
    dense (filled up at the end).

    With ``unit="word"`` whole words are chosen, each with probability p, and with "span" stretches
    of neighbours that cover the share p of a sequence (as in SpanBERT, Joshi et al.,
    arXiv:1907.10529, with the spans of ``SpanCorruption``); what becomes of a chosen token is
    decided for each.

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
        unit: what is chosen: "token", "word" (the batch needs ``word_ids``: int64, one per token,
            equal for neighbours of one word, -1 for special tokens; ``Tokenize(word_ids=True)``
            gives them) or "span".
        span_length: tokens of a span in the mean.

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
    unit: str = "token"
    span_length: float = 3.0

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"
    random: ClassVar[bool] = True
    planner: ClassVar[str | None] = "domainkit.text.transforms._planner"

    def __post_init__(self) -> None:
        if not isinstance(self.mask_id, int):
            raise TransformError(
                f"MaskTokens needs mask_id, the id of the token that hides others, got "
                f"{self.mask_id!r}: does this tokenizer have one?"
            )
        special = check_ids(self, "special_ids", self.special_ids) if self.special_ids else ()
        object.__setattr__(self, "special_ids", special)
        check_probability(self, "p", self.p)
        if self.unit not in UNITS or not self.span_length >= 1.0:
            raise TransformError(
                f"MaskTokens needs unit {', '.join(map(repr, UNITS))} and span_length of 1 or "
                f"more, got {self.unit!r} and {self.span_length}"
            )
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
        return self._masked(x, draws, None, (None, None))

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        x, real = batch[self.field], batch.get("attention_mask")
        check_tokens(self, x)
        if isinstance(x, Ragged):
            real = None  # nothing is padded
        elif real is not None:
            real = check_mask(real, x)
        beside = (batch.get("word_ids"), batch.get("document_ids"))
        tokens, labels = self._masked(x, draws, real, beside)
        return replace_fields(batch, {self.field: tokens, "labels": labels})

    def _masked(
        self, x: Any, draws: Draws, real: torch.Tensor | None, beside: tuple[Any, Any]
    ) -> Any:
        ids, firsts, lengths = row_ends(x)
        if self.unit == "token" and real is None and numba_can(ids):
            tokens = ids.contiguous().clone()
            labels = self.hide(tokens, firsts, lengths, draws)
        else:
            tokens, labels = self._masked_by_torch(x, ids, draws, real, beside)
        if isinstance(x, Ragged):
            return x.with_values(tokens), x.with_values(labels)
        return tokens.view_as(x), labels.view_as(x)

    def hide(
        self, tokens: torch.Tensor, firsts: np.ndarray, lengths: np.ndarray, draws: Draws
    ) -> torch.Tensor:
        """Mask flat tokens on a CPU in place, by the Numba form; gives the labels."""
        hidden, swapped = self.p * self.mask_share, self.p * (self.mask_share + self.random_share)
        return hide_rows(
            tokens,
            firsts,
            lengths,
            draws,
            mask_id=self.mask_id,
            special=self._special(),
            vocab_size=self.vocab_size,
            shares=(hidden, swapped, self.p),
        )

    def _masked_by_torch(
        self,
        x: Any,
        ids: torch.Tensor,
        draws: Draws,
        real: torch.Tensor | None,
        beside: tuple[Any, Any],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        offsets = token_offsets(x)
        allowed = torch.ones_like(ids, dtype=torch.bool)
        for special in self._special():
            allowed &= ids != special
        if real is not None:
            allowed &= real.reshape(-1).to(torch.bool)
        if self.unit == "token":
            chance = draws.uniform_ragged(offsets)
            chosen = allowed & (chance < self.p)
        else:
            # given that a word is chosen, p times another uniform number is as chance above
            chance = draws.uniform_ragged(offsets, start=DECIDE) * self.p
            in_spans = self.unit == "span"
            found = self._in_spans(x, draws, real) if in_spans else self._in_words(x, draws, beside)
            chosen = allowed & found
        hidden = chosen & (chance < self.p * self.mask_share)
        swapped = chosen & ~hidden & (chance < self.p * (self.mask_share + self.random_share))
        tokens = ids.masked_fill(hidden, self.mask_id)
        if self.random_share > 0.0:
            other = self._random_ids(draws.uniform_ragged(offsets, start=SECOND))
            tokens = torch.where(swapped, other.to(ids.dtype), tokens)
        return tokens, ids.to(torch.int64).masked_fill(~chosen, IGNORED)

    def _in_words(self, x: Any, draws: Draws, beside: tuple[Any, Any]) -> torch.Tensor:
        """bool [N]: the tokens of the chosen words."""
        words, documents = beside
        offsets = token_offsets(x)
        if words is None or not same_sizes(words, x):
            raise TransformError(
                "MaskTokens(unit='word') needs the field word_ids, one per token: take "
                "Tokenize(..., word_ids=True), or unit='token'"
            )
        word = row_ends(words)[0]
        begins = torch.ones_like(word, dtype=torch.bool)
        begins[1:] = word[1:] != word[:-1]
        if documents is not None and same_sizes(documents, x):
            begins[1:] |= row_ends(documents)[0].diff() != 0
        some = offsets[:-1][offsets.diff() > 0]
        begins[some] = True
        # all tokens of a word take the number of its first
        place = torch.arange(len(word), device=word.device)
        first = torch.where(begins, place, 0).cummax(0).values
        return (word >= 0) & (draws.uniform_ragged(offsets)[first] < self.p)

    def _in_spans(self, x: Any, draws: Draws, real: torch.Tensor | None) -> torch.Tensor:
        """bool [N]: the tokens of the chosen spans."""
        _, _, lengths = row_ends(x)
        args = (self.p, self.span_length, draws, x.device)
        if real is None:
            return random_spans(lengths, *args, tail=True).hidden
        inside = real.to(torch.bool)
        chosen = torch.zeros_like(inside)
        chosen[inside] = random_spans(inside.sum(1).cpu().numpy(), *args, tail=True).hidden
        return chosen.reshape(-1)

    def _random_ids(self, unit: torch.Tensor) -> torch.Tensor:
        """Uniform over the ids that are not special: draw a rank, step over each special id."""
        special = self._special()
        ids = (unit.to(torch.float64) * (self.vocab_size - len(special))).to(torch.int64)
        for skipped in special:
            ids = ids + (ids >= skipped)
        return ids

    def _special(self) -> list[int]:
        return sorted({*self.special_ids, self.mask_id})
