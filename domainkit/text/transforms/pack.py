"""``Pack``: many documents in rows of one length, without padding between them."""

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
    beside_tokens,
    check_ids,
    check_tokens,
    row_ends,
    unpadded,
)
from domainkit.text.transforms.kernels.packing import Packing, packed, plan_rows
from domainkit.transform import replace_fields

__all__ = ["Pack", "document_mask"]

STRATEGIES = ("best-fit", "concat")


@dataclass(frozen=True)
class Pack(TokenTransform):
    """Put the documents of a batch into rows of ``length`` tokens; no token is lost.

    "best-fit" keeps documents whole: the longest first, each into the fullest row that has room
    (best-fit decreasing; Ding et al., "Fewer truncations improve language modeling", ICML 2024).
    Only those longer than a row are cut, into pieces of ``length``. "concat" puts one behind the
    other and cuts the stream into rows, so that only the last has padding.

    Input: a batch with ``tokens``, int32 or int64, a ``Ragged`` of items [L_i] or dense [B, L], of
    which padding that an ``attention_mask`` shows is left out. Random steps go before this one:
    behind it there are rows, and no samples that draws belong to.
    It gets R rows, where R follows from the lengths:

        tokens          the input's dtype [R, length], filled up with ``value``
        position_ids    int64 [R, length], 0, 1, 2 ... in each piece of a document; 0 in padding
        document_ids    int64 [R, length], which sample of the batch a token came from; -1 in
                        padding. Fields with a value per sample stay as they are, and are found
                        by these numbers.
        attention_mask  bool [R, length], true where a token is
        labels          int64 [R, length] where the batch had them per token; -100 in padding

    Applied to bare tokens it gives the dense tokens alone. ``document_mask(document_ids)`` keeps
    documents from looking at each other.

    Args:
        length: tokens of a row.
        strategy: "best-fit" or "concat".
        value: the id of padding.

    Raises:
        TransformError: wrong arguments, another dtype or shape.

    Example:
        >>> documents = Ragged.from_list([torch.arange(n) for n in (3, 5, 1)])
        >>> batch = Pack(6, value=9)({"tokens": documents})
        >>> batch["tokens"]
        tensor([[0, 1, 2, 9, 9, 9],
                [0, 1, 2, 3, 4, 0]])
        >>> batch["document_ids"]
        tensor([[ 0,  0,  0, -1, -1, -1],
                [ 1,  1,  1,  1,  1,  2]])
    """

    length: int
    strategy: str = "best-fit"
    value: int = 0

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"

    def __post_init__(self) -> None:
        if self.length < 1:
            raise TransformError(f"Pack needs length of 1 or more, got {self.length}")
        if self.strategy not in STRATEGIES:
            raise TransformError(
                f"Pack needs strategy {', '.join(map(repr, STRATEGIES))}, got {self.strategy!r}"
            )
        check_ids(self, "value", self.value)

    def apply(self, x: Any, draws: Draws) -> torch.Tensor:
        check_tokens(self, x)
        values, starts, _ = row_ends(x)
        return packed(values, starts, self._plan(x), self.value)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        check_tokens(self, batch[self.field])
        batch = unpadded(batch)
        x = batch[self.field]
        plan = self._plan(x)
        values, starts, _ = row_ends(x)
        fields: dict[str, Any] = {self.field: packed(values, starts, plan, self.value)}
        for name, (other, filler) in beside_tokens(batch).items():
            fields[name] = packed(row_ends(other)[0], starts, plan, filler)
        place = plan.places(values.device)
        fields |= {"position_ids": place.position, "document_ids": place.document}
        fields.setdefault("attention_mask", place.document >= 0)
        return replace_fields(batch, fields)

    def _plan(self, x: torch.Tensor | Ragged) -> Packing:
        _, _, lengths = row_ends(x)
        return plan_rows(lengths, self.length, self.strategy)


def document_mask(document_ids: torch.Tensor, *, causal: bool = False) -> torch.Tensor:
    """Which token may look at which: bool [R, 1, L, L] for ``scaled_dot_product_attention``.

    Args:
        document_ids: int64 [R, L] of ``Pack``.
        causal: whether a token sees only itself and what is before it.

    Tokens see their own document; padding (-1) sees padding, so that no row of the mask is empty.

    Example:
        >>> document_mask(torch.tensor([[0, 0, 1]]), causal=True)[0, 0].int()
        tensor([[1, 0, 0],
                [1, 1, 0],
                [0, 0, 1]], dtype=torch.int32)
    """
    same = document_ids[:, None, :, None] == document_ids[:, None, None, :]
    return same.tril() if causal else same
