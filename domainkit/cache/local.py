"""Files that did not come from the network."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from domainkit.cache.digest import Digest, sums_of
from domainkit.errors import DigestError

__all__ = ["check"]


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
