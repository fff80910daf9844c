"""domainkit: datasets, batch transforms and pretrained models for vision, audio and text.

Everything public hangs on this module and is imported on first touch, so that ``import domainkit``
costs milliseconds and loads no torch.

Example:
    >>> import domainkit as dk
    >>> train = dk.load_dataset("text/sentiment-sentences", split="train")
    >>> train[0]["label"]
    0
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from domainkit import audio, samplers, text, vision
    from domainkit.batch import Batch
    from domainkit.cache import fetch
    from domainkit.cards import list_datasets, load_card
    from domainkit.combine import concat, mix
    from domainkit.dataset import Dataset, load_dataset
    from domainkit.draws import Draws
    from domainkit.errors import DomainkitError
    from domainkit.interop import (
        from_arrow,
        from_folder,
        from_hf,
        from_parquet,
        from_webdataset,
        tokenize,
    )
    from domainkit.loader import Bucketed, Budget, Loader
    from domainkit.model_cards import list_models
    from domainkit.ragged import Ragged
    from domainkit.recipe import list_recipes, load_recipe, save_recipe
    from domainkit.training import evaluate, fit
    from domainkit.transform import Compose
    from domainkit.windows import token_windows
    from domainkit.zoo import load_model

_HOME = {  # public name -> the module that defines it
    "Batch": "batch",
    "Bucketed": "loader",
    "Budget": "loader",
    "Compose": "transform",
    "Dataset": "dataset",
    "DomainkitError": "errors",
    "Draws": "draws",
    "Loader": "loader",
    "Ragged": "ragged",
    "concat": "combine",
    "evaluate": "training",
    "fetch": "cache",
    "fit": "training",
    "from_arrow": "interop",
    "from_folder": "interop",
    "from_hf": "interop",
    "from_parquet": "interop",
    "from_webdataset": "interop",
    "list_datasets": "cards",
    "list_models": "model_cards",
    "list_recipes": "recipe",
    "load_card": "cards",
    "load_dataset": "dataset",
    "load_model": "zoo",
    "load_recipe": "recipe",
    "mix": "combine",
    "save_recipe": "recipe",
    "token_windows": "windows",
    "tokenize": "interop",
}
_PACKAGES = ("audio", "samplers", "text", "vision")

__all__ = [
    "Batch",
    "Bucketed",
    "Budget",
    "Compose",
    "Dataset",
    "DomainkitError",
    "Draws",
    "Loader",
    "Ragged",
    "audio",
    "concat",
    "evaluate",
    "fetch",
    "fit",
    "from_arrow",
    "from_folder",
    "from_hf",
    "from_parquet",
    "from_webdataset",
    "list_datasets",
    "list_models",
    "list_recipes",
    "load_card",
    "load_dataset",
    "load_model",
    "load_recipe",
    "mix",
    "samplers",
    "save_recipe",
    "text",
    "token_windows",
    "tokenize",
    "vision",
]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"domainkit.{name}")
    if name in _HOME:
        value = getattr(importlib.import_module(f"domainkit.{_HOME[name]}"), name)
        globals()[name] = value  # the next touch is a plain attribute
        return value
    raise AttributeError(f"module 'domainkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
