"""``SentimentBag``: a linear classifier over the tokens of a text and the pairs of neighbours.

Each distinct token and each distinct pair counts once, weighted by how rare it is (inverse document
frequency, Spärck Jones 1972), and the weights of a text have length 1. Pairs share a fixed number
of buckets by hashing (Weinberger et al., "Feature hashing", ICML 2009). With few texts such a bag
is hard to beat (Wang and Manning, "Baselines and bigrams", ACL 2012).

How many texts hold a feature is counted while the model trains, as batch norm counts its mean.
"""

from __future__ import annotations

import torch
from torch import nn

from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["SentimentBag"]

PAD = 0


class SentimentBag(nn.Module):
    """Classify texts by their tokens.

    Args:
        vocab_size: number of token ids; id 0 is padding and counts for nothing.
        num_classes: number of logits.
        buckets: how many weights the pairs of neighbours share.

    The input is a ``Ragged`` of items [L_i], int64, or a dense int64 [B, L] padded with 0 on the
    right; the output is float32 [B, num_classes]. A text gets the same logits alone and in any
    batch. TransformError for another dtype, shape or an id outside the vocabulary.

    Example:
        >>> model = SentimentBag(vocab_size=1000, num_classes=2)
        >>> model(Ragged.from_list([torch.tensor([5, 7, 5]), torch.tensor([9])])).shape
        torch.Size([2, 2])
    """

    def __init__(self, vocab_size: int, num_classes: int = 2, buckets: int = 32768) -> None:
        super().__init__()
        self.vocab_size, self.buckets = vocab_size, buckets
        self.weight = nn.Parameter(torch.zeros(vocab_size + buckets, num_classes))
        self.bias = nn.Parameter(torch.zeros(num_classes))
        self.documents: torch.Tensor  # how many texts have been seen in training
        self.frequency: torch.Tensor  # and how many of them held each feature
        self.register_buffer("documents", torch.zeros(()))
        self.register_buffer("frequency", torch.zeros(vocab_size + buckets))

    def forward(self, tokens: Ragged | torch.Tensor) -> torch.Tensor:
        batch, text, feature = self._features(tokens)
        if self.training:
            self.documents += batch
            self.frequency.index_add_(0, feature, torch.ones_like(feature, dtype=torch.float32))
        rarity = torch.log((1 + self.documents) / (1 + self.frequency[feature])) + 1
        squared = torch.zeros(batch, device=rarity.device).index_add_(0, text, rarity**2)
        scale = rarity / squared.sqrt()[text]
        rows = self.weight[feature] * scale[:, None]
        summed = torch.zeros(batch, rows.shape[1], device=rows.device).index_add_(0, text, rows)
        return summed + self.bias

    def _features(self, tokens: Ragged | torch.Tensor) -> tuple[int, torch.Tensor, torch.Tensor]:
        """How many texts, and the distinct (text, feature) of the batch: two int64 [N]."""
        ids, text = self._flat(tokens)
        # a pair that begins in one text and ends in the next is no pair
        same = text[1:] == text[:-1]
        first, second = ids[:-1][same], ids[1:][same]
        pair = self.vocab_size + (first * 2654435761 + second * 40503) % self.buckets
        total = self.vocab_size + self.buckets
        both = torch.cat([text * total + ids, text[1:][same] * total + pair]).unique()
        return len(tokens), both // total, both % total

    def _flat(self, tokens: Ragged | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if isinstance(tokens, Ragged) and tokens.item_ndim == 1:
            ids, counts = tokens.values, tokens.lengths
        elif isinstance(tokens, torch.Tensor) and tokens.ndim == 2:
            ids = tokens.reshape(-1)
            counts = tokens.new_full((len(tokens),), tokens.shape[1])
        else:
            shape = repr(tokens) if isinstance(tokens, Ragged) else list(tokens.shape)
            raise TransformError(f"SentimentBag takes tokens [L_i] or [B, L], got {shape}")
        if ids.dtype != torch.int64:
            raise TransformError(f"SentimentBag takes int64 tokens, got {ids.dtype}")
        if len(ids) and not (int(ids.min()) >= 0 and int(ids.max()) < self.vocab_size):
            raise TransformError(
                f"SentimentBag knows ids 0..{self.vocab_size - 1}, got {int(ids.min())}.."
                f"{int(ids.max())}: is it another tokenizer's?"
            )
        text = torch.repeat_interleave(
            torch.arange(len(tokens), device=ids.device), counts, output_size=len(ids)
        )
        kept = ids != PAD
        return ids[kept], text[kept]
