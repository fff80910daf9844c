"""Vision models: domainkit's own networks, and the zoo of the domain (torchvision's included).

Example:
    >>> from domainkit.vision import models
    >>> len(models.list()) > 100
    True
"""

from __future__ import annotations

import builtins
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.vision.models.fashion_cnn import FashionCNN

_HOME = {"FashionCNN": "fashion_cnn"}

__all__ = ["FashionCNN", "list", "load"]


def list() -> builtins.list[str]:
    """The names of the vision models, without the domain."""
    from domainkit.model_cards import list_models

    return [name.split("/")[1] for name in list_models("vision")]


def load(name: str, weights: str | None = "default", **args: Any) -> Any:
    """``domainkit.load_model("vision/<name>", ...)``."""
    from domainkit.zoo import load_model

    return load_model(f"vision/{name}", weights, **args)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> builtins.list[str]:
    return [*__all__]
