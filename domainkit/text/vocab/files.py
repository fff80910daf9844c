"""A vocabulary as a file: JSON in UTF-8, one token a line, so that any token survives.

{"format": "domainkit-vocab-1", "default_index": 0, "size": 2, "tokens":
["<unk>",
"the"]}
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from domainkit.errors import DecodeError

__all__ = ["read_lines", "read_vocab", "write_vocab"]

_FORMAT = "domainkit-vocab-1"


def write_vocab(path: Path, tokens: Sequence[str], default_index: int | None) -> None:
    """Write tokens to ``path``, which has its old content or all of the new one at any time."""
    head = {"format": _FORMAT, "default_index": default_index, "size": len(tokens)}
    lines = (",\n", ":")  # the compact form is many times faster than one with an indent
    try:
        data = json.dumps(list(tokens), ensure_ascii=False, separators=lines).encode()
    except UnicodeEncodeError:  # half of a pair of surrogates, which UTF-8 has no bytes for
        data = json.dumps(list(tokens), separators=lines).encode()
    _replace(path, json.dumps(head)[:-1].encode() + b', "tokens":\n' + data + b"}\n")


def read_vocab(path: Path) -> tuple[list[str], int | None]:
    """The tokens and the default that ``write_vocab`` wrote.

    Raises:
        DecodeError: another format, or damaged.
    """
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise DecodeError(
            f"{path}: is no vocabulary that Vocab.save wrote, or is cut off ({error}). A plain "
            "list of tokens is read by Vocab.from_lines."
        ) from error
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        raise DecodeError(f"{path}: is no vocabulary of format {_FORMAT!r}, save it again")
    tokens = found.get("tokens")
    if not isinstance(tokens, list) or len(tokens) != found.get("size"):
        raise DecodeError(f"{path}: should have {found.get('size')} tokens: it is damaged")
    return tokens, found.get("default_index")


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without the empty one behind its last line break.

    Raises:
        DecodeError: not UTF-8.
    """
    try:
        lines = path.read_bytes().decode().replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise DecodeError(f"{path}: holds no list of tokens in UTF-8: {error}") from error
    return lines[:-1] if lines[-1] == "" else lines


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.new")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
