"""Which backend encodes: the first that is installed, takes the file and gives the same ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from domainkit.errors import MissingExtraError, TransformError, nearest
from domainkit.text.tokenizers.backends.engine import Engine, Reference
from domainkit.text.tokenizers.backends.giga import Gigatoken
from domainkit.text.tokenizers.backends.probes import probes
from domainkit.text.tokenizers.backends.spm import SentencePiece
from domainkit.text.tokenizers.backends.tik import Tiktoken

__all__ = ["BACKENDS", "choose", "finds_added"]

BACKENDS = ("gigatoken", "sentencepiece", "tiktoken", "tokenizers")  # the fastest first


PANIC = "PanicException"  # of a library in Rust that gave up; it is no Exception


def choose(library: Any, model: bytes | None, wanted: str) -> Engine:
    """The engine called ``wanted``, or the fastest one that gives the reference's ids.

    Raises:
        TransformError: no such backend; or the wanted one does not take this tokenizer, or gives
            other ids.
        MissingExtraError: the wanted one is not installed.
    """
    reference = Reference(library)
    makers: dict[str, Callable[[], Engine]] = {
        "gigatoken": lambda: Gigatoken(library, model),
        "sentencepiece": lambda: SentencePiece(library, model),
        "tiktoken": lambda: Tiktoken(library),
        "tokenizers": lambda: reference,
    }
    if wanted != "auto" and wanted not in makers:
        offer = nearest(wanted, ["auto", *makers])
        raise TransformError(f"There is no backend {wanted!r}. {offer}")
    texts: list[str] | None = None
    for name in BACKENDS if wanted == "auto" else (wanted,):
        if name == "tokenizers":
            return reference
        why = _why_not_any(library)
        if why is None:
            try:
                engine = makers[name]()
                texts = texts if texts is not None else probes(library)
                why = _difference(reference, engine, texts)
            except ImportError as error:
                if wanted != "auto":
                    raise MissingExtraError(
                        f"{name} is not installed. `pip install 'domainkit[tokenizers]'` brings it"
                    ) from error
                continue
            except BaseException as error:  # each library has errors of its own
                if not isinstance(error, Exception) and type(error).__name__ != PANIC:
                    raise
                why = f"it does not take this tokenizer: {error}"
        if why is None:
            return engine
        if wanted != "auto":
            raise TransformError(f'{name} cannot be used here: {why}. backend="auto" is the way')
    return reference


def finds_added(library: Any, engine: Engine) -> bool:
    """Whether the engine finds special (and other added) tokens in a text as the reference does."""
    texts = []
    for token in library.get_added_tokens_decoder().values():
        t = token.content
        texts += [
            t,
            f"a{t}b",
            f"a {t} b",
            f"  {t}\n{t}{t} ",
            f"{t[:-1]} {t[1:]}{t}",
            f"é{t.upper()}.",
        ]
    try:
        return _difference(Reference(library), engine, texts) is None
    except BaseException as error:  # each library has errors of its own
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        return False


def _why_not_any(library: Any) -> str | None:
    """Texts with special tokens go to the reference; that needs them to be seen in the text."""
    added = library.get_added_tokens_decoder().values()
    if library.normalizer is not None and any(token.normalized for token in added):
        return "its added tokens are found after normalization"
    return None


def _difference(reference: Engine, engine: Engine, texts: list[str]) -> str | None:
    doubtful = engine.doubtful(texts)
    if doubtful is not None:
        texts = [text for text, left_out in zip(texts, doubtful, strict=True) if not left_out]
    values, lengths = reference.encode(texts)
    others, counts = engine.encode(texts)
    if not np.array_equal(lengths, counts):
        row = int(np.argmax(lengths != counts))
        return f"it gives {counts[row]} tokens instead of {lengths[row]} for {texts[row][:40]!r}"
    if not np.array_equal(values, others):
        at = int(np.argmax(values != others))
        row = int(np.searchsorted(np.cumsum(lengths), at, side="right"))
        return f"it gives other ids for {texts[row][:40]!r}"
    return None
