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
from domainkit.text.tokenizers.backends.router import Router
from domainkit.text.tokenizers.encoding import Encoding
from domainkit.text.tokenizers.formats.files import json_tokenizer, load_file
from domainkit.text.tokenizers.formats.loaded import Loaded
from domainkit.text.tokenizers.inputs import checked_texts, id_rows
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
        self._library, self._told = loaded.library, dict(loaded.roles)
        self._router = Router(loaded.library, loaded.model, backend)
        added = self._library.get_added_tokens_decoder()
        self.special_ids: tuple[int, ...] = tuple(i for i, t in added.items() if t.special)
        self._size = 1 + max(self._library.get_vocab(with_added_tokens=True).values(), default=-1)
        for role, number in find_roles(self._library, self._told).items():
            setattr(self, f"{role}_id", number)

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
            [11]
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
        return _restore, (self.to_json(), self._told, self._router.model, self._router.wanted)

    def __repr__(self) -> str:
        kind = type(self._library.model).__name__
        return f"Tokenizer({kind}, vocab_size={self.vocab_size}, backend={self._router.label!r})"

    # -- facts -----------------------------------------------------------------------------------

    @property
    def backend(self) -> str:
        """ "gigatoken", "sentencepiece", "tiktoken" or "tokenizers": the library that encodes."""
        return self._router.engine().name

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
        values, lengths = self._router.encode(documents)
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
        values, lengths, where = self._router.encode_with_offsets(documents)
        rows = Rows(template, lengths, max_length, truncation)
        which = np.array(["AB".index(text) for text in template.texts], np.int64)
        which = np.repeat(np.resize(which, len(lengths)), lengths)
        return Encoding(
            rows.ids(values),
            rows.along(where[:, :2], 0),
            rows.types(),
            rows.along(which, -1),
            rows.along(self._words(where[:, 2], which, lengths), -1),
        )

    @staticmethod
    def _words(words: np.ndarray, which: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Words of pairs with the second text's counted behind those of the first."""
        if not which.any():
            return words
        ends = np.cumsum(lengths)
        most = [words[b - n : b].max(initial=-1) + 1 for b, n in zip(ends, lengths, strict=True)]
        other = np.array(most).reshape(-1, 2)[:, ::-1].reshape(-1)  # of each text's partner
        return np.where((which == 1) & (words >= 0), words + np.repeat(other, lengths), words)

    def _documents(
        self, texts: Sequence[str], pairs: Sequence[str] | None, special_tokens: bool
    ) -> tuple[list[str], Template]:
        """All texts in the order in which their tokens lie in the batch, and the template."""
        texts = checked_texts(texts, "texts")
        found = read_templates(state(self._library.post_processor), special_tokens)
        if pairs is None:
            return texts, found[0]
        pairs = checked_texts(pairs, "pairs")
        if len(pairs) != len(texts):
            raise TransformError(f"{len(texts)} texts need as many pairs, got {len(pairs)}")
        ordered = (texts, pairs) if found[1].texts == ("A", "B") else (pairs, texts)
        return [text for both in zip(*ordered, strict=True) for text in both], found[1]

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
        rows = id_rows(ids, self.vocab_size)
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
