"""Tokenizers by the name of their model: where ``names.toml`` says their files are."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from domainkit.errors import NotFoundError, nearest

__all__ = ["fetch_named", "known_names"]


def known_names() -> dict[str, dict[str, Any]]:
    """What ``names.toml`` holds: url, sha256 where known, and arguments of ``from_file``.

    Example:
        >>> "bert-base-uncased" in known_names()
        True
    """
    return tomllib.loads((Path(__file__).parent / "names.toml").read_text(encoding="utf-8"))


def fetch_named(name: str) -> tuple[Path, dict[str, Any]]:
    """The file of a name, through the cache, and the arguments of ``from_file`` for it.

    Raises:
        NotFoundError: a name that ``names.toml`` does not have.
        FetchError: the file could not be fetched.
    """
    known = known_names()
    facts = known.get(name) or known.get(name.rpartition("/")[2].lower())  # "owner/name" too
    if facts is None:
        raise NotFoundError(
            f"There is no tokenizer called {name!r}. {nearest(name, known)} Others come by "
            "Tokenizer.from_file."
        )
    from domainkit import cache

    digest = f"sha256:{facts['sha256']}" if "sha256" in facts else None
    return cache.fetch(facts["url"], digest=digest), dict(facts.get("args", {}))
