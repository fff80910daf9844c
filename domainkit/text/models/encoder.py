"""``Encoder``: BERT, RoBERTa, XLM-R, DistilBERT, MiniLM and MPNet, written once.

Sources of the method: Devlin et al. (arXiv:1810.04805), Liu et al. (arXiv:1907.11692), Conneau et
al. (arXiv:1911.02116), Sanh et al. (arXiv:1910.01108), Wang et al. (arXiv:2002.10957), Song et al.
(arXiv:2004.09297). They differ in sizes, in where positions begin, in whether segments are told
apart, and MPNet adds a bias by distance: ``EncoderConfig`` says which.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn.functional import gelu, relu

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.models.attention import Bias, Lengths, dense_attention, ragged_attention
from domainkit.text.models.encoder_config import EncoderConfig
from domainkit.text.models.relative_positions import relative_buckets

__all__ = ["Encoder", "EncoderLayer", "activation", "same_form"]

Attend = Callable[[torch.Tensor], torch.Tensor]


class Encoder(nn.Module):
    """Tokens to a state for each, by transformer layers that look both ways.

    Input: a ``Ragged`` of items [L_i], int64, or dense int64 [B, L] with ``attention_mask``, bool
    or 0/1 [B, L], where there is padding on either side. Output: the last layer's states in the
    same form, ``Ragged`` items [L_i, hidden_size] or [B, L, hidden_size]. A sequence gets the same
    states alone, in any batch and in either form, to 1e-5. For ``Ragged`` input no padding is
    computed.

    Args:
        config: sizes and kinds.

    Raises:
        TransformError: another dtype or shape, a sequence longer than the position table, or, on a
            CPU, an id outside the vocabulary.

    Example:
        >>> config = EncoderConfig(vocab_size=100, hidden_size=16, num_layers=2, num_heads=2,
        ...                        intermediate_size=32)
        >>> encoder = Encoder(config).eval()
        >>> tokens = Ragged.from_list([torch.tensor([5, 6, 7]), torch.tensor([8])])
        >>> encoder(tokens)
        Ragged(B=2, items=[1..3, 16], dtype=float32, device=cpu)
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_layers))
        self.relative_bias: nn.Embedding | None = None
        if config.relative_buckets:
            self.relative_bias = nn.Embedding(config.relative_buckets, config.num_heads)
        self.apply(_initialised)

    def forward(
        self,
        tokens: Ragged | torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: Ragged | torch.Tensor | None = None,
    ) -> Ragged | torch.Tensor:
        mask = self._checked(tokens, attention_mask, token_type_ids)
        bias = self._bias if self.relative_bias is not None else None
        flat = tokens.values if isinstance(tokens, Ragged) else tokens
        types = token_type_ids.values if isinstance(token_type_ids, Ragged) else token_type_ids
        states = self.embeddings(flat, self._positions(tokens, mask), types)
        lengths = Lengths(tokens) if isinstance(tokens, Ragged) else None
        layers: list[EncoderLayer] = list(self.layers)  # type: ignore[arg-type]
        for layer in layers:
            states = layer(states, lengths if lengths is not None else mask, bias)
        return tokens.with_values(states) if isinstance(tokens, Ragged) else states

    def _positions(self, tokens: Ragged | torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Each token's place in its sequence, counted from the offset; padding has the first."""
        offset = self.config.position_offset
        if isinstance(tokens, Ragged):
            first = torch.repeat_interleave(
                tokens.offsets[:-1], tokens.lengths, output_size=len(tokens.values)
            )
            return torch.arange(len(tokens.values), device=tokens.device) - first + offset
        if mask is None:
            place = torch.arange(tokens.shape[1], device=tokens.device) + offset
            return place.expand(tokens.shape)
        return (mask.cumsum(1) - 1).clamp(min=0) + offset

    def _bias(self, length: int) -> torch.Tensor:
        assert self.relative_bias is not None
        table = self.relative_bias.weight
        buckets = relative_buckets(length, len(table), device=table.device)
        return table[buckets].permute(2, 0, 1)[None]

    def _checked(
        self,
        tokens: Ragged | torch.Tensor,
        mask: torch.Tensor | None,
        types: Ragged | torch.Tensor | None,
    ) -> torch.Tensor | None:
        """The mask as bool; TransformError for what is no batch of tokens."""
        ragged = isinstance(tokens, Ragged)
        ndim = tokens.item_ndim + 1 if isinstance(tokens, Ragged) else getattr(tokens, "ndim", 0)
        if ndim != 2 or tokens.dtype != torch.int64:
            got = repr(tokens) if ragged else f"{getattr(tokens, 'dtype', '')} {tokens!r:.60}"
            raise TransformError(
                f"Encoder takes int64 tokens, a Ragged of items [L_i] or dense [B, L]; got {got}"
            )
        if types is not None and not same_form(types, tokens):
            raise TransformError("token_type_ids must have the form and sizes of the tokens")
        real = self._real(tokens, mask)
        self._check_ids(tokens)
        if isinstance(tokens, Ragged):
            longest = int(tokens.host_shapes.max(initial=0))
        elif real is None or tokens.shape[1] <= self.config.max_length:
            longest = tokens.shape[1]
        else:  # only then is it worth to wait for the device
            longest = int(real.sum(1).max())
        if longest > self.config.max_length:
            raise TransformError(
                f"a sequence has {longest} tokens, this encoder takes at most "
                f"{self.config.max_length}: put Truncate({self.config.max_length}) before it"
            )
        return real

    @staticmethod
    def _real(tokens: Ragged | torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor | None:
        if mask is None:
            return None
        if isinstance(tokens, Ragged):
            raise TransformError("Ragged tokens have no padding: leave attention_mask out")
        if mask.shape != tokens.shape:
            raise TransformError(
                f"attention_mask must be [B, L] as the tokens, got {list(mask.shape)} for "
                f"{list(tokens.shape)}"
            )
        return mask.to(torch.bool)

    def _check_ids(self, tokens: Ragged | torch.Tensor) -> None:
        """On a CPU, where it costs nothing; elsewhere the device says so itself."""
        ids = tokens.values if isinstance(tokens, Ragged) else tokens
        if ids.device.type != "cpu" or not ids.numel() or torch.compiler.is_compiling():
            return
        low, high = (int(x) for x in ids.aminmax())
        if low < 0 or high >= self.config.vocab_size:
            raise TransformError(
                f"this encoder knows ids 0..{self.config.vocab_size - 1}, got {low}..{high}: is it "
                "another tokenizer's, or are these labels?"
            )


class _Embeddings(nn.Module):
    """What a token is, where it stands and which segment it is in, added up and normalised."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_id)
        self.positions = nn.Embedding(config.max_positions, config.hidden_size)
        self.types: nn.Embedding | None = None
        if config.type_vocab_size:
            self.types = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, types: torch.Tensor | None
    ) -> torch.Tensor:
        states = self.tokens(ids) + self.positions(positions)
        if self.types is not None:
            states = states + (self.types.weight[0] if types is None else self.types(types))
        normed: torch.Tensor = self.dropout(self.norm(states))
        return normed


class EncoderLayer(nn.Module):
    """Attention and a feed-forward network, each added to its input and then normalised.

    Example:
        >>> layer = EncoderLayer(EncoderConfig(hidden_size=8, num_heads=2, intermediate_size=16))
        >>> layer(torch.rand(2, 5, 8), None, None).shape
        torch.Size([2, 5, 8])
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads, self.attention_dropout = config.num_heads, config.attention_dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=config.norm_eps)
        self.up = nn.Linear(width, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, width)
        self.output_norm = nn.LayerNorm(width, eps=config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)
        self.activation = config.activation

    def forward(
        self, states: torch.Tensor, how: Lengths | torch.Tensor | None, bias: Bias | None
    ) -> torch.Tensor:
        """States [N, d] with the ``Lengths`` of the batch, or [B, L, d] with a mask or None."""
        qkv = self.qkv(states).unflatten(-1, (3, -1))
        dropout = self.attention_dropout if self.training else 0.0
        if isinstance(how, Lengths):
            mixed = ragged_attention(qkv, how, heads=self.heads, dropout=dropout, bias=bias)
        else:
            mixed = dense_attention(qkv, how, heads=self.heads, dropout=dropout, bias=bias)
        states = self.attention_norm(states + self.dropout(self.attention_out(mixed)))
        fed = self.down(activation(self.activation, self.up(states)))
        out: torch.Tensor = self.output_norm(states + self.dropout(fed))
        return out


def same_form(x: Ragged | torch.Tensor, tokens: Ragged | torch.Tensor) -> bool:
    """Whether both are ``Ragged`` with the same lengths, or dense with the same shape.

    Example:
        >>> same_form(torch.zeros(2, 3), torch.zeros(2, 3)), same_form(torch.zeros(2), None)
        (True, False)
    """
    if isinstance(x, Ragged) and isinstance(tokens, Ragged):
        return np.array_equal(x.host_offsets, tokens.host_offsets)
    if isinstance(x, torch.Tensor) and isinstance(tokens, torch.Tensor):
        return x.shape == tokens.shape
    return False


def activation(name: str, x: torch.Tensor) -> torch.Tensor:
    """GELU (exact), its tanh form of the first papers, or ReLU.

    Example:
        >>> activation("relu", torch.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    if name == "relu":
        return relu(x)
    return gelu(x, approximate="tanh" if name == "gelu_new" else "none")


def _initialised(module: nn.Module) -> None:
    """As BERT: normal with deviation .02, biases 0."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()
