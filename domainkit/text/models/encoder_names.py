"""``encoder_state``: the weights of a published checkpoint under the names of ``Encoder``.

Known are the names of Hugging Face's BERT, RoBERTa, XLM-R, DistilBERT and MPNet, of torchtext's
RoBERTa and XLM-R bundles and of fairseq's RoBERTa and XLM-R.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

from domainkit.errors import DomainkitError

__all__ = ["encoder_state"]

# a place in a checkpoint -> ours; "#" is a layer's number
HUGGING_FACE = {
    "embeddings.word_embeddings": "embeddings.tokens",
    "embeddings.position_embeddings": "embeddings.positions",
    "embeddings.token_type_embeddings": "embeddings.types",
    "embeddings.LayerNorm": "embeddings.norm",
    "encoder.layer.#.attention.self.query": "layers.#.q",
    "encoder.layer.#.attention.self.key": "layers.#.k",
    "encoder.layer.#.attention.self.value": "layers.#.v",
    "encoder.layer.#.attention.output.dense": "layers.#.attention_out",
    "encoder.layer.#.attention.output.LayerNorm": "layers.#.attention_norm",
    # MPNet
    "encoder.layer.#.attention.attn.q": "layers.#.q",
    "encoder.layer.#.attention.attn.k": "layers.#.k",
    "encoder.layer.#.attention.attn.v": "layers.#.v",
    "encoder.layer.#.attention.attn.o": "layers.#.attention_out",
    "encoder.layer.#.attention.LayerNorm": "layers.#.attention_norm",
    "encoder.relative_attention_bias": "relative_bias",
    "encoder.layer.#.intermediate.dense": "layers.#.up",
    "encoder.layer.#.output.dense": "layers.#.down",
    "encoder.layer.#.output.LayerNorm": "layers.#.output_norm",
    # DistilBERT
    "transformer.layer.#.attention.q_lin": "layers.#.q",
    "transformer.layer.#.attention.k_lin": "layers.#.k",
    "transformer.layer.#.attention.v_lin": "layers.#.v",
    "transformer.layer.#.attention.out_lin": "layers.#.attention_out",
    "transformer.layer.#.sa_layer_norm": "layers.#.attention_norm",
    "transformer.layer.#.ffn.lin1": "layers.#.up",
    "transformer.layer.#.ffn.lin2": "layers.#.down",
    "transformer.layer.#.output_layer_norm": "layers.#.output_norm",
}
TORCHTEXT = {
    "encoder.transformer.token_embedding": "embeddings.tokens",
    "encoder.transformer.positional_embedding.embedding": "embeddings.positions",
    "encoder.transformer.embedding_layer_norm": "embeddings.norm",
    "encoder.transformer.layers.layers.#.self_attn.in_proj": "layers.#.qkv",
    "encoder.transformer.layers.layers.#.self_attn.out_proj": "layers.#.attention_out",
    "encoder.transformer.layers.layers.#.norm1": "layers.#.attention_norm",
    "encoder.transformer.layers.layers.#.linear1": "layers.#.up",
    "encoder.transformer.layers.layers.#.linear2": "layers.#.down",
    "encoder.transformer.layers.layers.#.norm2": "layers.#.output_norm",
    # the names in the bundles' files, which are older than its modules
    "encoder.transformer.layers.#.attention.input_projection": "layers.#.qkv",
    "encoder.transformer.layers.#.attention.output_projection": "layers.#.attention_out",
    "encoder.transformer.layers.#.attention_layer_norm": "layers.#.attention_norm",
    "encoder.transformer.layers.#.residual_mlp.mlp.0": "layers.#.up",
    "encoder.transformer.layers.#.residual_mlp.mlp.3": "layers.#.down",
    "encoder.transformer.layers.#.final_layer_norm": "layers.#.output_norm",
}
FAIRSEQ = {
    "sentence_encoder.embed_tokens": "embeddings.tokens",
    "sentence_encoder.embed_positions": "embeddings.positions",
    "sentence_encoder.emb_layer_norm": "embeddings.norm",
    "sentence_encoder.layernorm_embedding": "embeddings.norm",
    "sentence_encoder.layers.#.self_attn.q_proj": "layers.#.q",
    "sentence_encoder.layers.#.self_attn.k_proj": "layers.#.k",
    "sentence_encoder.layers.#.self_attn.v_proj": "layers.#.v",
    "sentence_encoder.layers.#.self_attn.in_proj": "layers.#.qkv",
    "sentence_encoder.layers.#.self_attn.out_proj": "layers.#.attention_out",
    "sentence_encoder.layers.#.self_attn_layer_norm": "layers.#.attention_norm",
    "sentence_encoder.layers.#.fc1": "layers.#.up",
    "sentence_encoder.layers.#.fc2": "layers.#.down",
    "sentence_encoder.layers.#.final_layer_norm": "layers.#.output_norm",
}
PLACES = {**HUGGING_FACE, **TORCHTEXT, **FAIRSEQ}
# what stands before the encoder's own names in a model with a head
PREFIX = re.compile(
    r"^(module\.|model\.|decoder\.(?=sentence_encoder)|encoder\.(?=sentence_encoder)|bert\.|"
    r"roberta\.|distilbert\.|mpnet\.|0\.auto_model\.|auto_model\.)"
)
PARAMETER = re.compile(r"[._](weight|bias)$")
NUMBER = re.compile(r"\.(\d+)\.")


def encoder_state(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The encoder's part of a checkpoint; heads are left out.

    Args:
        state: the checkpoint's tensors under its own names.

    Raises:
        DomainkitError: nothing of an encoder is in it.

    Example:
        >>> state = {"bert.embeddings.word_embeddings.weight": torch.zeros(4, 2)}
        >>> list(encoder_state(state))
        ['embeddings.tokens.weight']
    """
    found: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        place = _place(name)
        if place is not None:
            found[place] = tensor
    if not found:
        raise DomainkitError(
            f"no encoder is in this checkpoint, whose first names are "
            f"{', '.join(list(state)[:3]) or 'none'}: expected those of Hugging Face's BERT, "
            "RoBERTa, XLM-R, DistilBERT or MPNet, of torchtext or of fairseq"
        )
    return _joined(found)


def _place(name: str) -> str | None:
    while (short := PREFIX.sub("", name)) != name:
        name = short
    # the first versions of BERT's files called a norm's numbers gamma and beta
    name = name.replace(".gamma", ".weight").replace(".beta", ".bias")
    match = PARAMETER.search(name)
    if match is None:
        return None
    stem = name[: match.start()]
    number = NUMBER.search(stem)
    ours = PLACES.get(NUMBER.sub(".#.", stem, count=1))
    if ours is None:
        return None
    return f"{ours.replace('#', number[1]) if number else ours}.{match[1]}"


def _joined(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Queries, keys and values as one matrix, as ``Encoder`` multiplies with them."""
    state = {name: x for name, x in found.items() if not re.search(r"\.[qkv]\.", name)}
    for name in found:
        if ".q." in name:
            parts = [found[name.replace(".q.", f".{part}.")] for part in "qkv"]
            state[name.replace(".q.", ".qkv.")] = torch.cat(parts)
    return state
