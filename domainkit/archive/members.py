"""The members of a zip or tar, one by one, each checked before it is handed out."""

from __future__ import annotations

import io
import posixpath
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from domainkit.archive.streams import (
    Guard,
    Limits,
    expanded,
    magic,
    told,
)
from domainkit.errors import ArchiveError, nearest

__all__ = ["Member", "read_member", "walk"]

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_TAR_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.XHDTYPE,
)


class Member:
    """One file in an archive; its data may be read until the next member is asked for.

    Attributes:
        name: posix path inside the archive, without a leading ``./``.
        size: expanded bytes.
    """

    __slots__ = ("_archive", "_opener", "name", "size")

    def __init__(self, archive: Path, name: str, size: int, opener: Callable[[], BinaryIO]) -> None:
        self.name = name
        self.size = size
        self._archive = archive
        self._opener: Callable[[], BinaryIO] | None = opener

    def __repr__(self) -> str:
        return f"Member({self.name!r}, {self.size:,} bytes)"

    def open(self) -> BinaryIO:
        """The data as a stream; ArchiveError where the data is damaged."""
        where = f"member {self.name!r}"
        with told(self._archive, where):
            inner = self._current()()
        return io.BufferedReader(Guard(inner, self._archive, where), 1 << 16)

    def read(self) -> bytes:
        """The whole data; ArchiveError where it is damaged or shorter than promised."""
        with told(self._archive, f"member {self.name!r}"), self._current()() as stream:
            data = stream.read()
        if len(data) != self.size:
            raise ArchiveError(
                f"{self._archive}: member {self.name!r} should have {self.size:,} bytes and has "
                f"{len(data):,}: the archive is damaged. Fetch it again."
            )
        return data

    def _current(self) -> Callable[[], BinaryIO]:
        if self._opener is None:
            raise ArchiveError(
                f"{self._archive}: member {self.name!r} was read after the walk had moved on. "
                "Read a member before asking for the next one."
            )
        return self._opener

    def _expire(self) -> None:
        self._opener = None


def walk(path: str | PathLike[str], *, limits: Limits | None = None) -> Iterator[Member]:
    """The files of a zip or tar(.gz/.bz2/.xz/.zst), checked for safety, in archive order.

    Folders and symbolic links that stay inside are passed over. Nothing is written to disk and,
    but for the list of names, memory use does not grow with the archive.

    Raises:
        ArchiveError: neither zip nor tar, damaged, cut off, or a member that is not safe; names
            the archive and the member.
        MissingExtraError: a ``.zst`` on a Python without zstd and without the extra ``zstd``.

    Example:
        >>> import tempfile, zipfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with zipfile.ZipFile(f"{folder}/a.zip", "w") as file:
        ...         file.writestr("dogs/1.txt", "woof")
        ...     [(m.name, m.size, m.read()) for m in walk(f"{folder}/a.zip")]
        [('dogs/1.txt', 4, b'woof')]
    """
    archive = Path(path)
    bounds = limits or Limits()
    members = _walk_zip if magic(archive).startswith(_ZIP) else _walk_tar
    gate = _Gate(archive, bounds)
    for member in members(archive, gate, bounds):
        yield member
        member._expire()


def read_member(path: str | PathLike[str], name: str) -> bytes:
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
    for member in walk(path):
        if member.name == name:
            return member.read()
        if len(seen) < 1000:  # enough to offer the nearest
            seen.append(member.name)
    raise ArchiveError(f"{path}: has no member {name!r}. {nearest(name, seen)}")


