"""Digests as publishers give them, and the sums computed while bytes stream by."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from domainkit.errors import FetchError

__all__ = ["Digest", "Sums", "sums_of"]

_DIGITS = {"crc32": 8, "md5": 32, "sha256": 64, "sha512": 128}
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Digest:
    """A promised digest: ``algorithm`` and lower-case hex digits, perhaps only the first few."""

    algorithm: str
    digits: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Reads ``"sha256:<hex>"``; FetchError where it is not one of the known forms.

        Example:
            >>> Digest.parse("md5:8D4FB7E6C68D591D4C3DFEF9EC88BF0D").digits
            '8d4fb7e6c68d591d4c3dfef9ec88bf0d'
        """
        algorithm, _, digits = text.strip().lower().partition(":")
        length = _DIGITS.get(algorithm, 0)
        shortest = 8 if algorithm == "sha256" else length
        if not (
            length and re.fullmatch(r"[0-9a-f]+", digits) and shortest <= len(digits) <= length
        ):
            raise FetchError(
                f"digest {text!r} is not understood. Expected sha256:<64 hex digits, or the first "
                "8 or more>, sha512:<128>, md5:<32> or crc32:<8>."
            )
        return cls(algorithm, digits)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digits}"

    @property
    def addresses(self) -> bool:
        """Whether it is long enough to be the address of the content."""
        return self.algorithm != "crc32" and len(self.digits) == _DIGITS[self.algorithm]

    def matches(self, sums: Sums) -> bool:
        return sums.hex(self.algorithm).startswith(self.digits)


class Sums:
    """The running digests of a stream: always sha256, and the algorithms asked for."""

    def __init__(self, *algorithms: str) -> None:
        self._crc = 0
        self._crc_wanted = "crc32" in algorithms
        names = {"sha256", *algorithms} - {"crc32"}
        self._hashes = {n: hashlib.new(n, usedforsecurity=False) for n in sorted(names)}

    def update(self, data: bytes | memoryview) -> None:
        for one in self._hashes.values():
            one.update(data)
        if self._crc_wanted:
            self._crc = zlib.crc32(data, self._crc)

    def hex(self, algorithm: str) -> str:
        return f"{self._crc:08x}" if algorithm == "crc32" else self._hashes[algorithm].hexdigest()


def sums_of(
    path: Path, *algorithms: str, advance: Callable[[int], None] = lambda count: None
) -> Sums:
    """The digests of a file on disk: its sha256, and the algorithms asked for.

    Args:
        advance: told how many more bytes were read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a")
        ...     _ = path.write_bytes(b"abc")
        ...     sums_of(path, "crc32").hex("crc32")
        '352441c2'
    """
    sums = Sums(*algorithms)
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            sums.update(data)
            advance(len(data))
    return sums
