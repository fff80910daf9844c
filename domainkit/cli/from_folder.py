"""Files that a person has brought, found in a folder, verified and put into the cache.

A file is looked for by its key in the card and by the last part of its addresses, with what a
browser may have made of that (``a (1).zip``), and else by its size and digest, whatever its name.
Where the card gives neither for a file of the web, a key like ``train`` says too little: then the
last part of an address counts alone, unless the file was given by itself.
Nothing is fetched, and what lies in the folder is only read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from domainkit import cache
from domainkit.cache.digest import Digest, sums_of
from domainkit.cache.mirrors import offline
from domainkit.cache.pages import looks_like_page
from domainkit.cache.sources.local_file import place
from domainkit.cards import FileSpec
from domainkit.cli.held import held_file
from domainkit.errors import FetchError, ManualError
from domainkit.prepared import manual_place

__all__ = ["Folder", "Taken", "take"]

_DEEPEST = 8  # folders below the one given
_MOST = 100_000  # files that are looked at
_UNFINISHED = (".crdownload", ".download", ".part", ".partial", ".aria2", ".tmp")


@dataclass(frozen=True)
class Taken:
    """A file of a card that is in the cache now; ``source`` is None where it was there before."""

    key: str
    path: Path
    source: Path | None


class Folder:
    """What lies in a folder, or a file on its own; hidden files and unfinished downloads do not.

    Raises:
        FetchError: there is no such folder or file, or it holds too much to look through.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        if not self.path.exists():
            raise FetchError(f"{self.path}: is no folder or file. Give the folder with the files.")

    @cached_property
    def files(self) -> list[Path]:
        """Its files, those less deep first, then by name."""
        if self.path.is_file():
            return [self.path]
        found = list(self._walk())
        return sorted(found, key=lambda file: (len(file.parts), file))

    def _walk(self) -> Iterator[Path]:
        count = 0
        for folder, below, names in os.walk(self.path):
            deep = len(Path(folder).relative_to(self.path).parts) >= _DEEPEST
            below[:] = [] if deep else [name for name in below if not name.startswith(".")]
            for name in names:
                file = Path(folder, name)
                hidden = name.startswith(".") or name.lower().endswith(_UNFINISHED)
                if not hidden and file.is_file():
                    yield file
            count += len(names)
            if count > _MOST:
                raise FetchError(
                    f"{self.path}: holds more than {_MOST:,} files. Give the folder with the "
                    "downloaded files alone, or one file."
                )

    def named(self, names: Iterable[str]) -> list[Path]:
        """Its files of one of these names, or called so but for capitals and "(1)"."""
        wanted = {name.lower() for name in names}
        return [file for file in self.files if set(_names_of(file)) & wanted]


def take(owner: str, specs: Iterable[FileSpec], folder: Folder) -> list[Taken]:
    """Brings what is in ``folder`` of a card's files into the cache.

    Where a person has to bring some, what else the folder lacks and has an address is left to be
    fetched.

    Args:
        owner: the name of the card.

    Raises:
        ManualError: some are neither there nor in the cache already; says which, with the names,
            sizes and digests that are expected, and what was found instead. Those that were found
            are in the cache all the same.
    """
    wanted = [spec for spec in specs if spec.path is None]  # others come with their card
    by_hand = any(not spec.urls for spec in wanted)
    taken, missing = [], []
    for spec in wanted:
        reasons: list[str] = []
        found = _take_one(owner, spec, folder, reasons)
        if found is None and by_hand and spec.urls and not reasons and not offline():
            continue  # nobody was asked to bring it
        if found is None:
            missing.append("\n    ".join([_expected(spec), *reasons]))
        else:
            taken.append(found)
    if missing:
        what = "this file is" if len(missing) == 1 else f"these {len(missing)} files are"
        lines = [f"{owner}: {what} neither in {folder.path} nor in the cache:", *missing]
        if taken:
            lines.append(f"Found and kept: {', '.join(item.key for item in taken)}.")
        raise ManualError("\n  ".join(lines))
    return taken


def _take_one(owner: str, spec: FileSpec, folder: Folder, reasons: list[str]) -> Taken | None:
    held = held_file(owner, spec)
    if held.state == "cached" and held.path is not None:
        return Taken(spec.key, held.path, None)
    for file in _candidates(spec, folder, reasons):
        try:
            return Taken(spec.key, _keep(owner, spec, file), file)
        except FetchError as error:
            reasons.append(f"{file}: {_why(error, file)}")
    if held.state == "manual" and held.path is not None:
        return Taken(spec.key, held.path, None)
    return None


