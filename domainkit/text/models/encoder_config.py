"""``EncoderConfig``: the sizes and kinds of a BERT-like encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domainkit.errors import DomainkitError

__all__ = ["EncoderConfig"]

# what Hugging Face's config.json calls our fields, where a family has names of its own
NAMES = {
    "hidden_size": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "intermediate_size": "intermediate_size",
    "max_positions": "max_position_embeddings",
    "type_vocab_size": "type_vocab_size",
    "activation": "hidden_act",
    "norm_eps": "layer_norm_eps",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
}
DISTILBERT = {
    "hidden_size": "dim",
    "num_layers": "n_layers",
    "num_heads": "n_heads",
    "intermediate_size": "hidden_dim",
    "max_positions": "max_position_embeddings",
    "activation": "activation",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
}
FAMILIES = ("bert", "distilbert", "mpnet", "roberta", "xlm-roberta")
OFFSET = ("mpnet", "roberta", "xlm-roberta")  # positions begin behind the id of padding


@dataclass(frozen=True)
class EncoderConfig:
    """What an ``Encoder`` is made of; the defaults are those of bert-base-uncased.

    Attributes:
        vocab_size: token ids.
        hidden_size: numbers of a token's state, a multiple of ``num_heads``.
        num_layers, num_heads, intermediate_size: of the transformer.
        max_positions: rows of the position table; sequences have at most
            ``max_positions - position_offset`` tokens.
        type_vocab_size: kinds of segment; 0 where the family knows none.
        position_offset: the row of a sequence's first token (RoBERTa, XLM-R and MPNet leave the
            first ones to padding).
        activation: "gelu", "gelu_new" or "relu".
        norm_eps: of all layer norms.
        dropout, attention_dropout: while training.
        pad_id: the id of padding; its embedding gets no gradient.
        relative_buckets: rows of MPNet's table of relative positions; 0 for none.

    Example:
        >>> EncoderConfig.from_dict({"model_type": "roberta", "vocab_size": 50265,
        ...                          "pad_token_id": 1}).position_offset
        2
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_layers: int = 12
    num_heads: int = 12
    intermediate_size: int = 3072
    max_positions: int = 512
    type_vocab_size: int = 2
    position_offset: int = 0
    activation: str = "gelu"
    norm_eps: float = 1e-12
    dropout: float = 0.1
    attention_dropout: float = 0.1
    pad_id: int = 0
    relative_buckets: int = 0

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_heads:
            raise DomainkitError(
                f"hidden_size must be a multiple of num_heads, got {self.hidden_size} and "
                f"{self.num_heads}"
            )
        if self.activation not in ("gelu", "gelu_new", "relu"):
            raise DomainkitError(
                f"activation must be gelu, gelu_new or relu, got {self.activation!r}"
            )

    @property
    def max_length(self) -> int:
        """Tokens of the longest sequence."""
        return self.max_positions - self.position_offset

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> EncoderConfig:
        """From the contents of Hugging Face's ``config.json``.

        Raises:
            DomainkitError: a family that is no such encoder, or a variant that ours is not.
        """
        family = config.get("model_type")
        if family not in FAMILIES:
            raise DomainkitError(
                f"config.json is of {family!r}; encoders are {', '.join(FAMILIES)}"
            )
        positions = config.get("position_embedding_type") or "absolute"
        if (
            positions != "absolute"
            or config.get("is_decoder")
            or config.get("sinusoidal_pos_embds")
        ):
            raise DomainkitError(
                f"this {family} has {positions} positions or is a decoder; ours are encoders with "
                "learned absolute positions"
            )
        names = DISTILBERT if family == "distilbert" else NAMES
        given = {ours: config[theirs] for ours, theirs in names.items() if theirs in config}
        pad = config.get("pad_token_id")
        pad = (1 if family in OFFSET else 0) if pad is None else pad
        special = {
            "distilbert": {"type_vocab_size": 0},
            "mpnet": {
                "type_vocab_size": 0,
                "relative_buckets": config.get("relative_attention_num_buckets", 32),
            },
        }
        defaults = {"norm_eps": 1e-12, "type_vocab_size": 2, "vocab_size": 30522}
        return cls(
            **{
                **defaults,
                **given,
                **({"vocab_size": config["vocab_size"]} if "vocab_size" in config else {}),
                **special.get(str(family), {}),
                "pad_id": pad,
                "position_offset": pad + 1 if family in OFFSET else 0,
            }
        )
