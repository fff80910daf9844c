"""The members of an archive one by one, whatever its format and wherever it lies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from os import PathLike
from typing import BinaryIO

from domainkit.archive.gate import Gate
from domainkit.archive.limits import Limits
from domainkit.archive.member import Member
from domainkit.archive.sources import peek, source_of, spooled
from domainkit.archive.streams import told
from domainkit.archive.tars import walk_tar
from domainkit.archive.zips import walk_zip
from domainkit.errors import ArchiveError, nearest

__all__ = ["read_member", "walk"]

# a member, the end of an empty zip, the marks of one that was to be split and fitted in one part
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00PK")


def walk(
    source: str | PathLike[str] | Member | BinaryIO, *, limits: Limits | None = None
) -> Iterator[Member]:
    """The files of a zip or tar(.gz/.bz2/.xz/.zst), checked for safety, in archive order.

    Folders and symbolic links that stay inside are passed over; a hard link is a file. A zip is one
    by its first bytes: a program that unpacks itself is refused. Nothing is
    extracted and, but for the list of names, memory use does not grow with the archive.

    An archive in an archive is read by walking the member. Both then share one budget, that of the
    outermost. A zip is read from its end: one that cannot seek (a member, a pipe) is copied first,
    in memory up to 16 MiB, beyond that to a file without a name in ``tempfile.gettempdir()``. So is
    what lies before a hard link of a compressed tar when the link is read. Such copies count as
    expanded bytes.

    What can be promised: data of a zip's member that were read to their end are what was packed,
    and so are all data of a compressed tar that was walked to its end, if its compression has a
    checksum (gzip, bzip2 and xz do). A plain tar has checksums of its headers alone, and a zip none
    of its list of members (names are written twice there and are compared when a member is read):
    only the file's digest tells. A file that is cut off is always told.

    Args:
        source: a path, a member of an archive that is being walked, or a binary stream.
        limits: how far it may expand; a member has those of its archive.

    Raises:
        ArchiveError: neither zip nor tar, damaged, cut off, or a member that is not safe; names
            the archive and the member.
        MissingExtraError: a ``.zst`` on a Python without zstd and without the extra ``zstd``.

    Example:
        >>> import io, tempfile, zipfile
        >>> inner = io.BytesIO()
        >>> with zipfile.ZipFile(inner, "w") as file:
        ...     file.writestr("1.txt", "woof")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with zipfile.ZipFile(f"{folder}/a.zip", "w") as file:
        ...         file.writestr("dogs.zip", inner.getvalue())
        ...     for member in walk(f"{folder}/a.zip"):
        ...         [(m.name, m.size, m.read()) for m in walk(member)]
        [('1.txt', 4, b'woof')]
    """
    origin = source_of(source, limits)
    gate = Gate(origin.place)
    with ExitStack() as stack:
        stream = stack.enter_context(origin.open())
        with told(gate.label):
            head, stream = peek(stream)
            if head.startswith(_ZIP):
                stream = stack.enter_context(spooled(stream, origin.place))
        if head.startswith(_ZIP):
            members = walk_zip(stream, gate)
        else:
            members = walk_tar(stream, head, gate, origin)
        for member in members:
            try:
                yield member
            finally:  # also where the walk is given up
                member._expire()


def read_member(
    source: str | PathLike[str] | Member | BinaryIO, name: str, *, limits: Limits | None = None
) -> bytes:
    """The data of the one member called ``name``; the archive is read up to it.

    Raises:
        ArchiveError: no such member (the nearest names are offered), or as ``walk``.

    Example:
        >>> import tempfile, zipfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with zipfile.ZipFile(f"{folder}/a.zip", "w") as file:
        ...         file.writestr("classes.txt", "cat dog")
        ...     read_member(f"{folder}/a.zip", "classes.txt")
        b'cat dog'
    """
    seen: list[str] = []
    label = ""
    for member in walk(source, limits=limits):
        if member.name == name:
            return member.read()
        label = member.outer.label
        if len(seen) < 1000:  # enough to offer the nearest
            seen.append(member.name)
    raise ArchiveError(f"{label or source}: has no member {name!r}. {nearest(name, seen)}")
