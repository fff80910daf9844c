"""Batch transforms for texts and tokens, each with draws of its own per sample.

``Tokenize`` reads ``batch["text"]``, a list of str, and writes ``batch["tokens"]``. The others work
on ``batch["tokens"]``: a ``Ragged`` of items [L_i] or dense [B, L], int32 or int64. What belongs to
the tokens one by one, ``batch["labels"]`` and ``batch["attention_mask"]``, is cut and padded with
them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.text.transforms.mask_tokens import MaskTokens
    from domainkit.text.transforms.pad import Pad
    from domainkit.text.transforms.tokenize import Tokenize
    from domainkit.text.transforms.truncate import Truncate
    from domainkit.transform import Compose

_HERE = "domainkit.text.transforms"
_HOME = {  # public name -> the module that defines it
    "Compose": "domainkit.transform",
    "MaskTokens": f"{_HERE}.mask_tokens",
    "Pad": f"{_HERE}.pad",
    "Tokenize": f"{_HERE}.tokenize",
    "Truncate": f"{_HERE}.truncate",
}

__all__ = ["Compose", "MaskTokens", "Pad", "Tokenize", "Truncate"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'domainkit.text.transforms' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
