"""The random weights that a T5 starts from."""

from __future__ import annotations

import torch
from torch import nn

from domainkit.text.models.t5_config import T5Config

__all__ = ["initialise"]


def initialise(model: nn.Module, config: T5Config) -> None:
    """Draw every weight as T5's authors did (Mesh TensorFlow): normal, by the width it sums over.

    Queries are smaller by the root of ``d_kv`` as well, which stands in for the division by it that
    T5's attention leaves out.
    """
    d, inner = config.d_model, config.num_heads * config.d_kv
    deviations = {
        "shared": 1.0,
        "lm_head": 1.0,
        "q": (d * config.d_kv) ** -0.5,
        "k": d**-0.5,
        "v": d**-0.5,
        "o": inner**-0.5,
        "relative_attention_bias": d**-0.5,
        "wi": d**-0.5,
        "wi_0": d**-0.5,
        "wi_1": d**-0.5,
        "wo": config.d_ff**-0.5,
    }
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            owner = name.split(".")[-2]
            if owner in deviations:
                parameter.normal_(0.0, deviations[owner])
