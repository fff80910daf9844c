"""A private dataset as a user would keep it: a card, a small file beside it, and a reader."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from domainkit.errors import ReaderError

__all__ = ["Plain", "facts", "not_a_reader", "read_rows", "toml", "write_card"]

ROWS = "null 0\neins 1\nzwölf 12\n"


class Plain(str):
    """Something that stands in TOML as it is, such as a date."""


def facts(rows: str = ROWS) -> dict[str, Any]:
    """The fields of a well-formed card, for the file ``rows.txt`` that holds ``rows``."""
    data = rows.encode()
    return {
        "name": "vision/own",
        "task": "testing",
        "summary": "Numbers and their names.",
        "homepage": "https://example.org/own",
        "license": "CC0-1.0",
        "citation": "Nobody.",
        "files": {
            "rows": {
                "path": "rows.txt",
                "sha256": hashlib.sha256(data).hexdigest(),
                "size": len(data),
            }
        },
        "features": {"word": {"type": "Text"}, "number": {"type": "Int"}},
        "splits": {
            "train": {
                "rows": len(rows.splitlines()),
                "reader": "support.own_card:read_rows",
                "files": {"lines": "rows"},
            }
        },
    }


def write_card(folder: Path, changes: Mapping[str, Any] | None = None, rows: str = ROWS) -> Path:
    """Write ``folder/vision/own.toml`` and its file.

    ``changes`` maps dotted fields to values, ``{"splits.train.rows": 4}``; None takes a field away.
    """
    data = facts(rows)
    for field, value in (changes or {}).items():
        *path, last = field.split(".")
        table = data
        for key in path:
            table = table[key]
        if value is None:
            del table[last]
        else:
            table[last] = copy.deepcopy(value)
    card = folder / "vision" / "own.toml"
    (folder / "vision" / "own").mkdir(parents=True, exist_ok=True)
    (folder / "vision" / "own" / "rows.txt").write_bytes(rows.encode())
    card.write_text("".join(f"{k} = {toml(v)}\n" for k, v in data.items()), encoding="utf-8")
    return card


def toml(value: Any) -> str:
    if isinstance(value, Plain):
        return str(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def read_rows(
    files: Mapping[str, Path], split: str, upper: bool = False, marker: str = "", fail: int = -1
) -> Iterator[dict[str, Any]]:
    """Rows of "word number"; leaves a line in the file ``marker`` each time it runs."""
    if marker:
        with open(marker, "a", encoding="utf-8") as out:
            out.write(f"{os.getpid()} {split}\n")
    for i, line in enumerate(files["lines"].read_text(encoding="utf-8").splitlines()):
        if i == fail:
            raise ReaderError(f"{files['lines'].name}: line {i} is not to be read")
        word, number = line.split()
        yield {"word": word.upper() if upper else word, "number": number}


not_a_reader = "a string"
