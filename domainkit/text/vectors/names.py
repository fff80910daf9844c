"""Published vectors by name: where they are fetched from, out of ``names.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from domainkit.errors import NotFoundError, nearest

__all__ = ["Published", "known_names", "published"]

_LANGUAGE = "[a-z][a-z0-9_-]*"
_TORCHTEXT = (  # what its Vocab and load_vectors called them
    (r"glove\.(?:6B|42B|840B|twitter\.27B)\.\d+d", lambda n: n.lower().replace(".", "-")),
    (r"fasttext\.(?:en|simple)\.300d", lambda n: f"fasttext-wiki-{n.split('.')[1]}"),
    (r"charngram\.100d", lambda n: "char-ngram-100d"),
)


@dataclass(frozen=True)
class Published:
    """A file of vectors that somebody published.

    Attributes:
        urls: addresses of the same file.
        digest: as ``domainkit.cache.fetch`` takes it; None where no digest was ever published.
        member: its path in the archive, or the last part of it.
        kind: what ``Vectors.open`` takes, None where it tells by itself.
        dim: numbers per word, where the file's first line does not tell.
        license: of the vectors.
    """

    urls: tuple[str, ...]
    digest: str | None = None
    member: str | None = None
    kind: str | None = None
    dim: int | None = None
    license: str = ""


@cache
def _entries() -> list[dict[str, Any]]:
    text = Path(__file__).with_name("names.toml").read_text(encoding="utf-8")
    return list(tomllib.loads(text).values())


def known_names() -> list[str]:
    """All names; ``{lang}`` stands for any language that the publisher has.

    Example:
        >>> known_names()[:2]
        ['char-ngram-100d', 'fasttext-crawl-{lang}']
    """
    names = []
    for entry in _entries():
        for value in entry.get("values", [None]):
            names.append(re.sub(r"\{\w+\}", value, entry["name"]) if value else entry["name"])
    return sorted(names)


def published(name: str) -> Published:
    """Where the vectors of that name are; torchtext's names (``glove.6B.100d``) are known too.

    Raises:
        NotFoundError: no such name; offers the nearest ones.

    Example:
        >>> published("glove-6b-100d").member
        'glove.6B.100d.txt'
    """
    for pattern, ours in _TORCHTEXT:
        if re.fullmatch(pattern, name):
            name = ours(name)
    found = [(entry, part) for entry in _entries() if (part := _part(entry, name)) is not None]
    if not found:
        raise NotFoundError(f"no vectors are called {name!r}. {nearest(name, known_names())}")
    # "fasttext-crawl-de-subword" is also "fasttext-crawl-{lang}": the longest pattern counts
    entry, part = max(found, key=lambda pair: len(pair[0]["name"]))

    def filled(text: str) -> str:
        return re.sub(r"\{\w+\}", part, text)

    return Published(
        urls=tuple(filled(url) for url in entry["urls"]),
        digest=entry.get("digest"),
        member=filled(entry["member"]) if "member" in entry else None,
        kind=entry.get("kind"),
        dim=entry.get("dim"),
        license=entry["license"],
    )


def _part(entry: dict[str, Any], name: str) -> str | None:
    """What stands in ``name`` for the part in braces, "" where there is none; None if no match."""
    values = "|".join(map(re.escape, entry.get("values", []))) or _LANGUAGE
    before, brace, after = entry["name"].partition("{")
    after = after.partition("}")[2]
    pattern = re.escape(before) + (f"({values})" if brace else "()") + re.escape(after)
    found = re.fullmatch(pattern, name)
    return None if found is None else found[1]
