"""Archives read as streams: the members of a zip or tar one by one, nothing ever extracted.

The format is told by content, never by file name: zip, and tar plain or compressed by gzip,
bzip2, xz or zstd. Archives come from strangers, so every member is checked before it is handed
out, and what breaks a rule is refused by the member's name: absolute names and ``..``, links that
leave, devices, encrypted members, two members of one name or of names that differ by case alone,
members that overlap, expansion beyond ``Limits`` (also of archives in archives), compressions that
are not read, and damaged or cut-off data (``tarfile`` alone takes some of that for the end).
Symbolic links that stay inside are passed over; a hard link is a second name of a file, and is
handed out as a file.

The rules follow CPython's ``tarfile`` data filter (PEP 706) and, for expansion, D. Fifield, "A
better zip bomb", WOOT 2019. Reading in archive order is fast in every format; a second pass over
a compressed tar decompresses it again.
"""

from __future__ import annotations

from domainkit.archive.limits import Limits
from domainkit.archive.member import Member
from domainkit.archive.members import read_member, walk
from domainkit.archive.streams import open_stream

__all__ = ["Limits", "Member", "open_stream", "read_member", "walk"]
