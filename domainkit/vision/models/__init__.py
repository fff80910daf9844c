"""Vision models: domainkit's own networks, and the zoo of the domain (torchvision's included).

Every model of torchvision is a function here: ``models.resnet50(weights="imagenet1k-v2")`` is
``domainkit.load_model("vision/resnet50", "imagenet1k-v2")``. As in torchvision, ``weights`` is None
(untrained) unless given; the model comes in evaluation mode. ``dir(models)`` lists them.

Example:
    >>> from domainkit.vision import models
    >>> len(models.list()) > 100
    True
    >>> models.squeezenet1_1(num_classes=7).card.name
    'vision/squeezenet1_1'
"""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Callable
from functools import cache
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
    if name.startswith("_"):  # what Python itself asks for; no card is read
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _builders():
        return _builder(name)
    from domainkit.errors import nearest

    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}. {nearest(name, __dir__())}"
    )


def __dir__() -> builtins.list[str]:
    return sorted({*__all__, *_builders()})


def _builders() -> builtins.list[str]:
    return [name for name in list() if name.isidentifier()]  # "fashion-cnn" is a class: FashionCNN


@cache  # models.resnet50 is models.resnet50, and pickles by name
def _builder(name: str) -> Callable[..., Any]:
    def build(*, weights: str | None = None, **args: Any) -> Any:
        return load(name, weights, **args)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f'``domainkit.load_model("vision/{name}", weights, ...)``, untrained if None.'
    return build
