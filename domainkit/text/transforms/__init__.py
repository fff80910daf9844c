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
    from domainkit.text.transforms.add_special_tokens import AddSpecialTokens
    from domainkit.text.transforms.mask_tokens import MaskTokens
    from domainkit.text.transforms.next_token import NextToken
    from domainkit.text.transforms.ngrams import NGrams
    from domainkit.text.transforms.pack import Pack
    from domainkit.text.transforms.pad import Pad
    from domainkit.text.transforms.permutation_lm import PermutationLM
    from domainkit.text.transforms.random_crop import RandomCrop
    from domainkit.text.transforms.random_deletion import RandomDeletion
    from domainkit.text.transforms.random_swap import RandomSwap
    from domainkit.text.transforms.reverse import Reverse
    from domainkit.text.transforms.span_corruption import SpanCorruption
    from domainkit.text.transforms.tokenize import Tokenize
    from domainkit.text.transforms.truncate import Truncate
    from domainkit.text.transforms.truncate_pair import TruncatePair
    from domainkit.transform import Compose

_HERE = "domainkit.text.transforms"
_HOME = {  # public name -> the module that defines it
    "AddSpecialTokens": f"{_HERE}.add_special_tokens",
    "Compose": "domainkit.transform",
    "MaskTokens": f"{_HERE}.mask_tokens",
    "NGrams": f"{_HERE}.ngrams",
    "NextToken": f"{_HERE}.next_token",
    "Pack": f"{_HERE}.pack",
    "Pad": f"{_HERE}.pad",
    "PermutationLM": f"{_HERE}.permutation_lm",
    "RandomCrop": f"{_HERE}.random_crop",
    "RandomDeletion": f"{_HERE}.random_deletion",
    "RandomSwap": f"{_HERE}.random_swap",
    "Reverse": f"{_HERE}.reverse",
    "SpanCorruption": f"{_HERE}.span_corruption",
    "Tokenize": f"{_HERE}.tokenize",
    "Truncate": f"{_HERE}.truncate",
    "TruncatePair": f"{_HERE}.truncate_pair",
}

__all__ = [
    "AddSpecialTokens",
    "Compose",
    "MaskTokens",
    "NGrams",
    "NextToken",
    "Pack",
    "Pad",
    "PermutationLM",
    "RandomCrop",
    "RandomDeletion",
    "RandomSwap",
    "Reverse",
    "SpanCorruption",
    "Tokenize",
    "Truncate",
    "TruncatePair",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'domainkit.text.transforms' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
