"""The layers of T5, with the parameter names of Hugging Face's checkpoints.

Every sublayer is x + f(norm(x)); the norm has no mean and no bias (B. Zhang and R. Sennrich, "Root
mean square layer normalization", 2019), and no projection has a bias either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.functional import dropout, gelu, relu, scaled_dot_product_attention, silu

from domainkit.text.models.relative_positions import position_buckets
from domainkit.text.models.t5_attention import Attend
from domainkit.text.models.t5_cache import LayerCache
from domainkit.text.models.t5_config import T5Config

__all__ = ["T5Stack"]


def _gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    return gelu(x, approximate="tanh")


ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": relu,
    "gelu": gelu,
    "gelu_new": _gelu_tanh,
    "silu": silu,
}


class Norm(nn.Module):
    """Divide by the root of the mean square, which is taken in float32, and scale."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.d_model))
        self.eps = config.layer_norm_epsilon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dtype == torch.float32:
            return nn.functional.rms_norm(x, self.weight.shape, self.weight, self.eps)
        mean = x.float().square().mean(-1, keepdim=True)
        return self.weight * (x * torch.rsqrt(mean + self.eps)).to(self.weight.dtype)


class Attention(nn.Module):
    """Four projections around an ``Attend``; the first layer of a stack holds the bias table."""

    def __init__(self, config: T5Config, *, with_bias: bool) -> None:
        super().__init__()
        width = config.num_heads * config.d_kv
        self.heads, self.rate = config.num_heads, config.dropout_rate
        self.q = nn.Linear(config.d_model, width, bias=False)
        self.k = nn.Linear(config.d_model, width, bias=False)
        self.v = nn.Linear(config.d_model, width, bias=False)
        self.o = nn.Linear(width, config.d_model, bias=False)
        if with_bias:
            buckets = config.relative_attention_num_buckets
            self.relative_attention_bias = nn.Embedding(buckets, config.num_heads)

    def forward(self, x: torch.Tensor, memory: torch.Tensor, attend: Attend) -> torch.Tensor:
        rate = self.rate if self.training else 0.0
        return self.o(attend(self.q(x), self.k(memory), self.v(memory), rate))

    def step(self, x: torch.Tensor, past: LayerCache, bias: torch.Tensor) -> torch.Tensor:
        """One more token per row, x [R, d]; its key and value join the cache."""
        q, k, v = (
            project(x).view(len(x), self.heads, 1, -1) for project in (self.q, self.k, self.v)
        )
        keys, values = past.append(k, v)
        out = scaled_dot_product_attention(q, keys, values, attn_mask=bias, scale=1.0)
        return self.o(out.flatten(1))

    def look(self, x: torch.Tensor, past: LayerCache) -> torch.Tensor:
        """Each row at its source, x [R, d]; the beams of one source are queries of one call."""
        sources = len(past.memory_keys)
        q = self.q(x).view(sources, -1, self.heads, self.q.out_features // self.heads)
        out = scaled_dot_product_attention(
            q.transpose(1, 2),
            past.memory_keys,
            past.memory_values,
            attn_mask=past.memory_mask,
            scale=1.0,
        )
        return self.o(out.transpose(1, 2).reshape(len(x), -1))


class SelfAttentionLayer(nn.Module):
    """Look at one's own sequence."""

    def __init__(self, config: T5Config, *, with_bias: bool) -> None:
        super().__init__()
        self.SelfAttention = Attention(config, with_bias=with_bias)
        self.layer_norm = Norm(config)


class CrossAttentionLayer(nn.Module):
    """Look at the encoder's output."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.EncDecAttention = Attention(config, with_bias=False)
        self.layer_norm = Norm(config)


class Dense(nn.Module):
    """Widen, bend, narrow; gated: one widened half multiplies the other."""

    wi: nn.Linear  # one of them, or
    wi_0: nn.Linear  # these two
    wi_1: nn.Linear

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.rate, self.activation = config.dropout_rate, ACTIVATIONS[config.activation]
        for name in ("wi_0", "wi_1") if config.gated else ("wi",):
            self.add_module(name, nn.Linear(config.d_model, config.d_ff, bias=False))
        self.wo = nn.Linear(config.d_ff, config.d_model, bias=False)
        self.gated = config.gated

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.gated:
            wide = self.activation(self.wi_0(x)) * self.wi_1(x)
        else:
            wide = self.activation(self.wi(x))
        return self.wo(dropout(wide, self.rate, self.training))


class DenseLayer(nn.Module):
    """The feed-forward part of a block."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.DenseReluDense = Dense(config)
        self.layer_norm = Norm(config)


class Block(nn.Module):
    """Self-attention, in a decoder cross-attention, and the feed-forward layer."""

    def __init__(self, config: T5Config, *, decoder: bool, with_bias: bool) -> None:
        super().__init__()
        self.rate = config.dropout_rate
        layers: list[nn.Module] = [SelfAttentionLayer(config, with_bias=with_bias)]
        layers += [CrossAttentionLayer(config)] if decoder else []
        self.layer = nn.ModuleList([*layers, DenseLayer(config)])

    def forward(
        self,
        x: torch.Tensor,
        attend: Attend,
        memory: torch.Tensor | None,
        look: Attend | None,
    ) -> torch.Tensor:
        own: Any = self.layer[0]
        h = own.layer_norm(x)
        x = x + self._drop(own.SelfAttention(h, h, attend))
        if memory is not None:
            cross: Any = self.layer[1]
            x = x + self._drop(cross.EncDecAttention(cross.layer_norm(x), memory, look))
        dense: Any = self.layer[-1]
        return x + self._drop(dense.DenseReluDense(dense.layer_norm(x)))

    def step(self, x: torch.Tensor, past: LayerCache, bias: torch.Tensor) -> torch.Tensor:
        """A decoder's block for one more token per row, x [R, d]."""
        layers: Any = self.layer
        own, cross, dense = layers
        x = x + own.SelfAttention.step(own.layer_norm(x), past, bias)
        x = x + cross.EncDecAttention.look(cross.layer_norm(x), past)
        return x + dense.DenseReluDense(dense.layer_norm(x))

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        return dropout(x, self.rate, self.training)


class T5Stack(nn.Module):
    """The blocks of an encoder or a decoder, on rows that are embedded already.

    Args:
        config: the sizes.
        decoder: whether its blocks look at an encoder's output too, and never ahead.
    """

    def __init__(self, config: T5Config, *, decoder: bool) -> None:
        super().__init__()
        self.config, self.decoder = config, decoder
        count = config.num_decoder_layers if decoder else config.num_layers
        self.block = nn.ModuleList(
            Block(config, decoder=decoder, with_bias=i == 0) for i in range(count or 0)
        )
        self.final_layer_norm = Norm(config)

    def forward(
        self,
        x: torch.Tensor,
        attend: Attend,
        memory: torch.Tensor | None = None,
        look: Attend | None = None,
    ) -> torch.Tensor:
        """Rows [*, d] to rows [*, d]; how they lie is known to ``attend`` and ``look`` only."""
        rate = self.config.dropout_rate
        x = dropout(x, rate, self.training)
        for block in self.block:
            x = block(x, attend, memory, look)
        return dropout(self.final_layer_norm(x), rate, self.training)

    def bias_of(self, distance: torch.Tensor) -> torch.Tensor:
        """The bias of distances (key minus query): float [H, *distance.shape]."""
        bucket = position_buckets(
            distance,
            both_ways=not self.decoder,
            buckets=self.config.relative_attention_num_buckets,
            farthest=self.config.relative_attention_max_distance,
        )
        first: Any = self.block[0]
        table = first.layer[0].SelfAttention.relative_attention_bias.weight
        return table.t()[:, bucket]

    def bias(self, length: int, device: torch.device) -> torch.Tensor:
        """float [1, H, L, L]; in a decoder minus infinity where a query would look ahead."""
        place = torch.arange(length, device=device)
        # a distance has one bias: look it up once per distance, not once per pair
        line = self.bias_of(torch.arange(1 - length, max(length, 1), device=device))
        bias = line[:, (place[None, :] - place[:, None] + length - 1)]
        if self.decoder:
            ahead = torch.ones(length, length, dtype=torch.bool, device=device).triu(1)
            bias = bias.masked_fill(ahead, float("-inf"))
        return bias[None]
