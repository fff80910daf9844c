"""Bytes that are here already, brought under another key: two cards may name the same file by an
md5, by a sha256 and by nothing.

What a card asks for is looked for among the records. A full sha256 names the content, which needs
no reading. Without a digest the first address says it is the same file, and what was fetched from
there first is what is trusted; a record names all addresses that were given, of which one sent the
bytes, so that another one in common says nothing. Any other digest is computed: of the files from
the same address, and of those with the very size that the card gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from domainkit.cache.digest import Digest, sums_of
from domainkit.cache.records import Entry, read_records
from domainkit.progress import bar

__all__ = ["candidate", "hold_to"]


def candidate(
    base: Path,
    urls: Sequence[str],
    promise: Digest | None,
    size: int | None,
    remembered: Digest | None,
) -> Entry | None:
    """A whole file of the cache at ``base`` that has the bytes asked for.

    Args:
        remembered: the sha256 that a file without a digest is held to.
    """
    seen = set()
    for entry in read_records(base):
        if entry.sha256 in seen or not entry.whole or size not in (None, entry.size):
            continue
        same_address = not set(urls).isdisjoint(entry.urls)
        if promise is None:
            # of a record's addresses the first is the one that is trusted
            trusted = bool(entry.urls) and entry.urls[0] in urls
            fits = trusted and (remembered is None or remembered.digits == entry.sha256)
        elif promise.algorithm == "sha256":
            # a few digits alone could be anybody's
            near = promise.addresses or same_address or size is not None
            fits = near and entry.sha256.startswith(promise.digits)
        elif same_address or size is not None:
            seen.add(entry.sha256)  # no need to read them twice
            fits = hold_to(entry, promise)
        else:
            fits = False
        if fits:
            return entry
    return None


def hold_to(entry: Entry, promise: Digest) -> bool:
    """Whether the bytes on disk are those recorded, and have the promised digest too."""
    try:
        with bar(f"check {entry.path.name}", entry.size, "B") as shown:
            sums = sums_of(entry.path, promise.algorithm, advance=shown.advance)
    except OSError:
        return False
    return sums.hex("sha256") == entry.sha256 and promise.matches(sums)
