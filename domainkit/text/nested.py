"""``Nested``: sequences of sequences - the sentences of documents, the letters of words.

All inner sequences of a batch are one ``Ragged``, so every transform of tokens and every encoder
works on them as it is; how many of them belong to each sample stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["Nested", "collate_nested"]


@dataclass(frozen=True)
class Nested:
    """A batch of B samples, each a list of sequences.

    Attributes:
        items: the inner sequences of all samples behind each other, S items.
        counts: int64 [B], how many belong to each sample; they add up to S.

    Example:
        >>> batch = collate_nested([[[1, 2], [3]], [[4]]])
        >>> batch.items, batch.counts.tolist()
        (Ragged(B=3, items=[1..2], dtype=int64, device=cpu), [2, 1])
        >>> batch.pad()[0].tolist()
        [[[1, 2], [3, 0]], [[4, 0], [0, 0]]]
    """

    items: Ragged
    counts: torch.Tensor

    def __post_init__(self) -> None:
        if self.counts.dtype != torch.int64 or int(self.counts.sum()) != len(self.items):
            raise TransformError(
                f"Nested needs int64 counts that add up to {len(self.items)}, got "
                f"{self.counts.dtype} that add up to {int(self.counts.sum())}"
            )

    def __len__(self) -> int:
        return len(self.counts)

    def to(self, *args: Any, **kwargs: Any) -> Nested:
        """Like ``torch.Tensor.to``; a dtype applies to the items' values only."""
        items = self.items.to(*args, **kwargs)
        return Nested(items, self.counts.to(items.device))

    def outer(self, values: torch.Tensor) -> Ragged:
        """One row for each inner sequence, [S, ...], as B items [n_i, ...]: vectors of sentences
        become documents of vectors."""
        if len(values) != len(self.items):
            raise TransformError(f"expected {len(self.items)} rows, got {len(values)}")
        return Ragged.from_shapes(values, self.counts.cpu().numpy())

    def pad(self, value: float = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Dense [B, most, longest] filled up with ``value``, and bool of its size: what is real."""
        inner, lengths = self.items.pad(value)
        dense, _ = self.outer(inner).pad(value)
        real = torch.arange(inner.shape[1], device=inner.device) < lengths[:, None]
        return dense, self.outer(real).pad(0)[0]


def collate_nested(samples: Sequence[Sequence[Any]]) -> Nested:
    """Samples that are lists of sequences of ids as one ``Nested``; for ``Loader(collate=...)``.

    Args:
        samples: B lists (they may be empty) of sequences: lists of int, or int64 tensors [L].

    Raises:
        TransformError: something else.

    Example:
        >>> len(collate_nested([[], [[5, 6]]]))
        2
    """
    try:
        flat = [torch.as_tensor(x, dtype=torch.int64) for sample in samples for x in sample]
        if any(x.ndim != 1 for x in flat):
            raise TypeError("not one dimension")
    except (TypeError, ValueError, RuntimeError) as error:
        raise TransformError(
            f"collate_nested takes lists of sequences of whole numbers, got {samples!r:.80}"
        ) from error
    counts = torch.tensor([len(sample) for sample in samples], dtype=torch.int64)
    if not flat:
        empty = torch.empty(0, dtype=torch.int64)
        return Nested(Ragged.from_shapes(empty, np.empty((0, 1))), counts)
    return Nested(Ragged.from_list(flat), counts)
