"""Pictures: datasets, batch transforms and models.

Example:
    >>> from domainkit.vision import transforms
    >>> transforms.CenterCrop(224)
    CenterCrop(size=224)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.vision import datasets, models, transforms

_HOME = {  # public name -> the module that it is
    "datasets": "domainkit.vision.datasets",
    "models": "domainkit.vision.models",
    "transforms": "domainkit.vision.transforms",
}

__all__ = ["datasets", "models", "transforms"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return importlib.import_module(_HOME[name])
    raise AttributeError(f"module 'domainkit.vision' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