def _candidates(spec: FileSpec, folder: Folder, reasons: list[str]) -> Iterator[Path]:
    """The files that may be the one, the likelier first."""
    named = folder.named(_wanted_names(spec))
    alone = folder.files == [folder.path]
    if spec.urls and spec.digest is None and spec.size is None and not alone:
        ends = {name.lower() for name in _ends_of(spec)}
        for file in named:
            if ends.isdisjoint(_saved_names(file)):
                reasons.append(
                    f"{file}: is called like it, but nothing tells that it is the right one. Give "
                    "this file instead of the folder if it is"
                )
        named = [file for file in named if not ends.isdisjoint(_saved_names(file))]
    if spec.digest is None and spec.size is None and len(named) > 1:
        names = ", ".join(str(file) for file in named)
        reasons.append(f"there are several, and nothing tells which is right: {names}")
        return
    for file in named:
        size = file.stat().st_size
        if spec.size not in (None, size):
            reasons.append(f"{file}: expected {spec.size:,} bytes, got {size:,}")
        elif _is_page(file, spec):
            reasons.append(f"{file}: is a web page (login, licence or quota?)")
        else:
            yield file
    if spec.digest is None:
        return
    promise = Digest.parse(spec.digest)
    for file in folder.files:
        if file not in named and (alone or file.stat().st_size == spec.size):
            if promise.matches(sums_of(file, promise.algorithm)):
                yield file
            elif alone:
                reasons.append(f"{file}: has another digest")


def _keep(owner: str, spec: FileSpec, file: Path) -> Path:
    if spec.urls:
        return cache.adopt(file, spec.urls, digest=spec.digest, size=spec.size)
    to = manual_place(owner, spec)
    if to.is_file() and to.stat().st_size == file.stat().st_size:
        algorithm = Digest.parse(spec.digest).algorithm if spec.digest else "sha256"
        if sums_of(to, algorithm).hex(algorithm) == sums_of(file, algorithm).hex(algorithm):
            cache.check(to, digest=spec.digest, size=spec.size)
            return to  # as it is: a newer one would be prepared anew
    return place(file, to, digest=spec.digest, size=spec.size)


def _wanted_names(spec: FileSpec) -> list[str]:
    return [spec.key, *(name for name in _ends_of(spec) if name != spec.key)]


def _ends_of(spec: FileSpec) -> list[str]:
    """The last parts of its addresses."""
    ends = [unquote(PurePosixPath(urlsplit(url).path).name) for url in spec.urls]
    return list(dict.fromkeys(name for name in ends if name))


def _names_of(file: Path) -> Iterator[str]:
    """What a file may have been called before it was saved: itself, without "(1)", without ends."""
    name, plain = _saved_names(file)
    yield from (name, plain)
    yield from (plain.removesuffix(end) for end in _ends(plain))


def _saved_names(file: Path) -> tuple[str, str]:
    """In small letters, as it is and without the "(1)" of a browser."""
    name = file.name.lower()
    return name, re.sub(r"[ _]?\(\d+\)(?=\.|$)", "", name)


def _ends(name: str) -> Iterator[str]:
    """``.gz`` and ``.tar.gz`` of ``a.tar.gz``: a key in a card has none."""
    suffixes = Path(name).suffixes
    for count in range(1, len(suffixes) + 1):
        yield "".join(suffixes[-count:])


def _is_page(file: Path, spec: FileSpec) -> bool:
    """Whether it is the page that a browser saved instead; a digest would tell that better."""
    if spec.digest is not None or re.search(r"\.html?$", file.name.lower()):
        return False
    with file.open("rb") as opened:
        return looks_like_page(opened.read(512))


def _expected(spec: FileSpec) -> str:
    """One line: a file's key, and by what it would have been known."""
    names = [name for name in _wanted_names(spec)[1:] if "." in name]
    facts = [f"called {' or '.join(names)}"] if names else []
    facts += [f"{spec.size:,} bytes"] if spec.size is not None else []
    facts += [spec.digest] if spec.digest is not None else []
    where = spec.manual or f"Without --from it is fetched from {spec.urls[0]}"
    return f"{spec.key}{': ' if facts else ''}{', '.join(facts)}. {where}"


def _why(error: Exception, file: Path) -> str:
    """What an error says beyond the file's name and the advice for files of the web."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = next((line for line in lines if file.as_uri() in line or str(file) in line), lines[0])
    return told.removeprefix(file.as_uri()).removeprefix(str(file)).lstrip(": ")
