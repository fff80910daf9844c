"""Rows of a batch: tokens of one or two texts each, cut to length, with special tokens around."""

from __future__ import annotations

import numpy as np
import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.tokenizers.template import Template
from domainkit.text.tokenizers.truncation import check_strategy, kept_lengths

__all__ = ["Rows"]


class Rows:
    """Where each token of a batch goes.

    Args:
        template: what stands around the texts of a row.
        lengths: int64 [rows * texts], tokens of every text in the order of the template.
        max_length: tokens of a row at most, special ones included; None for no limit.
        truncation: one of ``truncation.STRATEGIES``.

    Raises:
        TransformError: the special tokens alone are too many, or a row cannot be made short.
    """

    def __init__(
        self, template: Template, lengths: np.ndarray, max_length: int | None, truncation: str
    ) -> None:
        order = ["AB".index(text) for text in template.texts]
        check_strategy(truncation)
        lengths = kept = lengths.reshape(-1, len(order))
        if max_length is not None:
            room = max_length - template.added
            if room < 0:
                raise TransformError(
                    f"max_length {max_length} leaves no room for {template.added} special tokens"
                )
            kept = kept_lengths(lengths[:, np.argsort(order)], room, truncation)[:, order]
        self.template, self.kept = template, kept
        self._stays: np.ndarray | None = None
        if kept is not lengths and not np.array_equal(kept, lengths):
            counts = lengths.ravel()
            place = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
            self._stays = place < np.repeat(kept.ravel(), counts)
        if template.added:
            self.sizes, self._is_text, self._ids = template.insert(kept)
        else:
            self.sizes = kept.sum(axis=1)

    def ids(self, values: np.ndarray) -> Ragged:
        """int64 ids [tokens of all texts] as rows with their special tokens."""
        values = values if self._stays is None else values[self._stays]
        if self.template.added:
            self._ids[self._is_text] = values
            values = self._ids
        return Ragged.from_shapes(torch.from_numpy(values), self.sizes)

    def along(self, values: np.ndarray, special: int) -> Ragged:
        """Something else of each token (int64 [tokens, ...]), ``special`` for special tokens."""
        values = values if self._stays is None else values[self._stays]
        if self.template.added:
            out = np.full((len(self._is_text), *values.shape[1:]), special, np.int64)
            out[self._is_text] = values
            values = out
        return Ragged.from_shapes(torch.from_numpy(values), self.sizes)

    def types(self) -> Ragged:
        """The types of the template's parts."""
        return Ragged.from_shapes(torch.from_numpy(self.template.types(self.kept)), self.sizes)
