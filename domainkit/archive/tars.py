"""The members of a tar, plain or compressed, each checked before it is handed out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

from domainkit.archive.gate import Gate
from domainkit.archive.hard_links import SecondReader
from domainkit.archive.member import Member
from domainkit.archive.sources import Source
from domainkit.archive.tar_file import Tar

__all__ = ["walk_tar"]

_LABEL, _DUMPED_FOLDER = b"V", b"D"  # GNU tar's, of a volume and of an incremental dump


def walk_tar(stream: BinaryIO, head: bytes, gate: Gate, source: Source) -> Iterator[Member]:
    """The members of the tar in ``stream``, which ``source`` can give once more for hard links."""
    last = ""
    with (
        closing(Tar(stream, head, gate.label, gate.layer)) as tar,
        closing(SecondReader(source, gate)) as again,
    ):
        while (info := tar.next(last)) is not None:
            if info.type == _LABEL:
                continue
            last = name = gate.name(info.name)
            if info.isdir() or info.type == _DUMPED_FOLDER:
                continue
            if info.issym():
                gate.link(name, info.linkname)
                continue
            if info.islnk():
                target = gate.inside(name, info.linkname, "")
                if gate.is_link(target):  # two names of one symbolic link
                    gate.same_link(name)
                    continue
                note = gate.note(target)
                if note is None:
                    raise gate.refuse(
                        name, f"is a hard link to {info.linkname!r}, which is no earlier file"
                    )
                offset, size = note
                if tar.forward:
                    opener = again.opener(name, offset, tar.offset)
                else:
                    opener = tar.opener(tar.at(offset, name), name)
                gate.file(name, size, note)
            elif info.isreg():
                size, opener = info.size, tar.opener(info, name)
                ahead = not (tar.packed or info.issparse())
                gate.file(name, size, (info.offset, size), ahead=ahead)
            else:
                raise gate.refuse(name, "is a device or another special file")
            yield Member(gate.place, name, size, opener)
