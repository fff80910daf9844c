"""``T5Config``: the sizes and choices that make one T5 out of many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from domainkit.errors import TransformError, nearest

__all__ = ["T5Config"]

# T5 and mT5 are one architecture; umT5 has a position bias in every layer, LongT5 other attention
MODEL_TYPES = ("mt5", "t5")
ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu")


@dataclass(frozen=True)
class T5Config:
    """The shape of a T5 (C. Raffel et al., JMLR 21, 2020), under the names of its config.json.

    The defaults are those of t5-small. Version 1.1 and FLAN-T5 differ by
    ``feed_forward_proj="gated-gelu"`` (N. Shazeer, "GLU variants improve Transformer", 2020) and
    ``tie_word_embeddings=False``.

    Args:
        vocab_size: rows of the embedding, which may be more than the tokenizer has ids.
        d_model: width of the hidden states.
        d_kv: width of one head; ``num_heads * d_kv`` need not be ``d_model``.
        d_ff: width inside the feed-forward layers.
        num_layers: layers of the encoder.
        num_decoder_layers: layers of the decoder; None for as many as the encoder.
        num_heads: attention heads.
        relative_attention_num_buckets: how many distances have a bias of their own.
        relative_attention_max_distance: tokens; all that is farther shares the last bucket.
        dropout_rate: in [0, 1), while training.
        layer_norm_epsilon: under the root of every norm.
        feed_forward_proj: "relu", "gelu", "silu", or "gated-" and one of these.
        tie_word_embeddings: whether the logits are products with the (scaled) embedding; else the
            head has weights of its own and nothing is scaled.
        lm_head: False for a decoder that gives its last hidden states instead of logits.
        pad_token_id, eos_token_id, decoder_start_token_id: ids of the vocabulary.

    Raises:
        TransformError: a size below 1, an unknown activation, a rate outside [0, 1).

    Example:
        >>> config = T5Config.from_dict({"d_model": 64, "num_layers": 2, "model_type": "t5"})
        >>> config.d_model, config.num_decoder_layers, config.gated
        (64, 2, False)
    """

    vocab_size: int = 32128
    d_model: int = 512
    d_kv: int = 64
    d_ff: int = 2048
    num_layers: int = 6
    num_decoder_layers: int | None = None
    num_heads: int = 8
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    dropout_rate: float = 0.1
    layer_norm_epsilon: float = 1e-6
    feed_forward_proj: str = "relu"
    tie_word_embeddings: bool = True
    lm_head: bool = True
    pad_token_id: int = 0
    eos_token_id: int = 1
    decoder_start_token_id: int = 0

    def __post_init__(self) -> None:
        if self.num_decoder_layers is None:
            object.__setattr__(self, "num_decoder_layers", self.num_layers)
        for name in ("vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads"):
            if getattr(self, name) < 1:
                raise TransformError(
                    f"T5Config: {name} must be 1 or more, got {getattr(self, name)}"
                )
        buckets, farthest = (
            self.relative_attention_num_buckets,
            self.relative_attention_max_distance,
        )
        if buckets < 4 or farthest <= buckets // 2:
            raise TransformError(
                "T5Config: needs relative_attention_num_buckets >= 4 and a "
                f"relative_attention_max_distance above half of them, got {buckets} and {farthest}"
            )
        if not 0 <= self.dropout_rate < 1:
            raise TransformError(
                f"T5Config: dropout_rate must be in [0, 1), got {self.dropout_rate}"
            )
        if self.feed_forward_proj.removeprefix("gated-") not in ACTIVATIONS:
            raise TransformError(
                f"T5Config: feed_forward_proj={self.feed_forward_proj!r} is unknown. "
                f"{nearest(self.feed_forward_proj.removeprefix('gated-'), ACTIVATIONS)} Each of "
                "them may follow 'gated-'"
            )

    @property
    def gated(self) -> bool:
        """Whether the feed-forward layers multiply by a second, linear projection."""
        return self.feed_forward_proj.startswith("gated-")

    @property
    def activation(self) -> str:
        """Which function the feed-forward layers use: one of "gelu", "gelu_new", "relu", "silu"."""
        # "gated-gelu" was written into configs before they told the two gelus apart; the models
        # were trained with the approximation by tanh
        name = self.feed_forward_proj.removeprefix("gated-")
        return "gelu_new" if self.feed_forward_proj == "gated-gelu" else name

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> T5Config:
        """Read what Hugging Face's config.json says; keys that change nothing here are passed over.

        Raises:
            TransformError: it is another model's config.

        Example:
            >>> T5Config.from_dict({"model_type": "bert"})
            Traceback (most recent call last):
            domainkit.errors.TransformError: T5Config reads the config of t5 or mt5, got 'bert'
        """
        kind = config.get("model_type", "t5")
        if kind not in MODEL_TYPES:
            raise TransformError(f"T5Config reads the config of t5 or mt5, got {kind!r}")
        known = {field.name for field in fields(cls)}
        found = {key: config[key] for key in known & config.keys() if config[key] is not None}
        if isinstance(found.get("eos_token_id"), (list, tuple)):
            found["eos_token_id"] = found["eos_token_id"][0]
        if "scale_decoder_outputs" in config:
            # transformers 5 writes "tied" into every config and keeps apart what it used to mean
            found["tie_word_embeddings"] = bool(config["scale_decoder_outputs"])
        if kind == "mt5":  # what its configs leave unsaid
            found = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, **found}
        return cls(**found)
