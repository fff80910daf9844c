"""``Tokenize``: strings to token ids, by a tokenizer file of any kind or by a model's name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import DomainkitError, TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform, replace_fields

if TYPE_CHECKING:
    from domainkit.text.tokenizers import Tokenizer

__all__ = ["Tokenize"]

BESIDE = {".json", ".txt", ".model", ".spm", ".tiktoken"}  # of a folder
BESIDES = {"merges.txt", "tokenizer_config.json"}  # of a file


@dataclass(frozen=True)
class Tokenize(Transform):
    """Cut every text into tokens and number them.

    Input: ``batch["text"]``, a list of B str. Output: ``batch["tokens"]``, a ``Ragged`` of B items
    int64 [L_i]; the text stays. Applied to a bare list it gives the ``Ragged``. The tokens lie on
    the device of the batch's other tensors, on the CPU where it has none.

    The ids are those of ``domainkit.text.Tokenizer.encode``; what the file says about truncation
    and padding is left out.

    Args:
        tokenizer: the path of a tokenizer file or its folder (see ``Tokenizer.from_file``), or the
            name of a published one ("bert-base-uncased"; see ``Tokenizer.from_name``), which is
            fetched at the first use. Only this is kept, so the transform pickles in a few bytes;
            each process loads the file once.
        special_tokens: whether to add the tokens that the tokenizer adds ([CLS] ...).
        max_length: tokens of a text at most, with the special ones; None for no limit.
        pair: the field of the second texts; None for single texts.
        type_ids: whether a batch gets ``token_type_ids`` too: which of the two texts a token counts
            to, as BERT takes it.
        word_ids: whether a batch gets ``word_ids`` too, for ``MaskTokens(unit="word")``: the number
            of a token's word in its text, -1 for special tokens.

    Raises:
        TransformError: neither a file nor a known name, no tokenizer in it, or something else than
            a list of str.

    Example:
        >>> from domainkit.cards import data_folder
        >>> file = data_folder("transforms") / "text/sentiment-sentences-eval-1/tokenizer.json"
        >>> Tokenize(str(file))(["Great phone!", ""])
        Ragged(B=2, items=[0..3], dtype=int64, device=cpu)
    """

    tokenizer: str
    special_tokens: bool = True
    max_length: int | None = None
    pair: str | None = None
    type_ids: bool = False
    word_ids: bool = False

    field: ClassVar[str] = "text"
    kind: ClassVar[str] = "tokens"

    def __post_init__(self) -> None:
        if not isinstance(self.tokenizer, (str, os.PathLike)):
            raise TransformError(
                "Tokenize takes the path of a tokenizer file or a name, got "
                f"{type(self.tokenizer).__name__}"
            )
        object.__setattr__(self, "tokenizer", os.fspath(self.tokenizer))
        if self.max_length is not None and (
            not isinstance(self.max_length, int) or self.max_length < 1
        ):
            raise TransformError(f"Tokenize needs max_length of 1 or more, got {self.max_length}")
        if not Path(self.tokenizer).exists() and not _is_name(self.tokenizer):
            raise TransformError(
                f"Tokenize: there is no file {self.tokenizer!r}, and no published tokenizer is "
                "called so: give the path of a tokenizer.json, vocab.txt, .model or .tiktoken file"
            )

    def apply(self, x: Sequence[str], draws: Draws) -> Ragged:
        if self.pair is not None:
            raise TransformError(
                f"Tokenize(pair={self.pair!r}) needs a batch with both texts, got a list: give it "
                f"{{'text': ..., {self.pair!r}: ...}}"
            )
        return self._ready(x).encode(
            list(x), special_tokens=self.special_tokens, max_length=self.max_length
        )

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        texts = batch[self.field]
        tokenizer = self._ready(texts)
        pairs = None
        if self.pair is not None:
            if self.pair not in batch:
                raise TransformError(
                    f"Tokenize needs the field {self.pair!r} for the second texts, the batch has "
                    f"{', '.join(map(repr, batch))}"
                )
            self._ready(batch[self.pair])
            pairs = list(batch[self.pair])
        how: dict[str, Any] = {
            "special_tokens": self.special_tokens,
            "max_length": self.max_length,
        }
        fields: dict[str, Ragged] = {}
        if self.type_ids or self.word_ids:
            encoding = tokenizer.encode_details(list(texts), pairs, **how)
            fields["tokens"] = encoding.ids
            if self.type_ids:
                fields["token_type_ids"] = encoding.types
            if self.word_ids:
                fields["word_ids"] = encoding.words
        else:
            fields["tokens"] = tokenizer.encode(list(texts), pairs, **how)
        device = _device(batch)
        return replace_fields(batch, {name: x.to(device) for name, x in fields.items()})

    def _ready(self, texts: Any) -> Tokenizer:
        if not isinstance(texts, (list, tuple)) or not all(isinstance(t, str) for t in texts):
            raise TransformError(f"Tokenize takes a list of str, got {_kind(texts)}")
        return _load(self.tokenizer)


def _is_name(name: str) -> bool:
    from domainkit.text.tokenizers.names import as_known

    return as_known(name) is not None


def _load(path: str) -> Tokenizer:
    if not os.path.exists(path) and _is_name(path):
        return _load_once(path, ())
    try:
        return _load_once(path, _stamp(Path(path)))  # rewritten files are loaded again
    except OSError as error:
        raise TransformError(f"Tokenize: {path!r} cannot be read: {error.strerror}") from error


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of the file and of those beside it that it may be read with."""
    folder = path if path.is_dir() else path.parent
    names = {path.name} if path.is_file() else set()
    names |= {p.name for p in folder.iterdir() if p.suffix in BESIDE} if path.is_dir() else BESIDES
    stamps = []
    for file in sorted(folder / name for name in names):
        if file == path or file.is_file():
            stat = file.stat()
            stamps.append((file.name, stat.st_mtime_ns, stat.st_size))
    if path.is_file() or path.is_dir():
        return tuple(stamps)
    path.stat()  # says that it is not there
    return ()


@lru_cache(maxsize=16)
def _load_once(path: str, stamp: tuple[tuple[str, int, int], ...]) -> Tokenizer:
    from domainkit.text.tokenizers import Tokenizer

    if not stamp and not os.path.exists(path):
        return Tokenizer.from_name(path)
    try:
        return Tokenizer.from_file(path)
    except DomainkitError as error:
        raise TransformError(f"Tokenize: {path!r} holds no tokenizer: {error}") from error


def _device(batch: Mapping[str, Any]) -> torch.device:
    for value in batch.values():
        if isinstance(value, (torch.Tensor, Ragged)):
            return value.device
    return torch.device("cpu")


def _kind(x: Any) -> str:
    if not isinstance(x, (list, tuple)):
        return type(x).__name__
    other = next(type(text).__name__ for text in x if not isinstance(text, str))
    return f"a list with {other}"
