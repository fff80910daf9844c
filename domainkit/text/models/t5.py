"""T5 and FLAN-T5: ``T5Encoder`` (texts to hidden states) and ``T5`` (text to text).

C. Raffel et al., "Exploring the limits of transfer learning with a unified text-to-text
transformer", JMLR 21, 2020; version 1.1 and H. W. Chung et al., "Scaling instruction-finetuned
language models", 2022, for the gated feed-forward layers and the untied head.

A ``Ragged`` batch is never padded on the CPU: projections run on the flat rows, attention sequence
by sequence. Parameters have Hugging Face's names (``t5_names.t5_state_dict`` reads theirs and
torchtext's). Prefer bfloat16 to float16, whose range the hidden states of the large models leave.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, linear

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.models.t5_cache import LayerCache, T5Cache
from domainkit.text.models.t5_config import T5Config
from domainkit.text.models.t5_layers import T5Stack
from domainkit.text.models.t5_rows import FlatRows, chosen, cross_mask, self_mask
from domainkit.text.models.t5_start import initialise

__all__ = ["T5", "T5Encoder"]

Tokens = Ragged | torch.Tensor
IGNORED = -100  # a label that does not count


class T5Encoder(nn.Module):
    """The encoder of T5: a hidden state for each token.

    Input: a ``Ragged`` of items [L_i], int64; or dense int64 [B, L] with ``attention_mask`` [B, L]
    (bool or 0 and 1; None where nothing is padding). Output in the same form: a ``Ragged`` of items
    [L_i, d_model], or dense [B, L, d_model], in which padding holds numbers that mean nothing.
    A text gets the same hidden states in both forms, alone and in any batch, to 1e-5.

    Args:
        config: the sizes; its decoder is left out.
        attention: how a ``Ragged`` is attended to. "grouped": sequence by sequence, those of equal
            length together; "padded": padded inside; "flex": torch's flex attention, compiled;
            "auto": grouped on the CPU, padded elsewhere.

    Raises:
        TransformError: tokens of another dtype or shape, or outside the vocabulary (looked at on
            the CPU only).

    Example:
        >>> import torch
        >>> from domainkit.ragged import Ragged
        >>> from domainkit.text.models.t5_config import T5Config
        >>> config = T5Config(vocab_size=100, d_model=16, d_kv=4, d_ff=32, num_layers=2)
        >>> model = T5Encoder(config).eval()
        >>> model(Ragged.from_list([torch.tensor([5, 7, 1]), torch.tensor([9, 1])]))
        Ragged(B=2, items=[2..3, 16], dtype=float32, device=cpu)
        >>> model(torch.tensor([[5, 7, 1]])).shape
        torch.Size([1, 3, 16])
    """

    def __init__(self, config: T5Config, *, attention: str = "auto") -> None:
        super().__init__()
        chosen(attention, torch.device("cpu"))
        self.config, self.attention = config, attention
        self.shared = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = T5Stack(config, decoder=False)
        initialise(self, config)

    def forward(self, tokens: Tokens, attention_mask: torch.Tensor | None = None) -> Any:
        return self.encode(tokens, attention_mask)

    def encode(self, tokens: Tokens, attention_mask: torch.Tensor | None = None) -> Any:
        """The encoder's hidden states, in the form of ``tokens``."""
        mask = _checked(tokens, attention_mask, self.config)
        if isinstance(tokens, torch.Tensor):
            x = self.shared(tokens)
            return self.encoder(x, self_mask(self.encoder, tokens.shape, mask))
        how = chosen(self.attention, tokens.device)
        if how == "padded":
            dense, mask = _padded(tokens, self.config.pad_token_id)
            return _unpadded(self.encode(dense, mask), mask, tokens)
        rows = FlatRows(tokens.host_shapes)
        x = self.shared(rows.take(tokens))
        attend = rows.self_attend(self.encoder, tokens.device, how)
        return rows.undo(self.encoder(x, attend), tokens)


