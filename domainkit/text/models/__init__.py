"""Models over tokens; ``domainkit.load_model`` gives them with trained weights."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.text.models.checkpoints import read_checkpoint
    from domainkit.text.models.encoder import Encoder
    from domainkit.text.models.encoder_config import EncoderConfig
    from domainkit.text.models.encoder_heads import MaskedLM, SequenceClassifier, TokenClassifier
    from domainkit.text.models.generation import generate
    from domainkit.text.models.pooling import pool
    from domainkit.text.models.pretrained import load_pretrained
    from domainkit.text.models.sentence_encoder import SentenceEncoder
    from domainkit.text.models.sentiment_bag import SentimentBag
    from domainkit.text.models.t5 import T5, T5Encoder
    from domainkit.text.models.t5_config import T5Config

_HOME = {  # public name -> the module that defines it
    "Encoder": "encoder",
    "EncoderConfig": "encoder_config",
    "MaskedLM": "encoder_heads",
    "SentenceEncoder": "sentence_encoder",
    "SentimentBag": "sentiment_bag",
    "SequenceClassifier": "encoder_heads",
    "T5": "t5",
    "T5Config": "t5_config",
    "T5Encoder": "t5",
    "TokenClassifier": "encoder_heads",
    "generate": "generation",
    "load_pretrained": "pretrained",
    "pool": "pooling",
    "read_checkpoint": "checkpoints",
}

__all__ = [
    "Encoder",
    "EncoderConfig",
    "MaskedLM",
    "SentenceEncoder",
    "SentimentBag",
    "SequenceClassifier",
    "T5",
    "T5Config",
    "T5Encoder",
    "TokenClassifier",
    "generate",
    "load_pretrained",
    "pool",
    "read_checkpoint",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"domainkit.text.models.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'domainkit.text.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
