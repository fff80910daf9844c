"""The text of a member, or an error that names it."""

from __future__ import annotations

from pathlib import Path

from domainkit.errors import ReaderError

__all__ = ["utf8"]


def utf8(archive: Path, name: str, data: bytes) -> str:
    """The text in ``data``, the member ``name``.

    Raises:
        ReaderError: it is not UTF-8.

    Example:
        >>> utf8(Path("set.zip"), "list.txt", b"yes/1.wav")
        'yes/1.wav'
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReaderError(f"{archive}: {name} is not UTF-8: {error}") from error
