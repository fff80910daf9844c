"""``build``: what the cards of ``encoders.toml`` call to make a model with its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from domainkit.errors import DomainkitError
from domainkit.text.models.encoder import Encoder
from domainkit.text.models.encoder_config import EncoderConfig
from domainkit.text.models.encoder_names import encoder_state
from domainkit.text.models.sentence_encoder import SentenceEncoder

__all__ = ["build"]


def build(
    *,
    config: Mapping[str, Any],
    pooling: str | None = None,
    normalize: bool = True,
    weights: str | None = None,
    state_dict: Mapping[str, torch.Tensor] | None = None,
) -> Encoder | SentenceEncoder:
    """An encoder, or with ``pooling`` a sentence encoder.

    Args:
        config: the arguments of ``EncoderConfig``.
        pooling, normalize: of ``SentenceEncoder``.
        weights: what the weights are called.
        state_dict: a published checkpoint, under its own names; None for an untrained model.

    Raises:
        DomainkitError: the checkpoint has not the weights of this configuration.

    Example:
        >>> sizes = {"vocab_size": 9, "hidden_size": 4, "num_layers": 1, "num_heads": 1,
        ...          "intermediate_size": 8}
        >>> type(build(config=sizes, pooling="mean")).__name__
        'SentenceEncoder'
    """
    sizes = EncoderConfig(**config)
    whole = None if pooling is None else SentenceEncoder(sizes, pooling, normalize)
    encoder = Encoder(sizes) if whole is None else whole.encoder
    if state_dict is not None:
        _load(encoder, state_dict, weights)
    return encoder if whole is None else whole


def _load(encoder: Encoder, published: Mapping[str, torch.Tensor], name: str | None) -> None:
    state = encoder_state(published)
    try:
        encoder.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2]
        raise DomainkitError(
            f"the weights {name} do not fit this encoder: {' '.join(first).strip()}"
        ) from error
