"""Tokenizers: strings to ``Ragged`` ids and back, from the files that publishers give."""

from domainkit.text.tokenizers.encoding import Encoding
from domainkit.text.tokenizers.splitters import (
    RegexSplitter,
    basic_english,
    get_splitter,
    ngrams,
    whitespace,
)
from domainkit.text.tokenizers.tokenizer import Tokenizer
from domainkit.text.tokenizers.training import SPECIAL_TOKENS, train_bpe

__all__ = [
    "SPECIAL_TOKENS",
    "Encoding",
    "RegexSplitter",
    "Tokenizer",
    "basic_english",
    "get_splitter",
    "ngrams",
    "train_bpe",
    "whitespace",
]
