"""``tokenize``: a column of texts as a column of tokens, made once and kept in the cache."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from domainkit.dataset import Dataset
from domainkit.errors import NotFoundError, nearest
from domainkit.features import Feature, Text, Tokens
from domainkit.interop.own import Rows, own_dataset

__all__ = ["TextEncoder", "tokenize"]

CHUNK = 1024  # texts that are encoded together


class TextEncoder(Protocol):
    """What ``domainkit.text.Tokenizer`` is, and anything else that has these two."""

    def encode(self, texts: list[str], *, special_tokens: bool) -> Any:
        """A ``Ragged`` of items int64 [L_i]."""

    def to_json(self) -> str:
        """All that the ids depend on, as a string."""


def tokenize(
    dataset: Dataset,
    tokenizer: TextEncoder,
    *,
    column: str = "text",
    into: str = "tokens",
    special_tokens: bool = True,
    end: Sequence[int] = (),
) -> Dataset:
    """The dataset with its texts as tokens, of type ``Tokens`` (stored as int32).

    The rows are written into the cache once and opened at once later, as long as the dataset's rows
    and the tokenizer are the same. A loader can then batch by length (``Bucketed``, ``Budget``)
    and ``token_windows`` can cut the text into windows, which both need lengths in tokens.

    Args:
        dataset: with a Text column.
        tokenizer: a ``domainkit.text.Tokenizer``, or anything with its ``encode`` and ``to_json``.
        column: the texts.
        into: the name of the new column, in the place of the texts; other columns stay.
        special_tokens: whether the tokenizer adds those that it puts around texts ([CLS] ...);
            False for language modelling.
        end: ids behind each text, such as (tokenizer.eos_id,): where one ends in a stream.

    Raises:
        NotFoundError: no such column.
        TypeError: the column holds no texts, or ``into`` is the name of another one.

    Example:
        >>> import os, tempfile, unittest.mock
        >>> import domainkit as dk
        >>> from domainkit.text import Tokenizer
        >>> tokenizer = Tokenizer.train(["good bad"] * 9, kind="word", vocab_size=9)
        >>> ds = dk.load_dataset("text/sentiment-sentences", "test[:3]")
        >>> with tempfile.TemporaryDirectory() as home:
        ...     with unittest.mock.patch.dict(os.environ, {"DOMAINKIT_HOME": home}):
        ...         tokens = tokenize(ds, tokenizer)
        ...     tokens.columns, tokens[0]["tokens"].dtype
        (('tokens', 'label', 'source'), torch.int64)
    """
    if column not in dataset.columns:
        raise NotFoundError(f"there is no column {column!r}. {nearest(column, dataset.columns)}")
    if not isinstance(dataset.features[column], Text):
        raise TypeError(f"column {column!r} holds {dataset.features[column]}: tokenize takes Text")
    if into != column and into in dataset.columns:
        raise TypeError(f"there is a column {into!r} already: give the tokens another name")
    features = {
        (into if name == column else name): Tokens() if name == column else feature
        for name, feature in dataset.features.items()
    }
    facts = {
        "format": "tokens",
        "dataset": dataset.fingerprint,
        "columns": list(dataset.columns),
        "tokenizer": hashlib.sha256(tokenizer.to_json().encode()).hexdigest(),
        "column": column,
        "into": into,
        "special_tokens": special_tokens,
        "end": [operator.index(i) for i in end],
    }
    return own_dataset(
        facts,
        lambda: Rows(features, _records(dataset, tokenizer, facts), len(dataset)),
        name=f"{dataset.name or 'dataset'}, tokens",
    )


def _records(
    dataset: Dataset, tokenizer: TextEncoder, facts: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    column, into = facts["column"], facts["into"]
    end = np.array(facts["end"], np.int32)
    for start in range(0, len(dataset), CHUNK):
        rows = [
            dataset.raw(i, checked=True) for i in range(start, min(start + CHUNK, len(dataset)))
        ]
        text = dataset.features[column]
        texts = [text.decode(row[column]) for row in rows]
        ids = tokenizer.encode(texts, special_tokens=facts["special_tokens"])
        values = ids.values.numpy().astype(np.int32)
        ends = ids.host_offsets.tolist()
        for i, row in enumerate(rows):
            new = {name: _value(dataset.features[name], raw) for name, raw in row.items()}
            new.pop(column)
            own = values[ends[i] : ends[i + 1]]
            yield {into: np.concatenate([own, end]) if len(end) else own, **new}


def _value(feature: Feature, raw: Any) -> Any:
    """What ``write_store`` takes of a column that stays: media as stored."""
    if feature.media:
        return bytes(raw)
    if feature.storage == "number":
        return raw
    value = feature.decode(raw)
    return value if isinstance(value, str) else value.numpy()
