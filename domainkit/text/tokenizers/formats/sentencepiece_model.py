"""What a SentencePiece ``.model`` file says: its pieces, and how text is normalized before.

The file is a ``ModelProto`` of sentencepiece_model.proto (github.com/google/sentencepiece); the
field numbers and defaults below are those of that file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from domainkit.errors import DecodeError
from domainkit.text.tokenizers.formats.protobuf import fields

__all__ = ["BYTE", "CONTROL", "NORMAL", "UNKNOWN", "USER", "Piece", "SentencePieceModel", "parse"]

NORMAL, UNKNOWN, CONTROL, USER, BYTE = 1, 2, 3, 4, 6  # 5 is "unused"
KINDS = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}


@dataclass(frozen=True)
class Piece:
    """One entry of the vocabulary; ``type`` is one of the numbers above."""

    text: str
    score: float
    type: int


@dataclass
class SentencePieceModel:
    """A parsed ``.model``; ``pieces[i]`` has the id ``i``.

    ``charsmap`` is the compiled table of the normalizer, empty for none.
    """

    pieces: list[Piece] = field(default_factory=list)
    kind: str = "unigram"
    byte_fallback: bool = False
    space_behind: bool = False  # "treat_whitespace_as_suffix"
    unk_id: int = 0
    bos_id: int = 1
    eos_id: int = 2
    pad_id: int = -1
    charsmap: bytes = b""
    add_dummy_prefix: bool = True
    remove_extra_whitespaces: bool = True
    escape_whitespaces: bool = True


def parse(data: bytes) -> SentencePieceModel:
    """Read the bytes of a ``.model`` file.

    Raises:
        DecodeError: they are no SentencePiece model.

    Example:
        >>> parse(bytes([10, 10, 10, 3, 226, 150, 129, 21, 0, 0, 128, 191])).pieces
        [Piece(text='▁', score=-1.0, type=1)]
    """
    model = SentencePieceModel()
    try:
        for number, value in fields(data):
            if number == 1:
                model.pieces.append(_piece(_bytes(value)))
            elif number == 2:
                _trainer(model, _bytes(value))
            elif number == 3:
                _normalizer(model, _bytes(value))
    except UnicodeDecodeError as error:
        raise DecodeError(f"no SentencePiece model: a piece is not UTF-8 ({error})") from error
    if not model.pieces:
        raise DecodeError("no SentencePiece model: it holds no pieces")
    return model


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise DecodeError("no SentencePiece model: a number stands where a message should")
    return value


def _piece(message: bytes) -> Piece:
    found: dict[int, Any] = dict(fields(message))
    return Piece(
        _bytes(found.get(1, b"")).decode(), float(found.get(2, 0.0)), int(found.get(3, NORMAL))
    )


def _trainer(model: SentencePieceModel, message: bytes) -> None:
    found: dict[int, Any] = dict(fields(message))
    kind = found.get(3, 1)
    if kind not in KINDS:
        raise DecodeError(f"a SentencePiece model of the unknown type {kind}")
    model.kind = KINDS[kind]
    model.space_behind = bool(found.get(24, 0))
    model.byte_fallback = bool(found.get(35, 0))
    ids = ((40, "unk_id"), (41, "bos_id"), (42, "eos_id"), (43, "pad_id"))
    for number, name in ids:
        setattr(model, name, _signed(found.get(number, getattr(model, name))))


def _normalizer(model: SentencePieceModel, message: bytes) -> None:
    found: dict[int, Any] = dict(fields(message))
    model.charsmap = _bytes(found.get(2, b""))
    model.add_dummy_prefix = bool(found.get(3, 1))
    model.remove_extra_whitespaces = bool(found.get(4, 1))
    model.escape_whitespaces = bool(found.get(5, 1))


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value  # -1 is written as 64 ones
