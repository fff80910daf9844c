"""What a tokenizer puts around one text or two: read from its post-processor, applied by numpy.

The library applies it text by text and makes an object of each token; here the texts of a batch lie
one behind the other, and the special tokens go in between in one pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from domainkit.errors import DecodeError

__all__ = ["Template", "read_templates"]


@dataclass(frozen=True)
class Template:
    """The parts of one row, in order: ``(id, type)`` for a special token, ``("A", type)`` a text.

    The type is 0 or 1: which of two sentences BERT takes it for.
    """

    parts: tuple[tuple[int | str, int], ...]

    @property
    def added(self) -> int:
        """How many special tokens a row gets."""
        return sum(isinstance(what, int) for what, _ in self.parts)

    @property
    def texts(self) -> tuple[str, ...]:
        """ "A" and "B" in the order in which they come."""
        return tuple(what for what, _ in self.parts if isinstance(what, str))

    def bare(self) -> Template:
        """The same without its special tokens."""
        return Template(tuple(part for part in self.parts if isinstance(part[0], str)))

    def insert(self, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where everything goes.

        Args:
            lengths: int64 [rows, texts], tokens of each text in the order of ``texts``.

        Returns:
            int64 [rows] tokens of each row; bool [tokens], True where a token of a text goes; and
            int64 ids [tokens], with the special ones filled in.
        """
        rows = lengths.sum(axis=1) + self.added
        starts = np.cumsum(rows) - rows
        ids = np.empty(int(rows.sum()), np.int64)
        is_text = np.ones(len(ids), bool)
        before, at = 0, starts.copy()
        for what, _ in self.parts:
            if isinstance(what, str):
                at = at + lengths[:, before]
                before += 1
            else:
                ids[at] = what
                is_text[at] = False
                at = at + 1
        return rows, is_text, ids

    def types(self, lengths: np.ndarray) -> np.ndarray:
        """int64 [tokens]: the type of every token of every row."""
        counts = np.ones((len(lengths), len(self.parts)), np.int64)
        texts = [i for i, (what, _) in enumerate(self.parts) if isinstance(what, str)]
        counts[:, texts] = lengths
        types = np.array([kind for _, kind in self.parts], np.int64)
        return np.repeat(np.tile(types, len(lengths)), counts.ravel())


_PLAIN = (Template((("A", 0),)), Template((("A", 0), ("B", 1))))


def read_templates(
    post_processor: Mapping[str, Any], special_tokens: bool = True
) -> tuple[Template, Template]:
    """The templates of one text and of a pair, from a post-processor as its JSON says it.

    Raises:
        DecodeError: a post-processor of an unknown kind, whose special tokens are wanted.
    """
    if not special_tokens:
        try:
            single, pair = _both(post_processor)
        except DecodeError:
            return _PLAIN
        return single.bare(), pair.bare()
    return _both(post_processor)


def _both(post_processor: Mapping[str, Any]) -> tuple[Template, Template]:
    kind = post_processor.get("type")
    if kind in (None, "ByteLevel"):  # it moves offsets and adds nothing
        return _PLAIN
    if kind == "TemplateProcessing":
        return (_read(post_processor, "single"), _read(post_processor, "pair"))
    if kind in ("BertProcessing", "RobertaProcessing"):
        cls, sep = post_processor["cls"][1], post_processor["sep"][1]
        single: tuple[tuple[int | str, int], ...] = ((cls, 0), ("A", 0), (sep, 0))
        if kind == "BertProcessing":
            return Template(single), Template((*single, ("B", 1), (sep, 1)))
        return Template(single), Template((*single, (sep, 0), ("B", 0), (sep, 0)))
    if kind == "Sequence":
        steps = [_both(step) for step in post_processor["processors"]]
        adding = [step for step in steps if step != _PLAIN]
        if len(adding) <= 1:
            return adding[0] if adding else _PLAIN
        kind = "Sequence of several that add tokens"
    raise DecodeError(
        f"the tokenizer's post-processor {kind} is not known: encode with special_tokens=False"
    )


def _read(processor: Mapping[str, Any], key: str) -> Template:
    parts: list[tuple[int | str, int]] = []
    for item in processor[key]:
        ((name, what),) = item.items()
        if name == "Sequence":
            parts.append((str(what["id"]), int(what["type_id"])))
        else:
            ids = processor["special_tokens"][what["id"]]["ids"]
            parts += [(int(i), int(what["type_id"])) for i in ids]
    return Template(tuple(parts))
