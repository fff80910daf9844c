"""A file that is still growing: its bytes, their running digests, and whose bytes they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from domainkit.cache.digest import Sums
from domainkit.cache.layout import read_json, write_json
from domainkit.progress import Progress

__all__ = ["Partial"]

_CHUNK = 1 << 20


class Partial:
    """``<key>.part`` and, beside it, ``<key>.json``: address, validator and total size.

    The note is written before the first byte it speaks of, and the bytes are thrown away before
    the note changes: whenever the process dies, the bytes belong to the note.

    Attributes:
        offset: bytes held.
        url, validator, total: where they come from, the strong ETag or Last-Modified that names
            that very version, and its size; None where unknown.
        resumed: some of the bytes come from an earlier attempt.
    """

    def __init__(self, path: Path, algorithm: str, shown: Progress) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._note = path.with_suffix(".json")
        self._algorithm = algorithm
        self._shown = shown
        self._file = path.open("ab", buffering=0)
        self.offset = 0
        self.sums = Sums(algorithm)
        self.url: str | None = None
        self.validator: str | None = None
        self.total: int | None = None
        self.resumed = False
        self._take_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self._file.close()
        if not self.resumable:
            self.forget()

    @property
    def resumable(self) -> bool:
        """Whether the next attempt may go on from here."""
        return self.offset > 0 and self.validator is not None

    def _take_up(self) -> None:
        """Reads what an earlier run left, or clears it."""
        note = read_json(self._note) or {}
        url, validator, total = (note.get(key) for key in ("url", "validator", "total"))
        size = self.path.stat().st_size
        if not (size and isinstance(url, str) and isinstance(validator, str)):
            self.reset()
            return
        self.url, self.validator = url, validator
        self.expect(total if isinstance(total, int) else None)
        if self.total is not None and size > self.total:
            self.reset()
            return
        self.resumed = True
        with self.path.open("rb") as file:
            while data := file.read(_CHUNK):
                self._count(data)

    def begin(self, url: str, validator: str | None, total: int | None) -> None:
        """Starts again from nothing, with the bytes of this answer."""
        self.reset()
        self.url, self.validator = url, validator
        self.expect(total)
        write_json(self._note, {"url": url, "validator": validator, "total": total})

    def expect(self, total: int | None) -> None:
        """The size of the whole file became known."""
        self.total = total
        self._shown.set_total(total)

    def append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._count(data)

    def _count(self, data: bytes) -> None:
        self.sums.update(data)
        self.offset += len(data)
        self._shown.advance(len(data))

    def reset(self) -> None:
        """Throws the bytes away."""
        self._file.truncate(0)
        self._shown.advance(-self.offset)
        self.offset, self.sums, self.resumed = 0, Sums(self._algorithm), False
        self.url = self.validator = self.total = None

    def seal(self) -> None:
        """Puts the bytes on disk for good; nothing more is appended."""
        os.fsync(self._file.fileno())
        self._file.close()

    def forget(self) -> None:
        """Removes both files: the bytes have their final name, or there are none."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def head(self, count: int = 512) -> bytes:
        """The first bytes, to tell a web page by."""
        with self.path.open("rb") as file:
            return file.read(count)
