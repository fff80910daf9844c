"""``Vocab``: which token has which number, both ways; what torchtext's class of that name was.

A vocabulary never changes once it is made, so it may be shared among threads, processes and
models; ``with_token`` and ``with_default_index`` give new ones. It is a tuple of tokens and a dict
beside it, built at the first lookup.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, pairwise, repeat
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from domainkit.errors import DecodeError, NotFoundError, TransformError, nearest
from domainkit.ragged import Ragged
from domainkit.text.vocab.counting import most_frequent
from domainkit.text.vocab.files import read_lines, read_vocab, write_vocab

__all__ = ["Vocab"]

_FEW = 5000  # tokens among which the nearest to an unknown one is looked for


class Vocab:
    """Tokens, numbered from 0.

    Args:
        tokens: str, each once, in the order of their numbers.
        default_index: the number of every unknown token; None makes an unknown token an error.

    Raises:
        TransformError: a token twice, something else than str, or a default that is no number here.

    Example:
        >>> vocab = Vocab.from_iterator([["the", "cat"], ["the", "dog"]], specials=["<unk>"])
        >>> vocab
        Vocab(4 tokens: '<unk>', 'the', 'cat', 'dog')
        >>> vocab["the"]
        1
        >>> vocab = vocab.with_default_index(vocab["<unk>"])
        >>> tokens = vocab([["the", "bird"], []])
        >>> tokens.values, tokens.lengths
        (tensor([1, 0]), tensor([2, 0]))
        >>> vocab.lookup_tokens(tokens)
        [['the', '<unk>'], []]
    """

    def __init__(self, tokens: Iterable[str], default_index: int | None = None) -> None:
        if isinstance(tokens, str):
            raise TransformError(f"Vocab takes tokens, got the one str {tokens!r}: give a list")
        self._tokens = tuple(tokens)
        for place, token in enumerate(self._tokens):
            if not isinstance(token, str):
                raise TransformError(f"Vocab: token {place} is {type(token).__name__}, not str")
        if len(set(self._tokens)) != len(self._tokens):
            token, count = Counter(self._tokens).most_common(1)[0]
            raise TransformError(f"Vocab: {token!r} comes {count} times, give each token once")
        if default_index is not None and default_index not in range(len(self._tokens)):
            raise TransformError(
                f"Vocab: default_index must be one of 0 to {len(self._tokens) - 1}, "
                f"got {default_index!r}"
            )
        self._default = default_index

    # -- making --------------------------------------------------------------------------------

    @classmethod
    def from_iterator(
        cls,
        iterator: Iterable[Iterable[str]],
        *,
        min_freq: int = 1,
        max_size: int | None = None,
        specials: Sequence[str] = (),
        special_first: bool = True,
        default_index: int | None = None,
    ) -> Vocab:
        """Count the tokens of some texts: the most frequent comes first, equals by alphabet.

        The order is that of torchtext's ``build_vocab_from_iterator``.

        Args:
            iterator: texts, each a list of tokens; read once.
            min_freq: how often a token must occur.
            max_size: how many tokens there are at most, the special ones counted.
            specials: tokens that are there anyhow, before the others or (``special_first=False``)
                behind them; how often they occur does not count.
            default_index: as the class takes it.

        Raises:
            TransformError: a text that is a str, min_freq below 1, or a max_size that leaves no
                room for the special tokens.

        Example:
            >>> Vocab.from_iterator([["b", "a", "c", "c"]], max_size=3, specials=["<pad>"])
            Vocab(3 tokens: '<pad>', 'c', 'a')
        """
        counts: Counter[str] = Counter()
        for tokens in iterator:
            if isinstance(tokens, str):
                raise TransformError(
                    f"Vocab.from_iterator takes lists of tokens, got the str {tokens[:40]!r}: cut "
                    "it into tokens first"
                )
            counts.update(tokens)
        return cls.from_counts(
            counts,
            min_freq=min_freq,
            max_size=max_size,
            specials=specials,
            special_first=special_first,
            default_index=default_index,
        )

    @classmethod
    def from_counts(
        cls,
        counts: Mapping[str, int],
        *,
        min_freq: int = 1,
        max_size: int | None = None,
        specials: Sequence[str] = (),
        special_first: bool = True,
        default_index: int | None = None,
    ) -> Vocab:
        """As ``from_iterator``, of tokens that were counted already.

        Example:
            >>> Vocab.from_counts({"a": 1, "b": 5, "c": 5}, min_freq=2)
            Vocab(2 tokens: 'b', 'c')
        """
        room = None if max_size is None else max_size - len(specials)
        words = most_frequent(counts, min_freq, room, frozenset(specials))
        return cls([*specials, *words] if special_first else [*words, *specials], default_index)

    def with_token(self, token: str, index: int | None = None) -> Vocab:
        """A vocabulary with one token more, at the end, or at ``index``: later ones move by one.

        The default token stays the same one.

        Raises:
            TransformError: the token is there already, or there is no such place.

        Example:
            >>> list(Vocab(["a", "b"]).with_token("<pad>", 0))
            ['<pad>', 'a', 'b']
        """
        place = len(self) if index is None else index
        if not 0 <= place <= len(self):
            raise TransformError(f"with_token: index must be one of 0 to {len(self)}, got {index}")
        default = self._default
        if default is not None and place <= default:
            default += 1
        return Vocab([*self._tokens[:place], token, *self._tokens[place:]], default)

    def with_default_index(self, index: int | None) -> Vocab:
        """The same tokens, where every unknown one has the number ``index`` (None: is an error).

        Example:
            >>> Vocab(["<unk>", "a"]).with_default_index(0)["b"]
            0
        """
        return Vocab(self._tokens, index)

    # -- from token to number --------------------------------------------------------------------

    @cached_property
    def _indices(self) -> dict[str, int]:
        return dict(zip(self._tokens, range(len(self._tokens)), strict=True))

    @property
    def indices(self) -> Mapping[str, int]:
        """Token -> number; cannot be changed."""
        return MappingProxyType(self._indices)

    @property
    def default_index(self) -> int | None:
        """The number of every unknown token; None where that is an error."""
        return self._default

    def __getitem__(self, token: str) -> int:
        """The number of a token.

        Raises:
            NotFoundError: (a KeyError) it is unknown and there is no default.
        """
        index = self._indices.get(token, self._default)
        if index is None:
            raise self._unknown(token)
        return index

    def lookup_indices(self, tokens: Sequence[str]) -> list[int]:
        """The numbers of the tokens of one text.

        Raises:
            NotFoundError: one is unknown and there is no default.

        Example:
            >>> Vocab(["a", "b"]).lookup_indices(["b", "a"])
            [1, 0]
        """
        if isinstance(tokens, str):
            raise TransformError(f"lookup_indices takes a list of tokens, got the str {tokens!r}")
        return [self[token] for token in tokens]

    def __call__(self, batch: Sequence[Sequence[str]]) -> Ragged:
        """The numbers of a batch of B texts: a ``Ragged`` of items int64 [L_i], on the CPU.

        Raises:
            NotFoundError: a token is unknown and there is no default.
            TransformError: not a list of lists of str.
        """
        if isinstance(batch, str) or any(isinstance(text, str) for text in batch):
            raise TransformError(
                "Vocab takes a batch, a list of lists of tokens, and got str in place of a list: "
                "lookup_indices takes the tokens of one text"
            )
        lengths = np.fromiter(map(len, batch), np.int64, len(batch))
        flat = chain.from_iterable(batch)
        known, default = self._indices, self._default
        if default is None:
            try:
                values = np.fromiter(map(known.__getitem__, flat), np.int64, int(lengths.sum()))
            except KeyError as error:
                raise self._unknown(error.args[0]) from None
        else:
            numbers = map(known.get, flat, repeat(default))
            values = np.fromiter(numbers, np.int64, int(lengths.sum()))
        return Ragged.from_shapes(torch.from_numpy(values), lengths)

    def __contains__(self, token: object) -> bool:
        return token in self._indices

    def _unknown(self, token: object) -> Exception:
        if not isinstance(token, str):
            return TransformError(f"Vocab: a token is a str, got {type(token).__name__}")
        near = f" {nearest(token, self._tokens)}" if len(self) <= _FEW else ""
        return NotFoundError(
            f"token {token!r} is not among the {len(self)} of this vocabulary.{near} "
            "with_default_index() gives unknown tokens a number."
        )

    # -- from number to token --------------------------------------------------------------------

    @property
    def tokens(self) -> tuple[str, ...]:
        """All tokens in the order of their numbers."""
        return self._tokens

    def lookup_token(self, index: int) -> str:
        """The token of a number.

        Raises:
            NotFoundError: there is no such number.
        """
        if not 0 <= index < len(self._tokens):
            raise NotFoundError(f"no token has number {index}: they go from 0 to {len(self) - 1}")
        return self._tokens[index]

    def lookup_tokens(self, ids: Any) -> Any:
        """The tokens of numbers: list[str], or of a batch list[list[str]].

        Args:
            ids: one text as a list of int or a tensor [L], or a batch as a ``Ragged`` of items
                [L_i], a tensor [B, L] or a list of any of these.

        Raises:
            NotFoundError: there is no such number.
            TransformError: numbers that are not whole, or of another shape.

        Example:
            >>> Vocab(["a", "b"]).lookup_tokens([1, 1, 0])
            ['b', 'b', 'a']
        """
        if isinstance(ids, Ragged):
            offsets = ids.host_offsets.tolist()
            flat = self.lookup_tokens(ids.values)
            return [flat[i:j] for i, j in pairwise(offsets)]
        if isinstance(ids, torch.Tensor):
            if ids.is_floating_point() or ids.ndim not in (1, 2):
                raise TransformError(
                    f"lookup_tokens takes whole numbers [L] or [B, L], got {ids.dtype} "
                    f"{list(ids.shape)}"
                )
            ids = ids.tolist()
        if isinstance(ids, (str, int)):
            raise TransformError(f"lookup_tokens takes a list of numbers, got {ids!r}")
        return [
            self.lookup_token(int(i)) if isinstance(i, (int, np.integer)) else self.lookup_tokens(i)
            for i in ids
        ]

    # -- torchtext's names -----------------------------------------------------------------------

    def get_stoi(self) -> dict[str, int]:
        """A dict token -> number of the caller's own; ``indices`` copies nothing."""
        return dict(self._indices)

    def get_itos(self) -> list[str]:
        """A list of the tokens of the caller's own; ``tokens`` copies nothing."""
        return list(self._tokens)

    def get_default_index(self) -> int | None:
        """As ``default_index``."""
        return self._default

    # -- being a collection ----------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._tokens)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tokens)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocab):
            return NotImplemented
        return self._default == other._default and self._tokens == other._tokens

    def __hash__(self) -> int:
        return hash((self._tokens, self._default))

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self._tokens[:4])) + (", ..." if len(self) > 4 else "")
        default = "" if self._default is None else f", unknown: {self._tokens[self._default]!r}"
        return f"Vocab({len(self)} token{'s' * (len(self) != 1)}: {shown}{default})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self._tokens, self._default)  # the dict is made anew

    # -- files -----------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON file in UTF-8, one token a line; readers see the old file or the whole new.

        Raises:
            OSError: it cannot be written.
        """
        write_vocab(Path(path), self._tokens, self._default)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocab:
        """Read what ``save`` wrote.

        Raises:
            DecodeError: the file is something else, or damaged.
            OSError: it cannot be read.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     Vocab(["a", " ", "b"]).save(f"{folder}/vocab.json")
            ...     Vocab.load(f"{folder}/vocab.json")
            Vocab(3 tokens: 'a', ' ', 'b')
        """
        tokens, default = read_vocab(Path(path))
        try:
            return cls(tokens, default)
        except TransformError as error:
            raise DecodeError(f"{path}: is damaged: {error}") from error

    @classmethod
    def from_lines(cls, path: str | os.PathLike[str], *, default_index: int | None = None) -> Vocab:
        """Read a plain text file in UTF-8, one token a line, as BERT's ``vocab.txt`` is.

        Raises:
            DecodeError: not UTF-8, or a token twice.
            OSError: it cannot be read.
        """
        tokens = read_lines(Path(path))
        try:
            return cls(tokens, default_index)
        except TransformError as error:
            raise DecodeError(f"{path}: holds no list of tokens, one a line: {error}") from error


def _rebuilt(tokens: tuple[str, ...], default: int | None) -> Vocab:
    new = object.__new__(Vocab)  # they were checked before
    new._tokens, new._default = tokens, default
    return new
