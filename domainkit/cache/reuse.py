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
from domainkit.cache.records import Entry, Facts, read_records
from domainkit.progress import bar

__all__ = ["candidate", "hold_to"]


def candidate(
    base: Path,
    sources: Sequence[str],
    promise: Digest | None,
    size: int | None,
    remembered: Digest | None,
) -> Entry | None:
    """A whole file of the cache at ``base`` that has the bytes asked for.

    Args:
        sources: the addresses that were given, each as ``mirrors.same_file`` says.
        remembered: the sha256 that a file without a digest is held to.
    """
    wanted, seen = set(sources), set()

    def may_fit(facts: Facts) -> bool:
        """What can be told without a look at the bytes."""
        if size not in (None, facts.size):
            return False
        near = size is not None or not wanted.isdisjoint(facts.sources)
        if promise is None:
            # of a record's addresses the first is the one that is trusted
            trusted = facts.sources[:1] != () and facts.sources[0] in wanted
            return trusted and (remembered is None or remembered.digits == facts.sha256)
        if promise.algorithm == "sha256":
            # a few digits alone could be anybody's
            return (promise.addresses or near) and facts.sha256.startswith(promise.digits)
        return near

    for entry in read_records(base, may_fit):
        if entry.sha256 in seen or not entry.whole:
            continue
        if promise is None or promise.algorithm == "sha256" or hold_to(entry, promise):
            return entry
        seen.add(entry.sha256)  # no need to read them twice
    return None


def hold_to(entry: Entry, promise: Digest) -> bool:
    """Whether the bytes on disk are those recorded, and have the promised digest too."""
    try:
        with bar(f"check {entry.path.name}", entry.size, "B") as shown:
            sums = sums_of(entry.path, promise.algorithm, advance=shown.advance)
    except OSError:
        return False
    return sums.hex("sha256") == entry.sha256 and promise.matches(sums)
