"""``Tokenize``: strings to token ids, by a tokenizer file of the ``tokenizers`` library."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform, replace_fields

__all__ = ["Tokenize"]


@dataclass(frozen=True)
class Tokenize(Transform):
    """Cut every text into tokens and number them.

    Input: ``batch["text"]``, a list of B str. Output: ``batch["tokens"]``, a ``Ragged`` of B items
    int64 [L_i]; the text stays. Applied to a bare list it gives the ``Ragged``. The tokens lie on
    the device of the batch's other tensors, on the CPU where it has none.

    The ids are those of ``tokenizers.Tokenizer.encode``, text by text; what the file says about
    truncation and padding is left out: ``Truncate`` and ``Pad`` do that.

    Args:
        tokenizer: the path of a ``tokenizer.json``. Only the path is kept, so the transform
            pickles in a few bytes; each process loads the file once.
        special_tokens: whether to add the tokens that the file's post-processor adds ([CLS] ...).

    Raises:
        TransformError: no such file, no tokenizer in it, or something else than a list of str.

    Example:
        >>> from domainkit.cards import data_folder
        >>> file = data_folder("transforms") / "text/sentiment-sentences-eval-1/tokenizer.json"
        >>> Tokenize(str(file))(["Great phone!", ""])
        Ragged(B=2, items=[0..3], dtype=int64, device=cpu)
    """

    tokenizer: str
    special_tokens: bool = True

    field: ClassVar[str] = "text"
    kind: ClassVar[str] = "tokens"

    def __post_init__(self) -> None:
        if not isinstance(self.tokenizer, (str, os.PathLike)):
            raise TransformError(
                f"Tokenize takes the path of a tokenizer.json, got {type(self.tokenizer).__name__}"
            )
        object.__setattr__(self, "tokenizer", os.fspath(self.tokenizer))
        if not Path(self.tokenizer).is_file():
            raise TransformError(
                f"Tokenize: there is no file {self.tokenizer!r}: give the path of a tokenizer.json"
            )

    def apply(self, x: Sequence[str], draws: Draws) -> Ragged:
        if not isinstance(x, (list, tuple)) or not all(isinstance(text, str) for text in x):
            raise TransformError(f"Tokenize takes a list of str, got {_kind(x)}")
        encodings = _load(self.tokenizer).encode_batch_fast(
            list(x), add_special_tokens=self.special_tokens
        )
        ids = [encoding.ids for encoding in encodings]
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        values = np.fromiter(chain.from_iterable(ids), np.int64, int(lengths.sum()))
        return Ragged.from_shapes(torch.from_numpy(values), lengths)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        tokens = self.apply(batch[self.field], draws)
        return replace_fields(batch, {"tokens": tokens.to(_device(batch))})


def _load(path: str) -> Any:
    try:
        stamp = os.stat(path)
    except OSError as error:
        raise TransformError(f"Tokenize: {path!r} cannot be read: {error.strerror}") from error
    return _load_once(path, stamp.st_mtime_ns, stamp.st_size)  # a rewritten file is loaded again


@lru_cache(maxsize=16)
def _load_once(path: str, changed: int, size: int) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:  # the library raises bare Exception
        raise TransformError(f"Tokenize: {path!r} holds no tokenizer: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


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
