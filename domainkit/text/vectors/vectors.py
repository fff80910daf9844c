"""``Vectors``: words to vectors, out of the files that GloVe, word2vec and fastText are published
in.

A file is converted once to a mapped form in the cache (``mapped``); after that it opens at once,
and memory holds what was looked up. Vectors never change.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from domainkit.errors import NotFoundError, TransformError
from domainkit.ragged import Ragged
from domainkit.text.vectors.char_ngram import mean_of_grams
from domainkit.text.vectors.kinds import check_kind
from domainkit.text.vectors.mapped import open_mapped
from domainkit.text.vectors.names import published
from domainkit.text.vectors.nearest import nearest_rows
from domainkit.text.vectors.subwords import mean_of_rows, ngram_buckets
from domainkit.text.vectors.table import Table
from domainkit.text.vectors.words import Words, encode

__all__ = ["Unknown", "Vectors"]

Unknown = Literal["zeros", "error", "mean"] | Callable[[torch.Tensor], torch.Tensor]


class Vectors:
    """Words and their vectors, float32 [dim], as ``open``, ``from_name`` and ``from_words`` give.

    What a word without a vector gets is ``unknown``: ``"zeros"``, ``"error"`` (a NotFoundError),
    ``"mean"`` of all vectors, or a function that is given zeros [dim] and gives the vector, such
    as ``torch.Tensor.normal_``; it is asked once for each word of a call. fastText's ``.bin`` makes
    a vector for any word of its n-grams, and CharNGram makes all of them so.

    Example:
        >>> vectors = Vectors.from_words(["king", "queen", "tea"], [[1, 0], [0.9, 0.1], [0, 1]])
        >>> vectors
        Vectors(3 words, dim=2, kind='memory')
        >>> vectors["tea"]
        tensor([0., 1.])
        >>> vectors([["tea", "queen"], ["coffee"]])
        Ragged(B=2, items=[1..2, 2], dtype=float32, device=cpu)
        >>> vectors.nearest("king", 1)
        [('queen', 0.9938837289810181)]
    """

    def __init__(self, table: Table, unknown: Unknown = "zeros") -> None:
        if not callable(unknown) and unknown not in ("zeros", "error", "mean"):
            raise TransformError(
                f"unknown must be 'zeros', 'error', 'mean' or a function, got {unknown!r}"
            )
        self._table, self._unknown = table, unknown
        self._opened: tuple[Any, ...] | None = None

    # -- making --------------------------------------------------------------------------------

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        kind: str | None = None,
        *,
        member: str | None = None,
        dim: int | None = None,
        unknown: Unknown = "zeros",
    ) -> Vectors:
        """The vectors of a file, plain or packed (gzip, bzip2, xz, zstd, or in a zip or tar).

        The first time it is read and converted, the next time it is mapped, as long as neither its
        size nor its time of change has changed. The conversion lies in ``$DOMAINKIT_HOME/vectors``
        and needs about 4 bytes per number.

        Args:
            kind: ``"text"`` (GloVe, word2vec's text, fastText's .vec), ``"word2vec-binary"``,
                ``"fasttext-binary"`` (.bin) or ``"char-ngram"``; None tells by the content.
            member: which file of an archive with several.
            dim: numbers per word of a text file whose first line does not tell.
            unknown: what a word without a vector gets.

        Raises:
            NotFoundError: no such file or member.
            DecodeError: damaged, or no vectors; names the line and the word.
            ArchiveError: the archive is damaged.

        Example:
            >>> import os, tempfile
            >>> from unittest import mock
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     with open(f"{folder}/tiny.txt", "w") as file:
            ...         _ = file.write("the 0.5 1\\nof 0.25 -1\\n")
            ...     with mock.patch.dict(os.environ, {"DOMAINKIT_HOME": folder}):
            ...         Vectors.open(f"{folder}/tiny.txt")[["of", "the"]]
            tensor([[ 0.2500, -1.0000],
                    [ 0.5000,  1.0000]])
        """
        check_kind(kind)
        if dim is not None and dim < 1:
            raise TransformError(f"Vectors.open needs dim of 1 or more, got {dim}")
        asked = (os.fspath(path), kind, member, dim)
        new = cls(open_mapped(Path(path), kind, member, dim), unknown)
        new._opened = asked
        return new

    @classmethod
    def from_name(
        cls, name: str, *, unknown: Unknown = "zeros", progress: bool | None = None
    ) -> Vectors:
        """Published vectors, fetched once through the cache.

        Args:
            name: ``"glove-6b-100d"``, ``"glove-840b-300d"``, ``"glove-twitter-27b-25d"``,
                ``"fasttext-wiki-en"``, ``"fasttext-crawl-de"``, ``"fasttext-crawl-de-subword"``,
                ``"char-ngram-100d"``, ...: see ``known_names()``.
            unknown: what a word without a vector gets.
            progress: show a bar; None as ``domainkit.progress`` is set.

        Raises:
            NotFoundError: no such name; offers the nearest ones.
            FetchError: the file could not be fetched.
        """
        from domainkit.cache import fetch

        entry = published(name)
        path = fetch(entry.urls, digest=entry.digest, progress=progress)
        return cls.open(path, entry.kind, member=entry.member, dim=entry.dim, unknown=unknown)

    @classmethod
    def from_words(
        cls, words: Sequence[str], vectors: Any, *, unknown: Unknown = "zeros"
    ) -> Vectors:
        """Vectors that are in memory already.

        Args:
            words: N words, each once.
            vectors: numbers [N, dim]: a tensor, an array or lists; copied as float32.

        Raises:
            TransformError: another shape, or a word twice.
        """
        if isinstance(vectors, torch.Tensor):
            vectors = vectors.detach().cpu().float().numpy()
        rows = np.array(vectors, np.float32)
        if rows.ndim != 2 or len(rows) != len(words) or rows.shape[1] < 1:
            raise TransformError(
                f"from_words needs vectors [{len(words)}, dim], got {list(rows.shape)}"
            )
        if len(set(words)) != len(words):
            raise TransformError("from_words needs each word once")
        norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        mean = rows.mean(0, dtype=np.float64) if len(rows) else np.zeros(rows.shape[1])
        found = Words.of([encode(word) for word in words])
        facts = {"kind": "memory"}
        table = Table(found, rows, norms, mean.astype(np.float32), facts=facts)
        return cls(table, unknown)

    # -- what they are -------------------------------------------------------------------------

    @property
    def dim(self) -> int:
        """Numbers per word."""
        return int(self._table.rows.shape[1])

    @property
    def kind(self) -> str:
        """The kind of file they came from, or "memory"."""
        return str(self._table.facts["kind"])

    @property
    def words(self) -> Words:
        """The words in the order of the file, read from it as they are asked for."""
        return self._table.words

    @property
    def digest(self) -> str | None:
        """``sha256:`` and the digest of the file's unpacked bytes; None for those in memory."""
        found = self._table.facts.get("sha256")
        return None if found is None else f"sha256:{found}"

    def __len__(self) -> int:
        return len(self._table.words)

    def __contains__(self, word: object) -> bool:
        """Whether the file has the word; with CharNGram, whether it has one of its n-grams."""
        if not isinstance(word, str):
            return False
        return bool(mean_of_grams(self._table, [word])[1]) if self._by_grams else word in self.words

    @property
    def _by_grams(self) -> bool:
        return self.kind == "char-ngram"

    def __repr__(self) -> str:
        return f"Vectors({len(self)} words, dim={self.dim}, kind={self.kind!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._opened is None:
            return Vectors, (self._table, self._unknown)
        return _opened_again, (*self._opened, self._unknown)

    # -- looking up ----------------------------------------------------------------------------

    def __getitem__(self, tokens: str | Sequence[str]) -> torch.Tensor:
        """The vector of a word, float32 [dim], or those of n words, float32 [n, dim]."""
        return self.lookup(tokens)

    def __call__(self, batch: Sequence[Sequence[str]]) -> Ragged:
        """The vectors of a batch of B texts: a ``Ragged`` of items float32 [L_i, dim].

        Raises:
            TransformError: not a list of lists of str.
        """
        if isinstance(batch, str) or any(isinstance(text, str) for text in batch):
            raise TransformError(
                "Vectors takes a batch, a list of lists of words, and got str in place of a list: "
                "lookup takes the words of one text"
            )
        values = self.lookup(list(chain.from_iterable(batch)))
        return Ragged.from_shapes(values, np.array([len(text) for text in batch], np.int64))

    def lookup(
        self,
        tokens: str | Sequence[str],
        *,
        lower_case_backup: bool = False,
        unknown: Unknown | None = None,
    ) -> torch.Tensor:
        """The vector of a word, float32 [dim], or those of n words, float32 [n, dim].

        Args:
            lower_case_backup: a word that is not there is looked for in small letters.
            unknown: what a word without a vector gets; None as these vectors were opened.

        Raises:
            NotFoundError: (a KeyError) a word has no vector and ``unknown`` is ``"error"``.
            TransformError: something else than str.

        Example:
            >>> vectors = Vectors.from_words(["tea"], [[1.0, 2.0]])
            >>> vectors.lookup(["Tea", "ale"], lower_case_backup=True, unknown="mean")
            tensor([[1., 2.],
                    [1., 2.]])
        """
        if isinstance(tokens, str):
            return self.lookup([tokens], lower_case_backup=lower_case_backup, unknown=unknown)[0]
        places: dict[str, int] = {}
        inverse = [places.setdefault(token, len(places)) for token in tokens]
        distinct = list(places)
        for word in distinct:
            if not isinstance(word, str):
                raise TransformError(f"a word is a str, got {type(word).__name__}")
        rows, there = self._find(distinct)
        if lower_case_backup and not there.all():
            missing = np.flatnonzero(~there)
            rows[missing], there[missing] = self._find([distinct[i].lower() for i in missing])
        missing = np.flatnonzero(~there)
        if len(missing):
            self._fill(rows, distinct, missing, self._unknown if unknown is None else unknown)
        return torch.from_numpy(rows[inverse] if len(distinct) < len(inverse) else rows)

    def matrix(self, tokens: Iterable[str], *, unknown: Unknown | None = None) -> torch.Tensor:
        """float32 [len(tokens), dim]: the weight of an embedding for a ``Vocab``, or other tokens.

        Example:
            >>> import torch
            >>> from domainkit.text.vocab import Vocab
            >>> vectors = Vectors.from_words(["tea"], [[1.0, 2.0]])
            >>> weight = vectors.matrix(Vocab(["<pad>", "tea"]))
            >>> torch.nn.Embedding.from_pretrained(weight)(torch.tensor([1]))
            tensor([[1., 2.]])
        """
        return self.lookup(list(tokens), unknown=unknown)

    def nearest(
        self, query: str | torch.Tensor | np.ndarray | Sequence[float], k: int = 10
    ) -> list[tuple[str, float]]:
        """The k words whose vectors have the largest cosine with that of a word, or with a vector.

        All vectors are read, at the speed of the disk or of memory. A word is not its own
        neighbour.

        Args:
            query: a word, or numbers [dim].

        Raises:
            NotFoundError: the word has no vector.
            TransformError: a vector of another shape, or k below 1.
        """
        if k < 1:
            raise TransformError(f"nearest needs k of 1 or more, got {k}")
        if isinstance(query, str):
            vector = self.lookup(query, unknown="error").numpy()
        else:
            given = query.detach().cpu().float() if isinstance(query, torch.Tensor) else query
            vector = np.asarray(given, np.float32)
        if vector.shape != (self.dim,):
            raise TransformError(f"nearest takes numbers [{self.dim}], got {list(vector.shape)}")
        own = int(self.words.find([encode(query)])[0]) if isinstance(query, str) else -1
        found = nearest_rows(self._table, vector, k, own)
        return [(self.words[i], cosine) for i, cosine in found]

    def _find(self, words: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Their vectors [n, dim], zeros where there is none, and where there is one, bool [n]."""
        table = self._table
        if self._by_grams:
            rows, counts = mean_of_grams(table, words)
            return rows, counts > 0
        raw = [encode(word) for word in words]
        found = table.words.find(raw)
        there = found >= 0
        rows = np.zeros((len(words), self.dim), np.float32)
        rows[there] = table.rows[found[there]]
        missing = np.flatnonzero(~there)
        if table.ngrams is not None and len(missing):
            facts = table.facts
            ids, counts = ngram_buckets(
                [raw[i] for i in missing], facts["minn"], facts["maxn"], facts["buckets"]
            )
            rows[missing] = mean_of_rows(table.ngrams, ids, counts)
            there[missing] = counts > 0
        return rows, there

    def _fill(
        self, rows: np.ndarray, words: list[str], missing: np.ndarray, unknown: Unknown
    ) -> None:
        if unknown == "error":
            word = words[missing[0]]
            lower = word.lower()
            hint = f" {lower!r} has: lower_case_backup=True finds it." if lower in self else ""
            raise NotFoundError(f"word {word!r} has no vector among {len(self)}.{hint}")
        if unknown == "mean":
            rows[missing] = self._table.mean
        elif callable(unknown):
            for i in missing:
                made = unknown(torch.zeros(self.dim))
                if not isinstance(made, torch.Tensor) or made.shape != (self.dim,):
                    raise TransformError(
                        f"unknown must give a tensor [{self.dim}], got "
                        f"{list(getattr(made, 'shape', [])) or type(made).__name__}"
                    )
                rows[i] = made.detach().float().cpu().numpy()
        elif unknown != "zeros":
            raise TransformError(
                f"unknown must be 'zeros', 'error', 'mean' or a function, got {unknown!r}"
            )


def _opened_again(
    path: str, kind: str | None, member: str | None, dim: int | None, unknown: Unknown
) -> Vectors:
    return Vectors.open(path, kind, member=member, dim=dim, unknown=unknown)
