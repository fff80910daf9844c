"""``Pad``: sequences of several lengths to one dense tensor, and a mask of what is real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch.nn.functional import pad

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms._base import TokenTransform
from domainkit.text.transforms.checks import (
    IGNORED,
    beside_tokens,
    check_ids,
    check_side,
    check_tokens,
    row_ends,
)
from domainkit.text.transforms.kernels.rows import dense_rows, real_places
from domainkit.transform import replace_fields

__all__ = ["Pad"]


@dataclass(frozen=True)
class Pad(TokenTransform):
    """Make all sequences equally long by filling them up.

    Input: int32 or int64, a ``Ragged`` of items [L_i] or dense [B, L]. Output: dense [B, L'] of the
    same dtype. A batch also gets ``attention_mask``, bool [B, L'], true where a token was, and its
    ``labels`` are filled up with -100: to L' where there is one per token, else (T5's, a sequence
    of its own) to ``size`` or the longest of them. Applied to bare tokens it gives the tensor
    alone.

    Args:
        value: what fills up, the id of the padding token.
        multiple_of: L' is a multiple of this.
        size: L'; None takes the longest sequence of the batch.
        side: "right" fills up at the end, "left" at the beginning.

    Raises:
        TransformError: wrong arguments, another dtype or shape, or a sequence longer than ``size``.

    Example:
        >>> tokens = Ragged.from_list([torch.tensor([5, 6, 7]), torch.tensor([8])])
        >>> batch = Pad(value=0)({"tokens": tokens})
        >>> batch["tokens"]
        tensor([[5, 6, 7],
                [8, 0, 0]])
        >>> batch["attention_mask"].sum(1)
        tensor([3, 1])
    """

    value: int = 0
    multiple_of: int = 1
    size: int | None = None
    side: str = "right"

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"
    planner: ClassVar[str | None] = "domainkit.text.transforms._planner"

    def __post_init__(self) -> None:
        check_ids(self, "value", self.value)
        if self.multiple_of < 1:
            raise TransformError(f"Pad needs multiple_of of 1 or more, got {self.multiple_of}")
        if self.size is not None and (self.size < 1 or self.size % self.multiple_of):
            raise TransformError(
                f"Pad needs a size of 1 or more that is a multiple of {self.multiple_of}, "
                f"got {self.size}"
            )
        check_side(self, self.side)

    def apply(self, x: Any, draws: Draws) -> torch.Tensor:
        check_tokens(self, x)
        return self._fill(x, self.value, self._length(x))

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        tokens = batch[self.field]
        check_tokens(self, tokens)
        length = self._length(tokens)
        fields = {
            name: self._fill(x, filler, length)
            for name, (x, filler) in beside_tokens(batch).items()
        }
        labels = batch.get("labels")
        if isinstance(labels, Ragged) and "labels" not in fields and labels.item_ndim == 1:
            # those of another sequence, as T5's: padded to the longest of them
            own = int(labels.host_shapes.max(initial=0))
            fits = self.size is not None and own <= self.size
            own = int(self.size or 0) if fits else -(-own // self.multiple_of) * self.multiple_of
            fields["labels"] = self._rows(labels, IGNORED, own, mask=False)[0]
        wanted = "attention_mask" not in fields
        if isinstance(tokens, Ragged):
            padded, mask = self._rows(tokens, self.value, length, mask=wanted)
        else:
            padded, mask = self._fill(tokens, self.value, length), None
            if wanted:
                lengths = torch.full((len(tokens),), tokens.shape[1], device=tokens.device)
                mask = real_places(lengths, length, self.side == "left")
        fields[self.field] = padded
        if mask is not None:
            fields["attention_mask"] = mask
        return replace_fields(batch, fields)

    def _length(self, x: torch.Tensor | Ragged) -> int:
        longest = int(x.host_shapes.max(initial=0)) if isinstance(x, Ragged) else x.shape[1]
        return self.length_for(longest)

    def length_for(self, longest: int) -> int:
        """L' for a batch whose longest sequence has so many tokens."""
        if self.size is None:
            return -(-longest // self.multiple_of) * self.multiple_of
        if longest > self.size:
            raise TransformError(
                f"Pad: a sequence has {longest} tokens, more than size {self.size}: put "
                f"Truncate({self.size}) before it"
            )
        return self.size

    def _fill(self, x: torch.Tensor | Ragged, value: float, length: int) -> torch.Tensor:
        if isinstance(x, Ragged):
            return self._rows(x, value, length, mask=False)[0]
        more = length - x.shape[1]
        return pad(x, (0, more) if self.side == "right" else (more, 0), value=value)

    def _rows(
        self, x: Ragged, value: float, length: int, *, mask: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        left = self.side == "left"
        return dense_rows(*row_ends(x), length, left=left, fill=value, mask=mask)
