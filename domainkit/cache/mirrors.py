"""Addresses: the same file on a mirror, and an address fit to be shown."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

__all__ = ["mirrored", "without_login"]


def mirrored(urls: Sequence[str]) -> list[str]:
    """The addresses of these files on the mirrors of DOMAINKIT_MIRROR, the first mirror first.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, {"DOMAINKIT_MIRROR": "https://m/x, file:///n"}):
        ...     mirrored(["https://host/a/b?c=1"])
        ['https://m/x/host/a/b?c=1', 'file:///n/host/a/b']
    """
    mirrors = re.split(r"[\s,]+", os.environ.get("DOMAINKIT_MIRROR", "").strip())
    found = []
    for mirror in filter(None, mirrors):
        for url in urls:
            plain = _on_the_web(url)
            parts = urlsplit(plain)
            if plain.startswith(mirror) or parts.scheme == "file":
                continue
            host = parts.netloc.rpartition("@")[2]
            query = f"?{parts.query}" if parts.query and not mirror.startswith("file:") else ""
            found.append(f"{mirror.rstrip('/')}/{host}{parts.path}{query}")
    return found


def without_login(url: str) -> str:
    """The address without a name and password in it.

    Example:
        >>> without_login("https://me:secret@host:8000/a?b=1")
        'https://host:8000/a?b=1'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _on_the_web(url: str) -> str:
    if not url.startswith("hf:"):
        return url
    from domainkit.cache.sources import hugging_face

    return hugging_face.address(url)
