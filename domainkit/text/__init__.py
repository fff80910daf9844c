"""Text: readers, tokenization, batch transforms and models for strings.

A batch of texts is a list of str; tokenized it is a ``Ragged`` of items [L_i], int64, from the
tokenizer to the model.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.text import datasets, models, transforms
    from domainkit.text.metrics import Perplexity, bleu, chrf, perplexity, rouge
    from domainkit.text.nested import Nested, collate_nested
    from domainkit.text.tokenizers import (
        Encoding,
        RegexSplitter,
        Tokenizer,
        basic_english,
        get_splitter,
        ngrams,
        whitespace,
    )
    from domainkit.text.vectors import Vectors
    from domainkit.text.vocab import Vocab

_ROOMS = ("datasets", "models", "transforms")
_HOME = {  # public name -> the module that defines it
    "Encoding": "tokenizers",
    "Nested": "nested",
    "Perplexity": "metrics",
    "RegexSplitter": "tokenizers",
    "Tokenizer": "tokenizers",
    "Vectors": "vectors",
    "Vocab": "vocab",
    "basic_english": "tokenizers",
    "bleu": "metrics",
    "chrf": "metrics",
    "collate_nested": "nested",
    "get_splitter": "tokenizers",
    "ngrams": "tokenizers",
    "perplexity": "metrics",
    "rouge": "metrics",
    "whitespace": "tokenizers",
}

__all__ = [
    "Encoding",
    "Nested",
    "Perplexity",
    "RegexSplitter",
    "Tokenizer",
    "Vectors",
    "Vocab",
    "basic_english",
    "bleu",
    "chrf",
    "collate_nested",
    "datasets",
    "get_splitter",
    "models",
    "ngrams",
    "perplexity",
    "rouge",
    "transforms",
    "whitespace",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"domainkit.text.{name}")
    if name in _HOME:
        value = getattr(importlib.import_module(f"domainkit.text.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'domainkit.text' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
