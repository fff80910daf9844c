"""Vocabularies: which token has which number."""

from domainkit.text.vocab.vocab import Vocab

__all__ = ["Vocab"]
