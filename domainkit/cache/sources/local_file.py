"""Files of this machine: as a source (``file:`` addresses, RFC 8089), and put into their place."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from domainkit.cache.digest import Digest, Sums
from domainkit.cache.files import UNFINISHED, sync_folder
from domainkit.cache.locks import lock
from domainkit.cache.sources.base import Answer, Changed, GiveUp, Retry
from domainkit.errors import DigestError, FetchError
from domainkit.progress import bar

__all__ = ["FileSource", "path_of", "place"]


class FileSource:
    """One ``file:`` address.

    The version of a file is its size, time of change and number on the disk; one that changes while
    it is read is noticed at the end of the reading.

    Args:
        chunk: bytes that are read at a time.
    """

    def __init__(self, url: str, chunk: int = 1 << 20) -> None:
        self.url = url
        self._chunk = chunk

    def open(self, start: int = 0, stop: int | None = None, validator: str | None = None) -> Answer:
        file = _opened(path_of(self.url))
        version, total = _version(file)
        if validator is not None and validator != version:
            start, stop = 0, None
        file.seek(start)
        return Answer(
            chunks=_chunks(
                *(file, version, start, total if stop is None else min(stop, total)),
                size=self._chunk,
            ),
            start=start,
            stop=stop,
            total=total,
            validator=version,
            close=file.close,
        )

    def close(self) -> None:
        """Nothing is kept open."""


def path_of(url: str) -> Path:
    """The path that a ``file:`` address names.

    Raises:
        GiveUp: it names none on this machine.

    Example:
        >>> path_of("file:///data/a%20b.zip").as_posix()
        '/data/a b.zip'
    """
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise GiveUp("has a ? or # in it. Write %3F or %23 where they belong to the file's name")
    path = parts.path
    if parts.hostname not in (None, "localhost", "127.0.0.1"):
        if os.name != "nt":
            raise GiveUp(f"is a file of another machine, {parts.netloc}. Expected file:///path")
        path = f"//{parts.netloc}{path}"
    found = Path(url2pathname(path))
    if not found.is_absolute() or "\0" in str(found):
        raise GiveUp("is not the whole path of a file. Expected file:///path")
    return found


def place(
    path: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    digest: str | None = None,
    size: int | None = None,
    progress: bool | None = None,
) -> Path:
    """A verified copy of a file under its final name, where it is seen whole or not at all.

    Args:
        to: its final name; folders are made, a file that is there is replaced.
        digest: like ``"sha256:<hex>"``; size: bytes.
        progress: show a bar; None as ``domainkit.progress`` is set.

    Raises:
        DigestError: the bytes are not the promised ones; ``to`` stays as it was.
        FetchError: there is no such file, or it cannot be read or written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.zip")
        ...     _ = file.write_bytes(b"abc")
        ...     place(file, Path(folder, "b", "c.zip"), digest="crc32:352441c2").read_bytes()
        b'abc'
    """
    source, final = Path(path).absolute(), Path(to).absolute()
    promise = None if digest is None else Digest.parse(digest)
    try:
        file = _opened(source)
    except GiveUp as error:
        raise FetchError(f"{source}: {error}.") from error
    with file:
        version, total = _version(file)
        if size not in (None, total):
            raise DigestError(f"{source}: expected {size:,} bytes, got {total:,}.")
        name = f"place-{final.parent.parent.name}-{final.parent.name}-{final.name}"
        with lock(name) as held, bar(source.name, total, "B", progress) as shown:
            # one name for all who come here, so that a killed one's bytes are overwritten
            growing = final.with_name(f".{final.name}{held.suffix}{UNFINISHED}")
            try:
                final.parent.mkdir(parents=True, exist_ok=True)
                sums = Sums(promise.algorithm if promise else "sha256")
                with growing.open("wb") as out:
                    for data in _chunks(file, version, 0, total):
                        out.write(data)
                        sums.update(data)
                        shown.advance(len(data))
                    out.flush()
                    os.fsync(out.fileno())
                if promise is not None and not promise.matches(sums):
                    got = f"{promise.algorithm}:{sums.hex(promise.algorithm)}"
                    raise DigestError(f"{source}: expected {promise}, got {got} ({total:,} bytes).")
                os.replace(growing, final)
                sync_folder(final.parent)
            except FetchError:
                raise
            except Retry as error:
                raise FetchError(f"{source}: {error}. Try again.") from error
            except OSError as error:
                raise FetchError(
                    f"{final.parent}: cannot be written ({error}). Make room or allow writing "
                    "there, or set DOMAINKIT_HOME to another folder."
                ) from error
            finally:
                with suppress(OSError):
                    growing.unlink(missing_ok=True)
    return final


def _chunks(
    file: IO[bytes], version: str, start: int, stop: int, size: int = 1 << 20
) -> Iterator[bytes]:
    """The bytes of an open file; Retry where that fails, Changed where it is not ``version``."""
    try:
        while start < stop and (data := file.read(min(size, stop - start))):
            start += len(data)
            yield data
        changed = _version(file)[0] != version
    except OSError as error:  # a network folder that went away, a bad disk
        raise Retry(f"cannot be read on ({error.strerror or error})") from error
    if changed:
        raise Changed("changed while it was read")


def _opened(path: Path) -> IO[bytes]:
    """The file, opened to be read; GiveUp where that is not possible."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for without end
            folder = path.is_dir()
            raise GiveUp(
                f"{path} is a folder, expected a file in it" if folder else f"{path} is no file"
            )
        return path.open("rb", buffering=0)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise GiveUp(f"there is no file {path}") from error
    except PermissionError as error:
        raise GiveUp(f"{path} may not be read. Allow that, or copy it elsewhere") from error
    except (OSError, ValueError) as error:
        raise GiveUp(f"{path} cannot be opened ({error})") from error


def _version(file: IO[bytes]) -> tuple[str, int]:
    """What names this version of an open file, and its size."""
    seen = os.fstat(file.fileno())
    return f'"{seen.st_size:x}-{seen.st_mtime_ns:x}-{seen.st_ino:x}"', seen.st_size
