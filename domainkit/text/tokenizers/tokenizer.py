"""``Tokenizer``: strings to ``Ragged`` ids and back, whatever file a publisher gives."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.tokenizers.backends.choice import choose
from domainkit.text.tokenizers.backends.engine import Engine, Reference
from domainkit.text.tokenizers.encoding import Encoding
from domainkit.text.tokenizers.formats.files import json_tokenizer, load_file
from domainkit.text.tokenizers.formats.loaded import Loaded
from domainkit.text.tokenizers.parts import state
from domainkit.text.tokenizers.roles import find_roles
from domainkit.text.tokenizers.rows import Rows
from domainkit.text.tokenizers.template import Template, read_templates

__all__ = ["Tokenizer"]


class Tokenizer:
    """Texts to ids, in batches: made by ``from_file``, ``from_json``, ``from_name`` or ``train``.

    The ids are those of the ``tokenizers`` library, the reference. Where gigatoken, sentencepiece
    or tiktoken is installed, takes the tokenizer and gives the same ids for a set of hard texts, it
    does the work; ``backend`` says which one does. Texts with a special token written in them
    always go to the reference. It pickles by content, and may be used by several threads.

    Attributes:
        pad_id, unk_id, cls_id, sep_id, mask_id, bos_id, eos_id: int or None, the id of the token
            of this role: as the files say, else by its usual name.

    Example:
        >>> from domainkit.cards import data_folder
        >>> file = data_folder("transforms") / "text/sentiment-sentences-eval-1/tokenizer.json"
        >>> tokenizer = Tokenizer.from_file(file)
        >>> tokens = tokenizer.encode(["Great phone!", ""])
        >>> tokens
        Ragged(B=2, items=[0..3], dtype=int64, device=cpu)
        >>> tokenizer.decode(tokens)
        ['great phone !', '']
    """

    pad_id: int | None
    unk_id: int | None
    cls_id: int | None
    sep_id: int | None
    mask_id: int | None
    bos_id: int | None
    eos_id: int | None

    def __init__(self, loaded: Loaded, *, backend: str = "auto") -> None:
        self._library, self._model = loaded.library, loaded.model
        self._told = dict(loaded.roles)
        self._wanted = backend
        self._engine: Engine | None = None
        self._reference = Reference(self._library)
        added = self._library.get_added_tokens_decoder()
        self.special_ids: tuple[int, ...] = tuple(i for i, t in added.items() if t.special)
        self._added = [token.content for token in added.values()]
        self._first = {content[0] for content in self._added if content}
        self._size = 1 + max(self._library.get_vocab(with_added_tokens=True).values(), default=-1)
        for role, number in find_roles(self._library, self._told).items():
            setattr(self, f"{role}_id", number)
        if backend != "auto":
            self._choose()  # what was asked for by name fails at once

    # -- making ----------------------------------------------------------------------------------

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        backend: str = "auto",
        lowercase: bool | None = None,
        strip_accents: bool | None = None,
        chinese_apart: bool | None = None,
        add_prefix_space: bool | None = None,
        family: str | None = None,
        pattern: str | None = None,
        special_tokens: Mapping[str, int] | None = None,
    ) -> Tokenizer:
        """Read a tokenizer file, or the best one of a folder.

        Known are ``tokenizer.json``; ``vocab.txt`` (WordPiece); ``vocab.json`` with ``merges.txt``
        beside it (GPT-2, RoBERTa); SentencePiece's ``.model`` (unigram and BPE); ``.tiktoken``.
        What ``tokenizer_config.json`` beside it says about the same things is taken, unless an
        argument says otherwise.

        Args:
            path: the file or folder.
            backend: "auto", or the name of the one that must be used (see ``backend``).
            lowercase: for vocab.txt, whether capitals go; True unless the files say otherwise.
            strip_accents: for vocab.txt, whether accents go; by default as ``lowercase``.
            chinese_apart: for vocab.txt, whether each Chinese character is a word; True by default.
            add_prefix_space: for vocab.json, whether a text begins with a space.
            family: for .model, what the model adds: "plain" (by default, as sentencepiece itself),
                "t5", "xlm-roberta" or "llama".
            pattern: for .tiktoken, the regular expression that cuts the text, or a published
                encoding's name; by default by the name of the file.
            special_tokens: for .tiktoken, the ids of special tokens.

        Raises:
            NotFoundError: no such file.
            DecodeError: a damaged file.
            TransformError: an argument that this kind of file does not take.

        Example:
            >>> from domainkit.cards import data_folder
            >>> folder = data_folder("transforms") / "text/sentiment-sentences-eval-1"
            >>> Tokenizer.from_file(folder).vocab_size
            1000
        """
        args = {
            "lowercase": lowercase,
            "strip_accents": strip_accents,
            "chinese_apart": chinese_apart,
            "add_prefix_space": add_prefix_space,
            "family": family,
            "pattern": pattern,
            "special_tokens": special_tokens,
        }
        return cls(load_file(path, args), backend=backend)

    @classmethod
    def from_json(cls, text: str, *, backend: str = "auto") -> Tokenizer:
        """From the text of a ``tokenizer.json``, such as ``to_json`` or ``train_bpe`` gives.

        Raises:
            DecodeError: it holds no tokenizer.

        Example:
            >>> from domainkit.text.tokenizers import train_bpe
            >>> Tokenizer.from_json(train_bpe(["low lower"] * 3, 40)).encode(["low"])[0].tolist()
            [14]
        """
        return cls(Loaded(json_tokenizer(text)), backend=backend)

    def to_json(self) -> str:
        """The text of a ``tokenizer.json``."""
        return str(self._library.to_str())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a ``tokenizer.json``; into the folder where ``path`` is one."""
        file = Path(path)
        file = file / "tokenizer.json" if file.is_dir() else file
        file.write_text(self.to_json(), encoding="utf-8")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.to_json(), self._told, self._model, self._wanted)

    def __repr__(self) -> str:
        kind = type(self._library.model).__name__
        engine = self._engine.name if self._engine else self._wanted
        return f"Tokenizer({kind}, vocab_size={self.vocab_size}, backend={engine!r})"

    # -- facts -----------------------------------------------------------------------------------

    @property
    def backend(self) -> str:
        """ "gigatoken", "sentencepiece", "tiktoken" or "tokenizers": the library that encodes."""
        return self._choose().name

    @property
    def vocab_size(self) -> int:
        """One more than the largest id: the rows that an embedding needs."""
        return self._size

    def token_to_id(self, token: str) -> int | None:
        """The id of a token, None for one that is not in the vocabulary."""
        found = self._library.token_to_id(token)
        return None if found is None else int(found)

    def id_to_token(self, number: int) -> str | None:
        """The token of an id as the vocabulary writes it, None where there is none."""
        found = self._library.id_to_token(number) if number >= 0 else None
        return None if found is None else str(found)

    # -- encoding --------------------------------------------------------------------------------

    def encode(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        special_tokens: bool = True,
        max_length: int | None = None,
        truncation: str = "longest_first",
    ) -> Ragged:
        """Ids of a batch of texts, or of pairs of texts.

        Args:
            texts: a list of B str.
            pairs: a list of B str, the second text of each row; None for single texts.
            special_tokens: whether to put in what the tokenizer puts around texts ([CLS] ...).
            max_length: tokens of a row at most, special ones included; what is too long loses its
                end. None for no limit.
            truncation: which text of a pair loses tokens: "longest_first", "only_first" or
                "only_second"; "error" raises instead.

        Returns:
            ``Ragged`` of B items int64 [L_i], on the CPU.

        Raises:
            TransformError: no list of str, a text with half a surrogate pair, another number of
                pairs, or a row that cannot be made short enough.

        Example:
            >>> from domainkit.cards import data_folder
            >>> file = data_folder("transforms") / "text/sentiment-sentences-eval-1/tokenizer.json"
            >>> Tokenizer.from_file(file).encode(["Great phone!"], max_length=2)
            Ragged(B=1, items=[2], dtype=int64, device=cpu)
        """
        documents, template = self._documents(texts, pairs, special_tokens)
        values, lengths = self._run(documents)
        return Rows(template, lengths, max_length, truncation).ids(values)

    def encode_details(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        special_tokens: bool = True,
        max_length: int | None = None,
        truncation: str = "longest_first",
    ) -> Encoding:
        """Ids with offsets to characters and types: the arguments and errors of ``encode``.

        It is the reference that gives offsets, so this is slower than ``encode``.

        Example:
            >>> from domainkit.cards import data_folder
            >>> file = data_folder("transforms") / "text/sentiment-sentences-eval-1/tokenizer.json"
            >>> Tokenizer.from_file(file).encode_details(["Great phone!"]).offsets[0].tolist()
            [[0, 5], [6, 11], [11, 12]]
        """
        documents, template = self._documents(texts, pairs, special_tokens)
        values, lengths, offsets = self._run_with_offsets(documents)
        rows = Rows(template, lengths, max_length, truncation)
        which = np.array(["AB".index(text) for text in template.texts], np.int64)
        which = np.repeat(np.resize(which, len(lengths)), lengths)
        return Encoding(rows.ids(values), rows.along(offsets, 0), rows.types(), rows.along(which, -1))

    def _documents(
        self, texts: Sequence[str], pairs: Sequence[str] | None, special_tokens: bool
    ) -> tuple[list[str], Template]:
        """All texts in the order in which their tokens lie in the batch, and the template."""
        texts = _checked(texts, "texts")
        found = read_templates(state(self._library.post_processor) if special_tokens else {})
        if pairs is None:
            return texts, found[0]
        pairs = _checked(pairs, "pairs")
        if len(pairs) != len(texts):
            raise TransformError(f"{len(texts)} texts need as many pairs, got {len(pairs)}")
        ordered = (texts, pairs) if found[1].texts == ("A", "B") else (pairs, texts)
        return [text for both in zip(*ordered, strict=True) for text in both], found[1]

    def _choose(self) -> Engine:
        if self._engine is None:
            self._engine = choose(self._library, self._model, self._wanted)
        return self._engine

    def _run(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        engine = self._choose()
        try:
            if engine.name == self._reference.name:
                return engine.encode(texts)
            special = np.fromiter(map(self._has_added, texts), bool, len(texts))
            doubtful = engine.doubtful(texts)
            special = special if doubtful is None else special | doubtful
            return self._run_both(engine, texts, special) if special.any() else engine.encode(texts)
        except (TypeError, ValueError):  # what the libraries raise for half a surrogate pair
            _check_surrogates(texts)
            raise

    def _run_both(
        self, engine: Engine, texts: list[str], special: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The texts of ``special`` by the reference, the others by the engine."""
        lengths = np.empty(len(texts), np.int64)
        parts = []
        for wanted, by in ((True, self._reference), (False, engine)):
            chosen = special == wanted
            ids, counts = by.encode([texts[i] for i in np.flatnonzero(chosen)])
            lengths[chosen] = counts
            parts.append((chosen, ids))
        values = np.empty(int(lengths.sum()), np.int64)
        for chosen, ids in parts:
            values[np.repeat(chosen, lengths)] = ids
        return values, lengths

    def _has_added(self, text: str) -> bool:
        # one look for the characters they begin with spares a look for each of them
        return any(c in text for c in self._first) and any(t in text for t in self._added)

    def _run_with_offsets(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        try:
            encodings = self._library.encode_batch(texts, add_special_tokens=False)
        except TypeError:
            _check_surrogates(texts)
            raise
        lengths = np.fromiter(map(len, encodings), np.int64, len(encodings))
        count = int(lengths.sum())
        ids = (i for encoding in encodings for i in encoding.ids)
        places = (p for encoding in encodings for both in encoding.offsets for p in both)
        values = np.fromiter(ids, np.int64, count)
        return values, lengths, np.fromiter(places, np.int64, 2 * count).reshape(-1, 2)

    # -- decoding --------------------------------------------------------------------------------

    def decode(
        self,
        ids: Ragged | torch.Tensor | np.ndarray | Sequence[int] | Sequence[Sequence[int]],
        *,
        special_tokens: bool = False,
    ) -> list[str]:
        """The texts of ids, one a row; a single row of ids gives a list of one.

        Args:
            ids: ``Ragged`` of items [L_i], a tensor or array [B, L] or [L], or lists.
            special_tokens: whether special tokens (padding too) stay in the text.

        Raises:
            TransformError: an id outside the vocabulary, or something else than ids.

        Example:
            >>> from domainkit.cards import data_folder
            >>> file = data_folder("transforms") / "text/sentiment-sentences-eval-1/tokenizer.json"
            >>> Tokenizer.from_file(file).decode([[130, 214], [0]], special_tokens=True)
            ['...', '[PAD]']
        """
        rows = _rows(ids)
        low = min((min(row) for row in rows if row), default=0)
        high = max((max(row) for row in rows if row), default=0)
        if low < 0 or high >= max(self.vocab_size, 1):
            raise TransformError(
                f"ids lie from 0 to {self.vocab_size - 1}, got {low if low < 0 else high}"
                + (": replace the places that a loss leaves out (-100) first" if low < 0 else "")
            )
        return list(self._library.decode_batch(rows, skip_special_tokens=not special_tokens))

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        kind: str,
        vocab_size: int,
        *,
        min_frequency: int = 2,
        lowercase: bool = True,
        special_tokens: Sequence[str] = (),
        backend: str = "auto",
    ) -> Tokenizer:
        """Learn a vocabulary from texts.

        Args:
            texts: what to learn from; read once.
            kind: "wordpiece" (as BERT), "bpe" (words begin with "▁"), "byte-bpe" (as GPT-2),
                "unigram" (as SentencePiece) or "word" (whole words, the frequent ones).
            vocab_size: tokens at most, special ones included.
            min_frequency: how often a pair of pieces, or a word, must occur.
            lowercase: whether capitals (and, for "wordpiece", accents) go; "byte-bpe" keeps both.
            special_tokens: more of them, behind those that the kind has.
            backend: as in ``from_file``.

        Raises:
            TransformError: no such kind, or a vocab_size that the special tokens fill.

        Example:
            >>> texts = ["low lower lowest", "new newer newest"] * 5
            >>> tokenizer = Tokenizer.train(texts, "byte-bpe", 300)
            >>> tokenizer.decode(tokenizer.encode(["newest, lowest!"]))
            ['newest, lowest!']
        """
        from domainkit.text.tokenizers.trainers import learn

        loaded = learn(
            texts,
            kind,
            vocab_size,
            min_frequency=min_frequency,
            lowercase=lowercase,
            special_tokens=tuple(special_tokens),
        )
        return cls(loaded, backend=backend)

    @classmethod
    def from_name(cls, name: str, *, backend: str = "auto") -> Tokenizer:
        """The tokenizer of a published model, such as "bert-base-uncased", through the cache.

        Raises:
            NotFoundError: a name that ``names.toml`` does not have; offers the nearest ones.
            FetchError: its files could not be fetched.
        """
        from domainkit.text.tokenizers.names import fetch_named

        path, args = fetch_named(name)
        return cls.from_file(path, backend=backend, **args)


def _restore(text: str, told: dict[str, str], model: bytes | None, backend: str) -> Tokenizer:
    return Tokenizer(Loaded(json_tokenizer(text), told, model), backend=backend)


def _checked(texts: Any, what: str) -> list[str]:
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        hint = ": put it into a list" if isinstance(texts, str) else ""
        raise TransformError(f"{what} must be a list of str, got {type(texts).__name__}{hint}")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TransformError(f"{what} must be a list of str, item {i} is {type(text).__name__}")
    return list(texts)


def _check_surrogates(texts: list[str]) -> None:
    for i, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise TransformError(
                f"text {i} is no Unicode text: half a surrogate pair ({text[error.start]!r}) at "
                f'character {error.start}. text.encode("utf-8", "replace").decode() takes it out'
            ) from error


def _rows(ids: Any) -> list[list[int]]:
    if isinstance(ids, Ragged):
        values, offsets = ids.values.tolist(), ids.host_offsets.tolist()
        return [values[a:b] for a, b in zip(offsets, offsets[1:])]
    if isinstance(ids, (torch.Tensor, np.ndarray)):
        ids = ids.tolist()
    if not isinstance(ids, (list, tuple)):
        raise TransformError(f"decode takes ids, got {type(ids).__name__}")
    if ids and not isinstance(ids[0], (list, tuple)):
        if isinstance(ids[0], (torch.Tensor, np.ndarray)):
            return [row.tolist() for row in ids]
        return [list(ids)]
    return [list(row) for row in ids]
