"""Models over tokens; ``domainkit.load_model`` gives them with trained weights."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.text.models.sentiment_bag import SentimentBag

_HOME = {"SentimentBag": "sentiment_bag"}  # public name -> the module that defines it

__all__ = ["SentimentBag"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"domainkit.text.models.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'domainkit.text.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
