"""One file in an archive, as a stream or as bytes, and an archive itself if it is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from domainkit.archive.sources import Place, Stream
from domainkit.archive.streams import Guard, told
from domainkit.errors import ArchiveError

__all__ = ["Member"]

_AT_ONCE = 16 << 20  # more is read in parts: a header may promise what is not there


class Member:
    """One file in an archive; its data may be read until the next member is asked for.

    ``walk`` and ``open_stream`` take it as they take a path: an archive in an archive is read where
    it lies.

    Attributes:
        name: posix path inside the archive, without a leading ``./``.
        size: expanded bytes.
        outer: the place of its archive.
        leftover: whether macOS put it there beside a file.
    """

    __slots__ = ("_opener", "name", "outer", "size")

    def __init__(self, outer: Place, name: str, size: int, opener: Callable[[], BinaryIO]) -> None:
        self.name = name
        self.size = size
        self.outer = outer
        self._opener: Callable[[], BinaryIO] | None = opener

    def __repr__(self) -> str:
        return f"Member({self.name!r}, {self.size:,} bytes)"

    @property
    def leftover(self) -> bool:
        """Whether macOS put it there beside a file, for what it knows of it: it is no data."""
        return self.name.rpartition("/")[2].startswith("._") or self.name.startswith("__MACOSX/")

    @property
    def place(self) -> Place:
        """Where it lies, for an archive read from it."""
        return self.outer.member(self.name)

    def open(self) -> BinaryIO:
        """The data as a stream; ArchiveError where the data is damaged."""
        place = self.place
        with told(place.label):
            inner = self._current()()
        return Stream(Guard(inner, place.label), place)

    def read(self) -> bytes:
        """The whole data; ArchiveError where it is damaged or shorter than promised."""
        label = f"{self.outer.label}: member {self.name!r}"
        with told(label), self._current()() as stream:
            # one byte more than promised, so that the end is seen
            data = stream.read(self.size + 1) if self.size < _AT_ONCE else stream.read()
        if len(data) != self.size:
            raise ArchiveError(
                f"{label} should have {self.size:,} bytes and has "
                f"{len(data):,}: the archive is damaged. Fetch it again."
            )
        return data

    def _current(self) -> Callable[[], BinaryIO]:
        if self._opener is None:
            raise ArchiveError(
                f"{self.outer.label}: member {self.name!r} was read after the walk had moved on "
                "or was dropped. Keep what walk() gave, and read a member before asking for the "
                "next one."
            )
        return self._opener

    def _expire(self) -> None:
        self._opener = None
