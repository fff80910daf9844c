"""Files of vectors converted once to a form that is mapped, not read: the second open is at once.

Under ``$DOMAINKIT_HOME`` (else the platform's cache folder):

    vectors/<digest>-<kind>/   the table of a file's content, by the sha256 of its unpacked bytes
    vectors/known/<key>.json   which digest a path, with its size and time of change, was found to
                               have, so that an unchanged file is not read again

A folder appears by one rename when everything in it is on disk. Among several processes one
converts and the others wait.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from domainkit.errors import NotFoundError
from domainkit.text.vectors.kinds import kind_of, read_into
from domainkit.text.vectors.source import open_source
from domainkit.text.vectors.table import Maker, Table, open_table

__all__ = ["open_mapped"]

_OLD = 86400  # seconds without a change after which a conversion was killed


def open_mapped(
    path: Path, kind: str | None = None, member: str | None = None, dim: int | None = None
) -> Table:
    """The mapped table of a file, which is made where it is not there yet.

    Raises:
        NotFoundError: no such file or member.
        DecodeError: the file is damaged, or no vectors.
        ArchiveError: the archive is damaged.
        FetchError: the cache folder cannot be written.
    """
    from domainkit import cache

    try:
        stat = path.stat()
        with path.open("rb"):
            pass
    except OSError as error:
        raise NotFoundError(f"{path}: cannot be read ({error.strerror or error})") from error
    room = cache.home() / "vectors"
    asked = (kind, member, dim)
    facts = (str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ino, *asked)
    key = hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    table = _known(room, key)
    if table is None:
        with cache.lock(f"vectors-{key}", shown_as=path.name):
            table = _known(room, key) or _convert(room, key, path, asked)
    return table


def _known(room: Path, key: str) -> Table | None:
    from domainkit.cache.files import read_json

    name = (read_json(room / "known" / f"{key}.json") or {}).get("folder")
    return open_table(room / name) if isinstance(name, str) else None


def _convert(
    room: Path, key: str, path: Path, asked: tuple[str | None, str | None, int | None]
) -> Table:
    from domainkit import cache
    from domainkit.cache.files import make_folder, sync_folder, write_json

    kind, member, dim = asked
    make_folder(room / "known")
    _tidy(room)
    temporary = Path(tempfile.mkdtemp(prefix=".", suffix=".new", dir=room))
    try:
        with open_source(path, member) as source:
            found = kind or kind_of(source)
            maker = Maker(temporary, source.label)
            try:
                read_into(maker, source, found, dim)
                digest = source.digest()
                maker.finish({"kind": found, "sha256": digest, "source": path.name})
            finally:
                maker.abandon()
        os.chmod(temporary, 0o755)  # mkdtemp makes it private; a cache may be shared
        sync_folder(temporary)
        name = f"{digest}-{found}" + ("" if dim is None else f"-{dim}")
        with cache.lock(f"vectors-{name[:16]}", shown_as=path.name):
            if open_table(room / name) is None:
                shutil.rmtree(room / name, ignore_errors=True)  # of an older layout, or damaged
                os.rename(temporary, room / name)
                sync_folder(room)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    write_json(room / "known" / f"{key}.json", {"folder": name, "path": str(path)})
    table = open_table(room / name)
    if table is None:
        raise NotFoundError(f"{room / name}: was taken away while it was opened, open it again")
    return table


def _tidy(room: Path) -> None:
    """Removes what conversions left that were killed."""
    for folder in room.glob(".*.new"):
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            if newest < time.time() - _OLD:
                shutil.rmtree(folder, ignore_errors=True)
