"""``load_pretrained``: a model of Hugging Face's library from its folder on disk.

For models of the zoo ``domainkit.load_model`` fetches what is needed; this is for what somebody
trained or fetched by other means. Folders of sentence-transformers give a ``SentenceEncoder``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from domainkit.errors import DecodeError, DomainkitError, NotFoundError
from domainkit.text.models.checkpoints import read_checkpoint
from domainkit.text.models.encoder_builder import build as build_encoder
from domainkit.text.models.encoder_config import EncoderConfig

__all__ = ["load_pretrained"]

# sentence-transformers' settings -> our poolings
POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_weightedmean_tokens": "weighted-mean",
}


def load_pretrained(folder: str | Path) -> Any:
    """An ``Encoder``, ``SentenceEncoder``, ``T5`` or ``T5Encoder``, in evaluation mode.

    Args:
        folder: with ``config.json``, the weights (see ``read_checkpoint``), and, if it is to have
            a ``.recipe``, a tokenizer's file.

    Returns:
        The model; ``.recipe`` turns texts into its tokens, or is None without a tokenizer.

    Raises:
        NotFoundError: no such folder, or a file of it is missing.
        DecodeError: a damaged file.
        DomainkitError: a model of a kind that ours are not, or weights that do not fit it.

    Example:
        >>> load_pretrained("no/such/folder")
        Traceback (most recent call last):
        domainkit.errors.NotFoundError: no/such/folder: there is no config.json in this folder
    """
    folder = Path(folder)
    config = _json(folder, "config.json")
    state = read_checkpoint(folder)
    if config.get("model_type") == "t5":
        model = _t5(config, state)
    else:
        sizes = vars(EncoderConfig.from_dict(config))
        model = build_encoder(config=sizes, **_pooling(folder), state_dict=state)
    model.recipe = _recipe(folder, config)
    return model.eval()


def _json(folder: Path, name: str) -> Any:
    file = folder / name
    if not file.is_file():
        raise NotFoundError(f"{folder}: there is no {name} in this folder")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise DecodeError(f"{file}: no JSON: {error}") from error


def _t5(config: dict[str, Any], state: dict[str, Any]) -> Any:
    from domainkit.text.models.t5_builder import build

    only = "T5EncoderModel" in (config.get("architectures") or ())
    return build(**config, encoder_only=only, state_dict=state)


def _pooling(folder: Path) -> dict[str, Any]:
    """What ``modules.json`` of sentence-transformers says: the arguments of a sentence encoder."""
    if not (folder / "modules.json").is_file():
        return {}
    modules = [(m["type"].rpartition(".")[2], m["path"]) for m in _json(folder, "modules.json")]
    kinds = [kind for kind, _ in modules]
    if kinds[:2] != ["Transformer", "Pooling"] or not {*kinds[2:]} <= {"Normalize"}:
        raise DomainkitError(
            f"{folder}: modules {', '.join(kinds)}; ours are Transformer, Pooling and Normalize"
        )
    settings = _json(folder, f"{modules[1][1]}/config.json")
    chosen = [ours for name, ours in POOLINGS.items() if settings.get(name)]
    if not chosen and settings.get("pooling_mode") in POOLINGS.values():
        chosen = [settings["pooling_mode"]]
    if len(chosen) != 1:
        raise DomainkitError(
            f"{folder}: pooling {' and '.join(chosen) or 'of another kind'}; ours is one of "
            f"{', '.join(POOLINGS.values())}"
        )
    return {"pooling": chosen[0], "normalize": "Normalize" in kinds}


def _recipe(folder: Path, config: dict[str, Any]) -> Any:
    from domainkit.text.transforms import Compose, Tokenize

    names = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")
    if not any((folder / name).is_file() for name in names):
        return None
    longest = None
    if (folder / "sentence_bert_config.json").is_file():
        longest = _json(folder, "sentence_bert_config.json").get("max_seq_length")
    if longest is None and config.get("model_type") != "t5":
        longest = EncoderConfig.from_dict(config).max_length
    return Compose([Tokenize(str(folder), max_length=longest)])
