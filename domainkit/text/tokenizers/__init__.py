"""Tokenizers: strings to ``Ragged`` ids and back, from the files that publishers give."""

from domainkit.text.tokenizers.training import SPECIAL_TOKENS, train_bpe

__all__ = ["SPECIAL_TOKENS", "train_bpe"]
