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
    from domainkit.vision.codec import decode

_HOME = {  # public name -> the module that it is, or that has it
    "decode": "domainkit.vision.codec",
    "datasets": "domainkit.vision.datasets",
    "models": "domainkit.vision.models",
    "transforms": "domainkit.vision.transforms",
}

__all__ = ["datasets", "decode", "models", "transforms"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        module = importlib.import_module(_HOME[name])
        return getattr(module, name, module)
    raise AttributeError(f"module 'domainkit.vision' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
