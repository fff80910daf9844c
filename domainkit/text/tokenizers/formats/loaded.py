"""What every reader of tokenizer files gives: the library's tokenizer and what goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Loaded", "mark_special"]


@dataclass(frozen=True)
class Loaded:
    """A tokenizer of the ``tokenizers`` library, and what its file says besides.

    ``roles`` maps "pad", "unk", "cls", "sep", "mask", "bos" and "eos" to the token of that role,
    where the file names it. ``model`` holds the bytes of a SentencePiece model.
    """

    library: Any
    roles: Mapping[str, str] = field(default_factory=dict)
    model: bytes | None = None


def mark_special(library: Any, tokens: list[str], *, before: tuple[str, ...] = ()) -> None:
    """Make those of ``tokens`` that are in the vocabulary special: found in the text as they are.

    A token of ``before`` takes in the space before it (RoBERTa's "<mask>").
    """
    from tokenizers import AddedToken

    known = [token for token in tokens if library.token_to_id(token) is not None]
    library.add_special_tokens(
        [AddedToken(t, normalized=False, special=True, lstrip=t in before) for t in known]
    )