class T5(T5Encoder):
    """T5 as a whole: what a text should become, as logits for each next token.

    Input: ``tokens`` as in ``T5Encoder``, and ``decoder_tokens`` in the same form: items [M_i] or
    [B, M], the text so far, beginning with the start token (``shift_right`` makes them of labels).
    Output in the same form: logits, items [M_i, vocab_size] or [B, M, vocab_size]; where the config
    says ``lm_head=False`` the decoder's hidden states, [*, d_model].

    ``generate`` writes texts with it. Drop-out acts while training: call ``eval()`` first.

    Args:
        config: the sizes.
        attention: as in ``T5Encoder``.

    Raises:
        TransformError: as in ``T5Encoder``; or the two inputs are of different forms or sizes.

    Example:
        >>> import torch
        >>> from domainkit.ragged import Ragged
        >>> from domainkit.text.models.t5_config import T5Config
        >>> config = T5Config(vocab_size=100, d_model=16, d_kv=4, d_ff=32, num_layers=2)
        >>> model = T5(config).eval()
        >>> texts = Ragged.from_list([torch.tensor([5, 7, 1]), torch.tensor([9, 1])])
        >>> answers = Ragged.from_list([torch.tensor([8, 1]), torch.tensor([4, 4, 1])])
        >>> model(texts, model.shift_right(answers))
        Ragged(B=2, items=[2..3, 100], dtype=float32, device=cpu)
        >>> model.loss(texts, answers).shape
        torch.Size([])
    """

    def __init__(self, config: T5Config, *, attention: str = "auto") -> None:
        super().__init__(config, attention=attention)
        self.decoder = T5Stack(config, decoder=True)
        self.lm_head: nn.Linear | None = None
        if config.lm_head and not config.tie_word_embeddings:
            self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        initialise(self, config)

    @property
    def eos_id(self) -> int:
        return self.config.eos_token_id

    @property
    def start_id(self) -> int:
        return self.config.decoder_start_token_id

    def forward(  # type: ignore[override]  # an encoder with a decoder takes two inputs
        self,
        tokens: Tokens,
        decoder_tokens: Tokens,
        attention_mask: torch.Tensor | None = None,
        decoder_attention_mask: torch.Tensor | None = None,
    ) -> Any:
        memory = self.encode(tokens, attention_mask)
        return self.decode(memory, decoder_tokens, attention_mask, decoder_attention_mask)

    def decode(
        self,
        memory: Tokens,
        decoder_tokens: Tokens,
        attention_mask: torch.Tensor | None = None,
        decoder_attention_mask: torch.Tensor | None = None,
    ) -> Any:
        """Logits from what ``encode`` gave; the masks are those of dense inputs."""
        if type(memory) is not type(decoder_tokens) or len(memory) != len(decoder_tokens):
            raise TransformError(
                "T5 takes tokens and decoder_tokens of one form and for as many texts, got "
                f"{_named(memory)} and {_named(decoder_tokens)}"
            )
        mask = _checked(decoder_tokens, decoder_attention_mask, self.config)
        if isinstance(memory, Ragged) and isinstance(decoder_tokens, Ragged):
            return self._decode_ragged(memory, decoder_tokens)
        look = cross_mask(self.decoder, _as_bool(attention_mask))
        attend = self_mask(self.decoder, decoder_tokens.shape, mask)  # type: ignore[union-attr]
        return self._head(self.decoder(self.shared(decoder_tokens), attend, memory, look))

    def _decode_ragged(self, memory: Ragged, decoder_tokens: Ragged) -> Ragged:
        how, device = chosen(self.attention, memory.device), memory.device
        if how == "padded":
            dense, mask = _padded(decoder_tokens, self.config.pad_token_id)
            source, source_mask = _padded(memory, 0)
            return _unpadded(self.decode(source, dense, source_mask, mask), mask, decoder_tokens)
        rows = FlatRows(np.hstack([decoder_tokens.host_shapes, memory.host_shapes]))
        attend = rows.self_attend(self.decoder, device, how)
        look = rows.cross_attend(self.decoder, device, how)
        x = self.shared(rows.take(decoder_tokens))
        hidden = self.decoder(x, attend, rows.take(memory), look)
        return rows.undo(self._head(hidden), decoder_tokens)

    def shift_right(self, labels: Tokens) -> Any:
        """Decoder tokens for labels: the start token, then all but the last label of each text.

        Labels of -100, which count in no loss, become padding.
        """
        if isinstance(labels, torch.Tensor):
            flat = labels.roll(1, 1)
            flat[:, :1] = self.start_id
        else:
            flat = labels.values.roll(1, 0)
            # an empty text at the end would begin behind the last value
            begins = labels.host_offsets[:-1][labels.host_shapes[:, 0] > 0]
            flat[torch.from_numpy(begins).to(flat.device)] = self.start_id
        flat.masked_fill_(flat == IGNORED, self.config.pad_token_id)
        return labels.with_values(flat) if isinstance(labels, Ragged) else flat

    def loss(
        self, tokens: Tokens, labels: Tokens, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The mean cross entropy of the labels, float []; labels of -100 do not count."""
        logits = self(tokens, self.shift_right(labels), attention_mask)
        if isinstance(labels, Ragged):
            return cross_entropy(logits.values, labels.values, ignore_index=IGNORED)
        return cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)

    def _head(self, hidden: torch.Tensor) -> torch.Tensor:
        if not self.config.lm_head:
            return hidden
        if self.lm_head is not None:
            return self.lm_head(hidden)
        return linear(hidden * self.config.d_model**-0.5, self.shared.weight)

    # -- generation: what `generate` asks of a model --------------------------

    def begin(self, tokens: Ragged, *, start_id: int, beams: int) -> tuple[torch.Tensor, T5Cache]:
        """Encode the sources and take the start token: logits [B * beams, V] and the state."""
        if not self.config.lm_head:
            raise TransformError("this T5 has no head that gives logits: lm_head=False")
        cache = self._cache(self.encode(tokens), beams)
        start = torch.full((len(tokens) * beams,), start_id, device=tokens.device)
        return self.step(start, cache), cache

    def step(self, ids: torch.Tensor, state: T5Cache) -> torch.Tensor:
        """One more token for each row, int64 [R]: the logits of the next, [R, V]."""
        x = self.shared(ids)
        bias = state.bias(self.decoder)
        blocks: Any = self.decoder.block
        for block, past in zip(blocks, state.layers, strict=True):
            x = block.step(x, past, bias)
        return self._head(self.decoder.final_layer_norm(x))

    def _cache(self, memory: Ragged, beams: int) -> T5Cache:
        lengths = torch.from_numpy(memory.host_shapes[:, 0].copy())
        longest = max(int(lengths.max()), 1)  # attention over no keys at all is undefined
        mask = None
        if not bool((lengths == longest).all()):
            place = torch.arange(longest, device=memory.device)
            mask = (place < memory.lengths[:, None])[:, None, None, :]
        layers = []
        blocks: Any = self.decoder.block
        for block in blocks:
            cross = block.layer[1].EncDecAttention
            keys, values = (
                memory.with_values(project(memory.values))
                .pad(size=longest)[0]
                .unflatten(-1, (self.config.num_heads, -1))
                .transpose(1, 2)
                .contiguous()
                for project in (cross.k, cross.v)
            )
            layers.append(LayerCache(keys, values, mask))
        return T5Cache(layers, lengths, beams)


def _as_bool(mask: torch.Tensor | None) -> torch.Tensor | None:
    return None if mask is None else mask.bool()


def _named(x: Any) -> str:
    return f"a tensor {list(x.shape)}" if isinstance(x, torch.Tensor) else repr(x)


def _checked(tokens: Tokens, mask: torch.Tensor | None, config: T5Config) -> torch.Tensor | None:
    """The mask as bool, if tokens and mask are what the model takes."""
    ragged = isinstance(tokens, Ragged)
    dims = tokens.item_ndim + 1 if isinstance(tokens, Ragged) else getattr(tokens, "ndim", 0)
    if dims != 2 or tokens.dtype != torch.int64:
        kind = getattr(tokens, "dtype", type(tokens).__name__)
        raise TransformError(
            "T5 takes int64 tokens, a Ragged of items [L_i] or dense [B, L], got "
            f"{_named(tokens)} of {kind}"
        )
    if mask is not None and (ragged or mask.shape != tokens.shape):  # type: ignore[union-attr]
        raise TransformError(
            "attention_mask goes with dense tokens of its shape; a Ragged needs none. Got a mask "
            f"{list(mask.shape)} with {_named(tokens)}"
        )
    ids = tokens.values if isinstance(tokens, Ragged) else tokens
    if ids.device.type == "cpu" and ids.numel():
        low, high = (int(x) for x in torch.aminmax(ids))
        if low < 0 or high >= config.vocab_size:
            raise TransformError(
                f"this T5 knows ids 0..{config.vocab_size - 1}, got {low}..{high}: is it another "
                "tokenizer's?"
            )
    return _as_bool(mask)


def _padded(batch: Ragged, value: int) -> tuple[torch.Tensor, torch.Tensor]:
    dense, lengths = batch.pad(value)
    return dense, torch.arange(dense.shape[1], device=dense.device) < lengths[:, None]


def _unpadded(dense: torch.Tensor, mask: torch.Tensor | None, like: Ragged) -> Ragged:
    assert mask is not None
    return like.with_values(dense[mask])