class _Gate:
    """The rules that hold for every member of one archive, whatever its format."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self.archive = archive
        self.limits = limits
        self.packed = archive.stat().st_size
        self.names: set[str] = set()
        self.count = 0
        self.total = 0

    def refuse(self, name: str, why: str) -> ArchiveError:
        return ArchiveError(
            f"{self.archive}: member {name!r} {why}. The archive is not safe to read; "
            "fetch it from its publisher again or repack it."
        )

    def name(self, raw: str) -> str:
        """The name without ``./``, refused where it points outside; "" is the root itself."""
        self.count += 1
        if self.count > self.limits.max_members:
            raise self.refuse(raw, f"is one more than the {self.limits.max_members:,} allowed")
        if raw.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", raw):
            raise self.refuse(raw, "has an absolute name")
        if ".." in re.split(r"[\\/]", raw):
            raise self.refuse(raw, "has '..' in its name")
        if "\0" in raw:
            raise self.refuse(raw, "has a NUL byte in its name")
        clean = posixpath.normpath(raw) if raw else ""
        return "" if clean == "." else clean

    def file(self, name: str, size: int) -> None:
        if name in self.names:
            raise self.refuse(name, "comes twice")
        self.names.add(name)
        self.total += size
        self.limits.check_total(self.total, self.packed, self.archive, f"at member {name!r}")

    def link(self, name: str, target: str) -> None:
        where = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        if where.startswith("/") or where.split("/")[0] == "..":
            raise self.refuse(name, f"is a link that leaves the archive, to {target!r}")


def _walk_zip(archive: Path, gate: _Gate, limits: Limits) -> Iterator[Member]:
    with told(archive, ""):
        file = zipfile.ZipFile(archive)
    with file:
        for info in file.infolist():
            name = gate.name(info.filename)
            mode = info.external_attr >> 16
            if info.is_dir() or stat.S_ISDIR(mode):
                continue
            if info.flag_bits & 0x1:
                raise gate.refuse(name, "is encrypted")
            if stat.S_ISLNK(mode):
                with told(archive, f"member {name!r}"), file.open(info) as stream:
                    gate.link(name, stream.read(4096).decode("utf-8", "surrogateescape"))
                continue
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise gate.refuse(name, "is a device or another special file")
            gate.file(name, info.file_size)
            yield Member(archive, name, info.file_size, _zip_opener(file, info))


def _zip_opener(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    return lambda: cast(BinaryIO, file.open(info))


class _TarInfo(tarfile.TarInfo):
    """A header that fails loudly: tarfile takes a broken or missing one for the end."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise  # a block of zeros: the true end
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"at byte {tar.offset}: {error}") from error

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Self:
        info = super().frombuf(buf, encoding, errors)
        if info.type in _TAR_HEADERS and info.size > 1 << 20:
            raise tarfile.ReadError(f"a header of {info.size:,} bytes")
        return info


def _walk_tar(archive: Path, gate: _Gate, limits: Limits) -> Iterator[Member]:
    with _open_tar(archive, limits) as tar:
        last = ""
        while True:
            with told(archive, f"at or after member {last!r}"):
                info = tar.next()
            if info is None:
                return
            cast(Any, tar).members.clear()  # or it keeps every header
            last = name = gate.name(info.name)
            if info.isdir():
                continue
            if info.issym():
                gate.link(name, info.linkname)
                continue
            if info.islnk():
                raise gate.refuse(name, f"is a hard link, to {info.linkname!r}")
            if not info.isreg():
                raise gate.refuse(name, "is a device or another special file")
            gate.file(name, info.size)
            yield Member(archive, name, info.size, _tar_opener(tar, info))


@contextmanager
def _open_tar(archive: Path, limits: Limits) -> Iterator[tarfile.TarFile]:
    source, packed = expanded(archive)
    if packed:
        guard = Guard(source, archive, None, limits, archive.stat().st_size)
        source = io.BufferedReader(guard, 1 << 17)
    with source:
        with told(archive, "the first member"):
            tar = _tar_file(archive, source, packed)
        with tar:
            yield tar


def _tar_file(archive: Path, source: BinaryIO, packed: bool) -> tarfile.TarFile:
    """A compressed tar is read strictly forward, a plain one seeks over what nobody reads."""
    try:
        if packed:
            return tarfile.open(fileobj=source, mode="r|", tarinfo=_TarInfo, bufsize=1 << 16)
        return tarfile.open(fileobj=source, mode="r:", tarinfo=_TarInfo)
    except tarfile.TarError as error:
        raise ArchiveError(
            f"{archive}: is not an archive that can be read: expected zip or tar (plain, gzip, "
            f"bzip2, xz, zstd), got a file that starts with {magic(archive)!r} ({error})."
        ) from error


def _tar_opener(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], BinaryIO]:
    return lambda: cast(BinaryIO, tar.extractfile(info))
