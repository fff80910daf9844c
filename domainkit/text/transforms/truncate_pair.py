"""``TruncatePair``: two sequences that go into one model input, cut to fit together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms._base import TokenTransform
from domainkit.text.transforms.checks import (
    beside_tokens,
    check_side,
    check_tokens,
    row_ends,
)
from domainkit.text.transforms.kernels.rows import ragged_rows
from domainkit.transform import replace_fields

__all__ = ["TruncatePair"]

STRATEGIES = ("longest_first", "only_first", "only_second")


@dataclass(frozen=True)
class TruncatePair(TokenTransform):
    """Cut ``tokens`` and ``pair_tokens`` until both together have at most ``max_length`` tokens.

    Input and output: a batch with both fields, int32 or int64, each a ``Ragged`` of items [L_i] or
    dense [B, L]; what is dense becomes a ``Ragged``. The lengths are those of the strategies of the
    same names in the ``tokenizers`` library: "longest_first" shortens the longer of the two until
    both are equal, then both; where ``max_length`` is odd, the longer one keeps one token more (the
    second, where they are equally long).

    Args:
        max_length: tokens of both that stay; leave room for what ``AddSpecialTokens`` adds.
        strategy: "longest_first", "only_first" or "only_second".
        side: "right" cuts off the ends, "left" the beginnings.

    Raises:
        TransformError: wrong arguments, another dtype or shape, or with "only_..." a pair whose
            other sequence alone is longer than ``max_length``.

    Example:
        >>> import torch
        >>> batch = {"tokens": torch.arange(5)[None], "pair_tokens": torch.arange(3)[None]}
        >>> batch = TruncatePair(4)(batch)
        >>> batch["tokens"][0].tolist(), batch["pair_tokens"][0].tolist()
        ([0, 1], [0, 1])
    """

    max_length: int
    strategy: str = "longest_first"
    side: str = "right"

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"

    def __post_init__(self) -> None:
        if self.max_length < 1:
            raise TransformError(
                f"TruncatePair needs max_length of 1 or more, got {self.max_length}"
            )
        if self.strategy not in STRATEGIES:
            raise TransformError(
                f"TruncatePair needs strategy {', '.join(map(repr, STRATEGIES))}, got "
                f"{self.strategy!r}"
            )
        check_side(self, self.side)

    def apply(self, x: Any, draws: Draws) -> Any:
        raise TransformError(
            "TruncatePair works on a batch with tokens and pair_tokens: give it the mapping, or "
            "take Truncate for single sequences"
        )

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        if "pair_tokens" not in batch:
            raise TransformError(
                f"TruncatePair needs the field 'pair_tokens', got {', '.join(batch)}: take "
                "Truncate for single sequences"
            )
        pair = [batch[self.field], batch["pair_tokens"]]
        for x in pair:
            check_tokens(self, x)
        flat = [row_ends(x) for x in pair]
        if len(flat[0][2]) != len(flat[1][2]):
            raise TransformError(
                f"TruncatePair: {len(flat[0][2])} tokens and {len(flat[1][2])} pair_tokens: give "
                "one second sequence for each first"
            )
        from domainkit.text.tokenizers.truncation import kept_lengths

        lengths = np.stack([flat[0][2], flat[1][2]], 1)
        kept = kept_lengths(lengths, self.max_length, self.strategy).T
        cut = [self._cut(*rows, n) for rows, n in zip(flat, kept, strict=True)]
        fields = {self.field: cut[0], "pair_tokens": cut[1]}
        for name, (x, _) in beside_tokens(batch).items():  # of the first sequences
            fields[name] = self._cut(row_ends(x)[0], *flat[0][1:], kept[0])
        return replace_fields(batch, fields)

    def _cut(
        self, values: Any, starts: np.ndarray, lengths: np.ndarray, kept: np.ndarray
    ) -> Ragged:
        return ragged_rows(
            values, starts if self.side == "right" else starts + lengths - kept, kept
        )
