"""``SentenceEncoder``: one vector for each text, to compare texts by their cosine.

Method: Sentence-BERT (Reimers and Gurevych, EMNLP 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from domainkit.errors import DomainkitError, TransformError
from domainkit.ragged import Ragged
from domainkit.text.models.encoder import Encoder
from domainkit.text.models.encoder_config import EncoderConfig
from domainkit.text.models.pooling import POOLINGS, pool

__all__ = ["SentenceEncoder"]

FIELDS = ("tokens", "attention_mask", "token_type_ids")  # of a batch, as forward takes them


class SentenceEncoder(nn.Module):
    """An encoder, a pooling, and where wanted a length of 1.

    Input: tokens as ``Encoder`` takes them. Output: float [B, hidden_size]; for tokens in the
    ``Ragged`` form no padding is computed, so texts of any lengths go into one batch.

    Args:
        config: of the encoder.
        pooling: see ``pool``.
        normalize: whether each vector is divided by its length, so that a product of two is their
            cosine.

    Example:
        >>> config = EncoderConfig(vocab_size=100, hidden_size=16, num_layers=1, num_heads=2,
        ...                        intermediate_size=32)
        >>> model = SentenceEncoder(config).eval()
        >>> vectors = model(Ragged.from_list([torch.tensor([5, 6, 7]), torch.tensor([8])]))
        >>> vectors.shape, vectors.norm(dim=1).round(decimals=4).tolist()
        (torch.Size([2, 16]), [1.0, 1.0])
    """

    def __init__(
        self, config: EncoderConfig, pooling: str = "mean", normalize: bool = True
    ) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise DomainkitError(f"pooling must be one of {', '.join(POOLINGS)}, got {pooling!r}")
        self.encoder = Encoder(config)
        self.pooling, self.normalize = pooling, normalize
        self.recipe: Callable[[Any], Any] | None = None  # set by load_model

    def forward(
        self,
        tokens: Ragged | torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: Ragged | torch.Tensor | None = None,
    ) -> torch.Tensor:
        states = self.encoder(tokens, attention_mask, token_type_ids)
        vectors = pool(states, self.pooling, attention_mask)
        return nn.functional.normalize(vectors, dim=1) if self.normalize else vectors

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], *, batch_size: int = 256) -> torch.Tensor:
        """Vectors of texts, float [len(texts), hidden_size], by the recipe of the weights.

        Texts are taken by length, so that a batch on a GPU has little padding; the vectors come in
        the order of the texts.

        Args:
            texts: any number of str.
            batch_size: how many go through the network at once.

        Raises:
            DomainkitError: a model that came without a recipe.
            TransformError: something else than str.
        """
        if self.recipe is None:
            raise DomainkitError(
                "encode() needs the recipe that turns texts into tokens: take the model from "
                "load_model, or set model.recipe to a pipeline that begins with Tokenize"
            )
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            got = "a str: put it into a list" if isinstance(texts, str) else "other things"
            raise TransformError(f"encode takes a list of str, got {got}")
        device = next(self.parameters()).device
        size = next(self.parameters()).new_zeros(0, self.encoder.config.hidden_size)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        training = self.training
        self.eval()
        try:
            parts = []
            for start in range(0, len(order), batch_size):
                batch = [texts[i] for i in order[start : start + batch_size]]
                ready = self.recipe({"text": batch})
                fields = (ready.get(name) for name in FIELDS)
                parts.append(self(*(x if x is None else x.to(device) for x in fields)))
        finally:
            self.train(training)
        vectors = torch.cat(parts) if parts else size
        out = torch.empty_like(vectors)
        out[torch.tensor(order, dtype=torch.int64, device=device)] = vectors
        return out
