"""Text: readers, tokenization, batch transforms and models for strings.

A batch of texts is a list of str; tokenized it is a ``Ragged`` of items [L_i], int64, from the
tokenizer to the model.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.text import datasets, models, transforms

__all__ = ["datasets", "models", "transforms"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"domainkit.text.{name}")
    raise AttributeError(f"module 'domainkit.text' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
