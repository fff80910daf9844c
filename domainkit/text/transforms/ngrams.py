"""``NGrams``: neighbours together, as features of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.transforms._base import TokenTransform
from domainkit.text.transforms.checks import check_tokens, row_ends
from domainkit.text.transforms.kernels.rows import ragged_rows

__all__ = ["NGrams"]

# fastText's multiplier: h(a b c) = (h(a b) * 116049371 + c) mod 2**64 there; 2**62 here, so that
# torch's signed numbers do it on every device
MULTIPLIER, BITS = 116049371, (1 << 30) - 1


@dataclass(frozen=True)
class NGrams(TokenTransform):
    """Put the n-grams of tokens, as ids of their own, behind each sequence.

    Method: hashed word n-grams, as in fastText (Joulin et al., "Bag of tricks for efficient text
    classification", EACL 2017). An n-gram's id is vocab_size + hash mod buckets; neighbours that
    begin in one sample and end in the next are none.

    Input: int32 or int64, a ``Ragged`` of items [L_i] or dense [B, L] without padding. Output: a
    ``Ragged`` of int64 items: the L_i tokens, then L_i - 1 pairs, then L_i - 2 triples, up to n.

    Args:
        n: the longest n-gram, at least 2.
        vocab_size: how many token ids there are.
        buckets: how many ids n-grams share.

    Raises:
        TransformError: wrong arguments, another dtype or shape.

    Example:
        >>> grams = NGrams(2, vocab_size=10, buckets=1000)(torch.tensor([[3, 4, 3, 4]]))[0]
        >>> grams[:4].tolist(), bool(grams[4] == grams[6]), bool(grams[4] == grams[5])
        ([3, 4, 3, 4], True, False)
    """

    n: int
    vocab_size: int
    buckets: int = 2_000_000

    field: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens"

    def __post_init__(self) -> None:
        if self.n < 2 or self.vocab_size < 1 or not 1 <= self.buckets < 1 << 30:
            raise TransformError(
                "NGrams needs n of 2 or more, vocab_size of 1 or more and buckets in [1, 2**30), "
                f"got {self.n}, {self.vocab_size} and {self.buckets}"
            )

    def apply(self, x: Any, draws: Draws) -> Ragged:
        check_tokens(self, x)
        values, starts, lengths = row_ends(x)
        ids = values.to(torch.int64)
        parts, counts, key = [ids], [lengths], ids & BITS
        for order in range(2, self.n + 1):
            # the key of the n-gram that begins here, from the one before it and one token more;
            # places whose n-gram would leave the sample are left out below
            more = torch.cat([ids[order - 1 :], ids.new_zeros(min(order - 1, len(ids)))])
            key = (key * MULTIPLIER + more) & BITS
            parts.append(self.vocab_size + key % self.buckets)
            counts.append(np.maximum(lengths - order + 1, 0))
        total = len(ids)
        begins = np.stack([starts + i * total for i in range(self.n)], 1).reshape(-1)
        rows = ragged_rows(torch.cat(parts), begins, np.stack(counts, 1).reshape(-1))
        return Ragged.from_shapes(rows.values, np.sum(counts, 0))
