"""Splitters: texts to lists of words by plain rules, as torchtext's ``get_tokenizer`` had them.

Each takes one text (str to list of str) or a batch (list of str to list of lists of str). For ids,
look the words up in a vocabulary; ``Tokenizer`` does both at once and is faster.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from domainkit.errors import NotFoundError, TransformError, nearest

__all__ = ["RegexSplitter", "basic_english", "get_splitter", "ngrams", "whitespace"]

# in two steps, with "<br />" between them: what a '"' hides becomes one
_FIRST = str.maketrans({"'": " ' ", '"': None, ".": " . "})
_SECOND = str.maketrans({**{c: f" {c} " for c in ",()!?"}, ";": " ", ":": " "})


@overload
def basic_english(texts: str) -> list[str]: ...
@overload
def basic_english(texts: list[str] | tuple[str, ...]) -> list[list[str]]: ...
def basic_english(texts: Any) -> Any:
    """Lower case; words and punctuation apart, as torchtext's "basic_english" has it.

    "'", ".", ",", "(", ")", "!" and "?" become words of their own; '"' goes; ";", ":" and "<br />"
    count as spaces.

    Raises:
        TransformError: neither a str nor a list of them.

    Example:
        >>> basic_english("It's a 'test': (Well) done!<br />Bye.")
        ['it', "'", 's', 'a', "'", 'test', "'", '(', 'well', ')', 'done', '!', 'bye', '.']
    """
    return _each(_basic_english, texts)


@overload
def whitespace(texts: str) -> list[str]: ...
@overload
def whitespace(texts: list[str] | tuple[str, ...]) -> list[list[str]]: ...
def whitespace(texts: Any) -> Any:
    """What stands between white space.

    Raises:
        TransformError: neither a str nor a list of them.

    Example:
        >>> whitespace(["a  b\\nc", ""])
        [['a', 'b', 'c'], []]
    """
    return _each(str.split, texts)


@dataclass(frozen=True)
class RegexSplitter:
    """Replace by regular expressions, one after the other, then cut at white space.

    Args:
        patterns: (pattern, replacement) pairs, as ``re.sub`` takes them.

    Raises:
        TransformError: a pattern that is no regular expression.

    Example:
        >>> RegexSplitter([(r"[^a-z ]", " ")])(["it's so", "3 words"])
        [['it', 's', 'so'], ['words']]
    """

    patterns: Sequence[tuple[str, str]]
    _compiled: tuple[tuple[re.Pattern[str], str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            compiled = tuple((re.compile(pattern), new) for pattern, new in self.patterns)
        except (re.error, TypeError, ValueError) as error:
            raise TransformError(
                f"RegexSplitter takes (pattern, replacement) pairs: {error}"
            ) from error
        object.__setattr__(self, "_compiled", compiled)

    @overload
    def __call__(self, texts: str) -> list[str]: ...
    @overload
    def __call__(self, texts: list[str] | tuple[str, ...]) -> list[list[str]]: ...
    def __call__(self, texts: Any) -> Any:
        return _each(self._split, texts)

    def _split(self, text: str) -> list[str]:
        for pattern, new in self._compiled:
            text = pattern.sub(new, text)
        return text.split()


_SPLITTERS: dict[str, Callable[[Any], Any]] = {
    "basic_english": basic_english,
    "whitespace": whitespace,
}


def get_splitter(name: str | None) -> Callable[[Any], Any]:
    """The splitter called ``name``: "basic_english" or "whitespace" (also for None).

    Raises:
        NotFoundError: no such splitter.

    Example:
        >>> get_splitter("basic_english")("You can now.")
        ['you', 'can', 'now', '.']
    """
    found = _SPLITTERS.get(name or "whitespace")
    if found is None:
        raise NotFoundError(f"There is no splitter {name!r}. {nearest(str(name), _SPLITTERS)}")
    return found


def ngrams(tokens: Sequence[str], n: int) -> Iterator[str]:
    """The tokens, then their pairs, and so on up to ``n`` neighbours, joined by spaces.

    Raises:
        TransformError: n below 1.

    Example:
        >>> list(ngrams(["here", "we", "are"], 2))
        ['here', 'we', 'are', 'here we', 'we are']
    """
    if n < 1:
        raise TransformError(f"ngrams takes n from 1 on, got {n}")
    return (
        " ".join(tokens[i : i + size])
        for size in range(1, n + 1)
        for i in range(len(tokens) - size + 1)
    )


def _basic_english(text: str) -> list[str]:
    return text.lower().translate(_FIRST).replace("<br />", " ").translate(_SECOND).split()


def _each(split: Callable[[str], list[str]], texts: Any) -> Any:
    if isinstance(texts, str):
        return split(texts)
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise TransformError(f"expected a str or a list of str, got {type(texts).__name__}")
    return [split(text) for text in texts]
