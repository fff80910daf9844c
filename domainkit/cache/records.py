"""What is recorded of each fetched file, and which bytes a record points to.

A record is kept per key (what a file was asked for by: its digest, or its address where that says
too little), the bytes once per content. So a record names the sha256 of its bytes, and any number
of records may point to the same ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from domainkit.cache.files import read_json

__all__ = [
    "PENDING",
    "RECORD",
    "Entry",
    "Facts",
    "blob_folder",
    "blob_path",
    "first_copy",
    "read_record",
    "read_records",
    "record_path",
    "safe_name",
]

RECORD = ".json"
PENDING = ".pending"  # a record whose bytes were about to get their name; counts once they have it
_LONGEST_NAME = 120  # bytes; file systems take 255, and temporary names add a little
_read_before: dict[Path, dict[str, tuple[int, Facts | None]]] = {}  # by this process
_DEVICES = {
    *("CON", "PRN", "AUX", "NUL"),  # to Windows, whatever follows the dot
    *(f"{port}{number}" for port in ("COM", "LPT") for number in range(1, 10)),
}


@dataclass(frozen=True)
class Facts:
    """What a record says.

    Attributes:
        name: the file's name.
        size: bytes.
        urls: where it may be fetched from, without secrets.
        sources: the same, each as ``mirrors.same_file`` says.
        digest: as the publisher gives it, ``"md5:..."``; None where there is none.
        sha256: the full digest of the bytes as they were fetched.
    """

    name: str
    size: int
    urls: tuple[str, ...]
    sources: tuple[str, ...]
    digest: str | None
    sha256: str


@dataclass(frozen=True)
class Entry(Facts):
    """One file in the cache, as it was asked for.

    Attributes:
        path: the verified file. Entries of the same content share one.
        last_used: seconds since 1970, when ``fetch`` last handed it out.
        record: the small file that says all this; its time of change is ``last_used``.
        trusted_on_first_use: no digest was published, so the first copy is held to be right.
    """

    path: Path
    last_used: float
    record: Path

    @property
    def key(self) -> str:
        """What it was asked for by; the lock of that name is held while it is fetched."""
        return self.record.stem

    @property
    def trusted_on_first_use(self) -> bool:
        return self.digest is None

    @property
    def whole(self) -> bool:
        """Whether the bytes are there in their full number; they are not read."""
        try:
            return self.path.stat().st_size == self.size and self.path.is_file()
        except OSError:
            return False


def record_path(base: Path, key: str) -> Path:
    return base / "records" / (key + RECORD)


def blob_folder(base: Path, sha256: str) -> Path:
    """The folder of one content."""
    return base / "files" / sha256[:2] / sha256


def blob_path(base: Path, sha256: str, name: str) -> Path:
    """The file of one content: under ``name``, or under the name that it was first fetched by."""
    folder = blob_folder(base, sha256)
    wanted = folder / name
    if wanted.is_file():
        return wanted
    with suppress(OSError), os.scandir(folder) as items:
        for item in sorted(items, key=lambda item: item.name):
            if item.is_file() and not item.name.startswith("."):
                return folder / item.name
    return wanted


def read_record(base: Path, key: str) -> Entry | None:
    """What is recorded under a key: with its bytes where they are whole, else without."""
    final = record_path(base, key)
    known = _read(base, final)
    if known is not None and known.whole:
        return known
    # Killed after the bytes got their name and before the record got its own: all is there.
    pending = _read(base, final.with_suffix(PENDING))
    return pending if pending is not None and pending.whole else known


def read_records(base: Path, keep: Callable[[Facts], bool] | None = None) -> Iterator[Entry]:
    """All records, by key, whether their bytes are there or not; damaged ones are passed over.

    With ``keep`` only those whose facts it wants. The others are then not read again and again: a
    process reads each record once.
    """
    keys = set()
    for name, facts in _known(base / "records"):
        if keep is None or (facts is not None and keep(facts)):
            keys.add(name.removesuffix(RECORD).removesuffix(PENDING))
    for key in sorted(keys):
        entry = read_record(base, key)
        if entry is not None and (keep is None or keep(entry)):
            yield entry


def _known(folder: Path) -> Iterator[tuple[str, Facts | None]]:
    """Names of records and what they said when this process first read them.

    A record is never written in place: another one has another inode. Should the system give a new
    one an old number, it is taken for the old one, and the file it tells of is fetched again.
    """
    before = _read_before.get(folder, {})
    now: dict[str, tuple[int, Facts | None]] = {}
    try:
        with os.scandir(folder) as items:
            for item in items:
                if _is(item.name, RECORD) or _is(item.name, PENDING):
                    number, known = item.inode(), before.get(item.name)
                    if known is None or known[0] != number:
                        known = number, _parse(folder / item.name)
                    now[item.name] = known
    except OSError:
        return
    _read_before[folder] = now
    for name, (_, facts) in now.items():
        yield name, facts


def first_copy(base: Path, sources: Sequence[str], size: int | None = None) -> Entry | None:
    """What is recorded of a file without a digest that came from one of these sources.

    Of several the one of the earliest source, and of those the one that has it in front.
    """
    wanted = set(sources)
    known = [
        entry
        for entry in read_records(base, lambda facts: not wanted.isdisjoint(facts.sources))
        if entry.trusted_on_first_use and size in (None, entry.size)
    ]
    for source in sources:
        same = [entry for entry in known if source in entry.sources]
        if same:
            return min(same, key=lambda entry: entry.sources.index(source))
    return None


def safe_name(name: str) -> str:
    """A name that every file system takes: no separators, control or reserved characters.

    Example:
        >>> safe_name("a b/..:c?.tar.gz")
        'a b_.._c_.tar.gz'
        >>> safe_name("nul.txt")
        '_nul.txt'
    """
    text = name.encode("utf-8", "replace").decode("utf-8")  # half a pair of surrogates is no text
    clean = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", text).lstrip(". ").rstrip(". ")
    raw = clean.encode("utf-8")
    if len(raw) > _LONGEST_NAME:  # the end says what the file is
        clean = raw[-_LONGEST_NAME:].decode("utf-8", "ignore").lstrip(". ")
    if clean.partition(".")[0].rstrip().upper() in _DEVICES:
        clean = f"_{clean}"
    return clean or "file"


def _is(name: str, end: str) -> bool:
    return name.endswith(end) and not name.startswith(".")


def _read(base: Path, record: Path) -> Entry | None:
    facts = _parse(record)
    if facts is None:
        return None
    try:
        return Entry(
            **vars(facts),
            path=blob_path(base, facts.sha256, facts.name),
            last_used=record.stat().st_mtime,
            record=record,
        )
    except OSError:
        return None


def _parse(record: Path) -> Facts | None:
    value = read_json(record)
    if value is None:
        return None
    try:
        name, sha256, digest = str(value["name"]), str(value["sha256"]), value["digest"]
        # a record leads to a path: one that somebody else wrote leads out of the cache no more
        if safe_name(name) != name or not re.fullmatch(r"[0-9a-f]{64}", sha256):
            return None
        return Facts(
            name=name,
            size=int(value["size"]),
            urls=tuple(str(url) for url in value["urls"]),
            sources=tuple(str(source) for source in value["sources"]),
            digest=None if digest is None else str(digest),
            sha256=sha256,
        )
    except (KeyError, TypeError, ValueError):
        return None
