"""Build a T5 of the zoo, with the tensors of a checkpoint put in place of random ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from domainkit.text.models.t5 import T5, T5Encoder
from domainkit.text.models.t5_config import T5Config
from domainkit.text.models.t5_names import t5_state_dict

__all__ = ["build"]


def build(
    *,
    encoder_only: bool = False,
    attention: str = "auto",
    weights: str | None = None,
    state_dict: Mapping[str, torch.Tensor] | None = None,
    **config: Any,
) -> T5Encoder:
    """A ``T5`` or ``T5Encoder``, untrained or with the given tensors.

    Args:
        encoder_only: leave out the decoder, also of a checkpoint that has one.
        attention: as in ``T5Encoder``.
        weights: the name of the weights, which changes nothing: Hugging Face's and torchtext's
            files are told apart by their names of parameters.
        state_dict: the tensors, which become the parameters without a copy, so that a large model
            is in memory once.
        config: fields of ``T5Config``; what else a config.json says is passed over.

    Raises:
        TransformError: the config makes no T5.
        DecodeError: the tensors are no T5's.
        RuntimeError: they are those of a T5 of another shape.

    Example:
        >>> build(encoder_only=True, vocab_size=9, d_model=8, d_ff=8, num_layers=1).config.d_model
        8
    """
    del weights
    make = T5Encoder if encoder_only else T5
    sizes = T5Config.from_dict(config)
    if state_dict is None:
        return make(sizes, attention=attention)
    with torch.device("meta"):  # shapes only
        model = make(sizes, attention=attention)
    model.load_state_dict(t5_state_dict(state_dict, model), assign=True)
    return model
