"""Tokenizers by the name of their model: where ``names.toml`` says their files are."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from domainkit.errors import NotFoundError, nearest

__all__ = ["as_known", "fetch_named", "known_names"]


def known_names() -> dict[str, dict[str, Any]]:
    """What ``names.toml`` holds: url, sha256 where known, and arguments of ``from_file``.

    Example:
        >>> "bert-base-uncased" in known_names()
        True
    """
    return tomllib.loads((Path(__file__).parent / "names.toml").read_text(encoding="utf-8"))


def as_known(name: str) -> str | None:
    """The name under which ``names.toml`` has a tokenizer: its own, or "owner/name" of the hub.

    Example:
        >>> as_known("google-bert/bert-base-uncased"), as_known("somebody/bert-base-uncased")
        ('bert-base-uncased', None)
    """
    known = known_names()
    if name in known:
        return name
    hub = f"https://huggingface.co/{name}/resolve/"
    return next((key for key, facts in known.items() if facts["url"].startswith(hub)), None)


def fetch_named(name: str) -> tuple[Path, dict[str, Any]]:
    """The file of a name, through the cache, and the arguments of ``from_file`` for it.

    Raises:
        NotFoundError: a name that ``names.toml`` does not have.
        FetchError: the file could not be fetched.
    """
    known = known_names()
    facts = known.get(as_known(name) or name)
    if facts is None:
        raise NotFoundError(
            f"There is no tokenizer called {name!r}. {nearest(name, known)} Others come by "
            "Tokenizer.from_file."
        )
    from domainkit import cache

    digest = f"sha256:{facts['sha256']}" if "sha256" in facts else None
    return cache.fetch(facts["url"], digest=digest), dict(facts.get("args", {}))
