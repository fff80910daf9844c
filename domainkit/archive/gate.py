"""The rules that hold for every member of an archive, whatever its format."""

from __future__ import annotations

import posixpath
import re
import unicodedata

from domainkit.archive.limits import Layer
from domainkit.archive.sources import Place
from domainkit.errors import ArchiveError

__all__ = ["Gate"]

Note = tuple[int, int] | None  # of a tar's file: where its header is, and its size


class Gate:
    """Every name of one archive comes through here once."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.label = place.label
        self.limits = place.budget.limits
        self.layer = Layer(place.budget, place.label)
        self.total = 0
        # a name as it is compared -> where in a tar the file is; None for a link
        self.notes: dict[str, Note] = {}
        self.written: dict[str, str] = {}  # ... -> as it is written, if otherwise

    def refuse(self, name: str, why: str) -> ArchiveError:
        return ArchiveError(
            f"{self.label}: member {name!r} {why}. The archive is not safe to read; "
            "fetch it from its publisher again or repack it."
        )

    def name(self, raw: str) -> str:
        """The name without ``./``, refused where it points outside; "" is the root itself."""
        budget = self.place.budget
        budget.members += 1
        if budget.members > self.limits.max_members:
            raise self.refuse(raw, f"is one more than the {self.limits.max_members:,} allowed")
        if raw.startswith(("/", "\\")) or (raw[1:2] == ":" and re.match(r"[A-Za-z]:[\\/]", raw)):
            raise self.refuse(raw, "has an absolute name")
        if ".." in raw and ".." in re.split(r"[\\/]", raw):
            raise self.refuse(raw, "has '..' in its name")
        if "\0" in raw:
            raise self.refuse(raw, "has a NUL byte in its name")
        return clean(raw)

    def file(self, name: str, size: int, note: Note = None, *, ahead: bool = False) -> None:
        """A file of that name and size.

        ``note`` can be asked for again. ``ahead`` means that the data lie unpacked in the archive:
        in a stream of unknown length they count once they have come by.
        """
        if size < 0:
            raise self.refuse(name, f"says that it has {size:,} bytes")
        self._take(name, note)
        self.layer.last = name
        later = size if ahead and self.place.budget.growing and self.place.depth == 1 else 0
        self.total += size
        self.layer.reach(self.total - later, "at member", name)

    def note(self, name: str) -> Note:
        """The note of an earlier file of exactly that name; None if there is none."""
        return self.notes.get(self._key(name)) if self._known(name) else None

    def is_link(self, name: str) -> bool:
        """Whether an earlier member of a tar has exactly that name and is a symbolic link."""
        return self._known(name) and self.notes[self._key(name)] is None

    def same_link(self, name: str) -> None:
        """Another name of an earlier symbolic link."""
        self._take(name, None)

    def link(self, name: str, target: str) -> None:
        """A symbolic link, which is passed over: its name is taken all the same."""
        self.inside(name, target, posixpath.dirname(name))
        self._take(name, None)

    def inside(self, name: str, target: str, base: str) -> str:
        """Where a link points that is told from the folder ``base``."""
        where = posixpath.normpath(posixpath.join(base, target))
        as_windows = posixpath.normpath(posixpath.join(base, target.replace("\\", "/")))
        if (
            as_windows.startswith("/")
            or as_windows.split("/")[0] == ".."
            or re.match(r"[A-Za-z]:[\\/]", target)
        ):
            raise self.refuse(name, f"is a link that leaves the archive, to {target!r}")
        return where

    def _key(self, name: str) -> str:
        return name if self.limits.case_clashes else folded(name)

    def _known(self, name: str) -> bool:
        key = self._key(name)
        return key in self.notes and self.written.get(key, key) == name

    def _take(self, name: str, note: Note) -> None:
        if not name:
            raise self.refuse(name, "is a file without a name")
        key = self._key(name)
        if key in self.notes:
            other = self.written.get(key, key)
            if other == name:
                raise self.refuse(name, "comes twice")
            raise ArchiveError(
                f"{self.label}: member {name!r} clashes with {other!r}: the names differ only by "
                "case or Unicode form, and one would overwrite the other where files are not told "
                "apart so. Repack it, or read it with limits=Limits(case_clashes=True): nothing "
                "is extracted here, and both are handed out."
            )
        self.notes[key] = note
        if key != name:
            self.written[key] = name


def clean(raw: str) -> str:
    """The plain form of a path; most names have it already, and normpath takes its time."""
    if "./" in raw or "//" in raw or raw.endswith(("/", ".")):
        plain = posixpath.normpath(raw)
        return "" if plain == "." else plain
    return raw


def folded(name: str) -> str:
    """Equal for names that a file system may take for one (Unicode's canonical caseless match)."""
    if name.isascii():
        return name.lower()
    decomposed = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFD", decomposed)
