"""Files that did not come from the network, and locks that processes share through the cache."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from domainkit.cache.digest import Digest, sums_of
from domainkit.cache.layout import home
from domainkit.errors import DigestError, FetchError
from domainkit.progress import bar

__all__ = ["check", "lock"]


def check(path: str | PathLike[str], *, digest: str | None = None, size: int | None = None) -> None:
    """Read a local file and hold it to its size and digest.

    Raises:
        DigestError: the bytes are not the promised ones; says expected and got.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     check(file.name, size=0, digest="crc32:00000000")
    """
    file = Path(path)
    actual = file.stat().st_size
    if size is not None and actual != size:
        raise DigestError(
            f"{file}: is damaged: expected {size} bytes, got {actual}. Install the package again, "
            "or put the right file there."
        )
    if digest is None:
        return
    promised = Digest.parse(digest)
    sums = sums_of(file, promised.algorithm)
    if not promised.matches(sums):
        raise DigestError(
            f"{file}: is damaged: expected {promised}, got "
            f"{promised.algorithm}:{sums.hex(promised.algorithm)}. Install the package again, or "
            "put the right file there."
        )


@contextmanager
def lock(name: str, *, shown_as: str | None = None, progress: bool | None = None) -> Iterator[None]:
    """Held by one process and thread at a time; the others wait, and say so on their progress line.

    The system releases it when the holder dies.

    Args:
        name: who asks for the same name waits for each other; it names the lock's file.
        shown_as: what the progress line says instead of ``name``.
        progress: show that line; None as ``domainkit.progress`` is set.

    Raises:
        FetchError: the cache folder cannot be written.

    Example:
        >>> with lock("prepare-vision-mnist"):
        ...     pass
    """
    from filelock import FileLock, Timeout

    folder = home() / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = os.access(folder, os.W_OK)
    except OSError as error:
        raise FetchError(_unwritable(folder, error)) from error
    if not probe:
        raise FetchError(_unwritable(folder, "permission denied"))
    held = FileLock(folder / (re.sub(r"[^\w.-]", "_", name) + ".lock"))
    try:
        held.acquire(timeout=0)
    except Timeout:
        with bar(shown_as or name, None, enabled=progress) as shown:
            shown.note("another process is at it, waiting")
            held.acquire(poll_interval=0.05)
    try:
        yield
    finally:
        held.release()


def _unwritable(folder: Path, reason: object) -> str:
    return (
        f"{folder}: cannot be written ({reason}). Allow writing there, or set DOMAINKIT_HOME to "
        "another folder."
    )
