"""The data behind the hard links of a tar that is read forward only.

A hard link is a second name of a file, and who unpacks a tar gets two ordinary files: to pass over
it would lose a row of a dataset in silence. In a plain tar its data are a seek away. Of a
compressed one, what lies before the link is unpacked a second time into a copy that can be sought
in, once for all links; links that nobody reads cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import BinaryIO

from domainkit.archive.gate import Gate
from domainkit.archive.sources import Copy, Source, peek
from domainkit.archive.streams import expanded, told
from domainkit.archive.tar_file import Tar
from domainkit.errors import ArchiveError

__all__ = ["SecondReader"]


class SecondReader:
    """Gives earlier files of the tar in ``source`` again."""

    def __init__(self, source: Source, gate: Gate) -> None:
        self._source = source
        self._gate = gate
        self._stack = ExitStack()
        self._copy: Copy | None = None
        self._tar: Tar | None = None

    def opener(self, name: str, offset: int, before: int) -> Callable[[], BinaryIO]:
        """What opens the data of the file whose header is at ``offset``, all of it ``before``."""

        def start() -> BinaryIO:
            with told(f"{self._gate.label}: member {name!r}"):
                copy = self._copy = self._copy or self._start(name)
                copy.grow(before, name)
                copy.file.seek(0)
                if self._tar is None:
                    self._tar = Tar(copy.file, b"", self._gate.label, self._gate.layer)
                    self._stack.callback(self._tar.close)
                return self._tar.opener(self._tar.at(offset, name), name)()

        return start

    def close(self) -> None:
        self._stack.close()

    def _start(self, name: str) -> Copy:
        place = self._gate.place
        try:
            opened = self._stack.enter_context(self._source.open())
        except ArchiveError as error:
            raise ArchiveError(
                f"{place.label}: member {name!r} is a hard link, and for the data that it names "
                f"the archive has to be read a second time: {error}"
            ) from error
        head, stream = peek(opened)
        copy = Copy(expanded(stream, head, place.label)[0], place)
        self._stack.callback(copy.file.close)
        return copy
