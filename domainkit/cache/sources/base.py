"""What an address has to do for ``fetch``: hand out the bytes of a file from an offset on.

``fetch`` knows nothing of HTTP, and a source nothing of partial files, digests, locks or retries.
Every way a source can fail is a ``Retry`` (the same address may do better next time) or a
``GiveUp`` (it will not; another mirror may), raised by ``open`` or while its bytes are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, Self

__all__ = ["Answer", "BadRange", "Changed", "GiveUp", "Retry", "Source"]


class Retry(Exception):
    """Worth another try: ``after`` so many seconds where the server says, or ``at_once``.

    ``part``: the refusal may be of the part that was asked for alone.
    """

    def __init__(
        self, why: str, after: str | None = None, at_once: bool = False, part: bool = False
    ) -> None:
        super().__init__(why)
        self.after = after
        self.at_once = at_once
        self.part = part


class BadRange(Retry):
    """The source mistreats ranges: it is to be asked for whole files only."""


class Changed(Retry):
    """The bytes just handed out may be of two versions of the file."""


class GiveUp(Exception):
    """This address will not give the file; ``part``: or only not the part that was asked for."""

    def __init__(self, why: str, part: bool = False) -> None:
        super().__init__(why)
        self.part = part


@dataclass
class Answer:
    """Bytes on their way; a context manager that ends the transfer.

    Attributes:
        chunks: the bytes as they come, pieces of any size; it may end early or run on too long.
        start: offset of the first of them in the file, which need not be the one asked for.
        stop: offset behind the last of them; None where they go on to the end of the file.
        total: bytes of the whole file, None where nobody knows.
        validator: what names this very version for certain (a strong ETag, a time of change);
            None where nothing does, and then nothing can be taken up again.
        ranges: parts of this version may be asked for side by side.
        framed: a cut transfer can be told from a whole one.
        page: the sender calls it a web page.
        digest: what the sender says the whole file's digest is, like ``"md5:<hex>"``.
        close: ends the transfer early.
    """

    chunks: Iterator[bytes]
    start: int = 0
    stop: int | None = None
    total: int | None = None
    validator: str | None = None
    ranges: bool = False
    framed: bool = True
    page: bool = False
    digest: str | None = None
    close: Callable[[], None] = field(default=lambda: None)

    def skip(self, count: int) -> None:
        """Lets the first bytes pass by, as empty chunks; they are there already."""

        def rest(chunks: Iterator[bytes], left: int) -> Iterator[bytes]:
            for chunk in chunks:
                yield chunk[left:]
                left = max(0, left - len(chunk))

        self.chunks = rest(self.chunks, count)
        self.start += count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()


class Source(Protocol):
    """One address; ``open`` may be called from several threads at a time."""

    url: str  # as messages and records name it; holds no secret

    def open(self, start: int = 0, stop: int | None = None, validator: str | None = None) -> Answer:
        """The bytes from ``start`` to before ``stop`` (None: to the end).

        Args:
            validator: the version that the part is wanted of. A source that can not give that
                version any more answers with another one from offset 0, and its own validator.

        Raises:
            Retry, GiveUp: as the module says.
        """
        ...  # pragma: no cover

    def close(self) -> None:
        """Lets go of connections."""
