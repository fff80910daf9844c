"""``AddSpecialTokens``: what a model expects around each text, and between two."""

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
    beside_tokens,
    check_ids,
    check_tokens,
    row_ends,
    same_sizes,
    unpadded,
)
from domainkit.text.transforms.kernels.rows import ragged_rows
from domainkit.transform import replace_fields

__all__ = ["AddSpecialTokens"]

# what the new tokens have in the fields beside them
AROUND = {"labels": -100, "token_type_ids": 0, "word_ids": -1, "permutation": -1}


@dataclass(frozen=True)
class AddSpecialTokens(TokenTransform):
    """Put tokens before, behind and between sequences: [CLS] a [SEP], [CLS] a [SEP] b [SEP].

    Input: int32 or int64, a ``Ragged`` of items [L_i] or dense [B, L]. Output: a ``Ragged`` of
    items [len(begin) + L_i + len(end)], or dense. A batch with ``pair_tokens``, the second
    sequences, loses that field: ``tokens`` become begin + first + between + second + end, and
    ``token_type_ids`` (int64, as long) tell the two apart: 0 up to and with the first half of
    ``between`` (rounded up), 1 behind it. ``labels`` of single sequences grow with -100, and
    ``token_type_ids`` and ``word_ids`` along. Dense tokens with an ``attention_mask`` lose their
    padding: they become a ``Ragged``, and the mask goes.

    Args:
        begin: ids before each sequence.
        end: ids behind it.
        between: ids between the two of a pair; None takes ``end``.
        type_ids: whether single sequences get ``token_type_ids`` too, all 0.

    Raises:
        TransformError: ids that are no whole numbers of at least 0; another dtype or shape; pairs
            with ``labels`` of the first sequence, which nothing can be put beside; packed rows.

    Example:
        >>> batch = {
        ...     "tokens": Ragged.from_list([torch.tensor([7, 8])]),
        ...     "pair_tokens": Ragged.from_list([torch.tensor([9])]),
        ... }
        >>> batch = AddSpecialTokens(begin=(1,), end=(2,))(batch)
        >>> batch["tokens"][0].tolist(), batch["token_type_ids"][0].tolist()
        ([1, 7, 8, 2, 9, 2], [0, 0, 0, 0, 1, 1])
    """

    begin: tuple[int, ...] = ()
    end: tuple[int, ...] = ()
    between: tuple[int, ...] | None = None
    type_ids: bool = False

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"
    planner: ClassVar[str | None] = "domainkit.text.transforms._planner"

    def __post_init__(self) -> None:
        for name in ("begin", "end", "between"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, check_ids(self, name, getattr(self, name)))

    def apply(self, x: Any, draws: Draws) -> Any:
        check_tokens(self, x)
        return self._around(x, self.begin, self.end)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        check_tokens(self, batch[self.field])
        batch = unpadded(batch)
        x = batch[self.field]
        if packed := [n for n in ("position_ids", "document_ids") if n in beside_tokens(batch)]:
            raise TransformError(
                f"AddSpecialTokens: the batch has {' and '.join(packed)}: put it before Pack"
            )
        if "pair_tokens" in batch:
            return self._joined(batch)
        fields = {self.field: self._around(x, self.begin, self.end)}
        for name, value in AROUND.items():
            if name in batch and same_sizes(batch[name], x):
                edges = ([value] * len(ids) for ids in (self.begin, self.end))
                fields[name] = self._around(batch[name], *edges)
        if self.type_ids and "token_type_ids" not in fields:
            fields["token_type_ids"] = _zeros(fields[self.field])
        return replace_fields(batch, fields)

    def _around(self, x: Any, begin: Any, end: Any) -> Any:
        rows = ragged_rows(*row_ends(x), begin, end)
        if isinstance(x, Ragged):
            return rows
        return rows.values.view(len(x), x.shape[1] + len(begin) + len(end))

    def _joined(self, batch: Mapping[str, Any]) -> Any:
        first, second = batch[self.field], batch["pair_tokens"]
        check_tokens(self, second)
        if len(first) != len(second):
            raise TransformError(
                f"AddSpecialTokens: {len(first)} tokens and {len(second)} pair_tokens: give one "
                "second sequence for each first"
            )
        if "labels" in batch and same_sizes(batch["labels"], first):
            raise TransformError(
                "AddSpecialTokens: labels of every token cannot follow a pair: mask or label the "
                "tokens after this step"
            )
        between = self.end if self.between is None else self.between
        half = -(-len(between) // 2)
        one = ragged_rows(*row_ends(first), self.begin, between[:half])
        two = ragged_rows(*row_ends(second), between[half:], self.end)
        kinds = [
            torch.full_like(part.values, i, dtype=torch.int64) for i, part in enumerate((one, two))
        ]
        fields = {
            self.field: _interleaved(one, two, one.values, two.values),
            "token_type_ids": _interleaved(one, two, *kinds),
        }
        # what else belonged to the tokens of the first has no values for the second
        gone = {"pair_tokens", *beside_tokens(batch)} - fields.keys()
        new = replace_fields(batch, fields)
        for name in gone:
            del new[name]
        return new


def _interleaved(one: Ragged, two: Ragged, a: torch.Tensor, b: torch.Tensor) -> Ragged:
    """Items of one and two by turns, joined pair by pair; a and b are their values."""
    lengths = one.host_shapes[:, 0] + two.host_shapes[:, 0]
    both = torch.cat([a, b.to(a.dtype)])
    pieces = np.stack([one.host_shapes[:, 0], two.host_shapes[:, 0]], 1).reshape(-1)
    starts = np.stack([one.host_offsets[:-1], two.host_offsets[:-1] + len(a)], 1).reshape(-1)
    return Ragged.from_shapes(ragged_rows(both, starts, pieces).values, lengths)


def _zeros(x: Any) -> Any:
    if isinstance(x, Ragged):
        return x.with_values(torch.zeros_like(x.values, dtype=torch.int64))
    return torch.zeros_like(x, dtype=torch.int64)
