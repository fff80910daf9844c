"""The file that the tests of the cache fetch, and a look at what they leave."""

from __future__ import annotations

import hashlib
import random

from domainkit import cache

__all__ = ["DATA", "NAME", "SHA", "left_behind"]

DATA = random.Random(0).randbytes(300_000)
SHA = "sha256:" + hashlib.sha256(DATA).hexdigest()
NAME = "/host/set/data.bin"


def left_behind() -> list[str]:
    """Files in the cache, apart from the locks and the note of its layout."""
    base = cache.home()
    found = [path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file()]
    return sorted(name for name in found if not name.startswith(("locks/", "layout.json")))
