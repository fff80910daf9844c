"""Names of T5's parameters: Hugging Face's and torchtext's checkpoints to ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import nn

from domainkit.errors import DecodeError

__all__ = ["t5_state_dict"]

# copies of `shared.weight` under other names, and a table that early checkpoints hold in vain
COPIES = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}
USELESS = {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"}

# torchtext/models/t5/bundler.py, `build_model_from_huggingface_ckpt`, says what became of what
TORCHTEXT = {
    "self_attn": "layer.0.SelfAttention",
    "cross_attn": "layer.1.EncDecAttention",
    "norm1": "layer.0.layer_norm",
    "norm3": "layer.1.layer_norm",
    "norm2": "layer.{last}.layer_norm",
    "linear1": "layer.{last}.DenseReluDense.wi",
    "linear1_0": "layer.{last}.DenseReluDense.wi_0",
    "linear1_1": "layer.{last}.DenseReluDense.wi_1",
    "linear2": "layer.{last}.DenseReluDense.wo",
}
PROJECTIONS = {
    "q_proj_weight": "q.weight",
    "k_proj_weight": "k.weight",
    "v_proj_weight": "v.weight",
}
PROJECTIONS["out_proj.weight"] = "o.weight"


def t5_state_dict(
    state: Mapping[str, torch.Tensor], model: nn.Module | None = None
) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint under the names that ``T5`` and ``T5Encoder`` load.

    Reads Hugging Face's names (T5ForConditionalGeneration, T5Model, T5EncoderModel; mT5's alike)
    and torchtext's (``torchtext.models.T5Model``). Tensors are passed on, not copied.

    Args:
        state: name to tensor, as read from the file.
        model: a ``T5`` or ``T5Encoder`` to fit them to: an encoder takes no decoder, a tied or
            missing head no head of its own, and a head that the file leaves out because it is the
            embedding is put in. None keeps all parts.

    Returns:
        A new dict for ``model.load_state_dict``.

    Raises:
        DecodeError: there is no embedding among the tensors: it is no T5's checkpoint.

    Example:
        >>> import torch
        >>> state = {"token_embeddings.weight": torch.zeros(8, 4)}
        >>> list(t5_state_dict({**state, "encoder.norm.weight": torch.ones(4)}))
        ['shared.weight', 'encoder.final_layer_norm.weight']
    """
    named = {_renamed(name): tensor for name, tensor in state.items()}
    shared = next((named[key] for key in ("shared.weight", *sorted(COPIES)) if key in named), None)
    if shared is None:
        some = ", ".join(sorted(state)[:3]) or "nothing"
        raise DecodeError(
            f"a T5's checkpoint holds shared.weight or token_embeddings.weight, this one {some} ..."
        )
    kept = {"shared.weight": shared}
    kept.update({k: v for k, v in named.items() if k not in COPIES | USELESS})
    if model is None:
        return kept
    wanted = model.state_dict().keys()
    if "lm_head.weight" in wanted:
        kept.setdefault("lm_head.weight", shared.clone())  # it trains on its own
    else:
        kept.pop("lm_head.weight", None)
    if not any(name.startswith("decoder.") for name in wanted):
        kept = {name: tensor for name, tensor in kept.items() if not name.startswith("decoder.")}
    return kept


def _renamed(name: str) -> str:
    """Hugging Face's name of one of torchtext's; any other name as it is."""
    if name in ("token_embeddings.weight", "encoder.token_embeddings.weight"):
        return "shared.weight"
    if name in ("encoder.norm.weight", "decoder.norm.weight"):
        return name.replace("norm", "final_layer_norm")
    found = re.fullmatch(r"(encoder|decoder)\.layers\.(\d+)\.(\w+)\.(.+)", name)
    if found is None or found[3] not in TORCHTEXT:
        return name
    stack, number, part, rest = found.groups()
    home = TORCHTEXT[part].format(last=1 if stack == "encoder" else 2)
    return f"{stack}.block.{number}.{home}.{PROJECTIONS.get(rest, rest)}"
