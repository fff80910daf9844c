"""Web pages that come in place of files: a login, a licence, a quota that is used up."""

from __future__ import annotations

import re

__all__ = ["looks_like_page"]

_BEFORE = re.compile(rb"\s*(<\?xml.*?\?>|<!--.*?-->)", re.DOTALL)
_PAGE = re.compile(rb"\s*<(!doctype html|html|head|body|title|meta|script)\b", re.IGNORECASE)


def looks_like_page(head: bytes) -> bool:
    """Whether a file begins like a web page; ``head`` is its first bytes, some hundred.

    Example:
        >>> looks_like_page(b"<?xml version='1.0'?><!-- saved -->\\n<!DOCTYPE html><html>")
        True
        >>> looks_like_page(b"<?xml version='1.0'?><annotation>"), looks_like_page(b"PK")
        (False, False)
    """
    rest = head.removeprefix(b"\xef\xbb\xbf")
    while found := _BEFORE.match(rest):
        rest = rest[found.end() :]
    return _PAGE.match(rest) is not None
