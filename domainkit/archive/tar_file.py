"""A tar that fails loudly, read forward where it is compressed and by seeking where it is plain.

``tarfile`` alone takes a broken or missing header for the end, and stops in silence at a hole of
zeros. Here the end is the end: after it come zeros, if anything.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from typing import Any, BinaryIO, Self, cast

from domainkit.archive.limits import Layer
from domainkit.archive.streams import Guard, expanded, told
from domainkit.errors import ArchiveError

__all__ = ["Tar"]

_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.XHDTYPE,
)
_LONGEST_HEADER = 1 << 20
_LONGEST_HEADERS = 2 << 20  # all that stand before the data of a member, a sparse file's map too
_RECORD = 20 * tarfile.BLOCKSIZE  # writers fill up to it, old ones with what was in memory
_KINDS = {
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x04\x22\x4d\x18": "packed by lz4",
    b"<!DO": "an HTML page",
    b"<htm": "an HTML page",
    b"MZ": "a program: does it unpack itself? Unpack what is in it",
    b"\x7fELF": "a program: does it unpack itself? Unpack what is in it",
    b"#!": "a program: does it unpack itself? Unpack what is in it",
}


class Tar:
    """The headers of the tar in ``stream``, which begins with ``head``.

    Attributes:
        packed: whether it is compressed.
        forward: whether it can be read forward only.
    """

    def __init__(self, stream: BinaryIO, head: bytes, label: str, layer: Layer) -> None:
        self._label = label
        self._stream, self.packed = expanded(stream, head, label)
        self.forward = self.packed or not stream.seekable()
        if self.packed:
            guard = Guard(self._stream, None, layer)
            self._stream = io.BufferedReader(guard, 1 << 17)
        mode: Any = "r|" if self.forward else "r:"
        try:
            with told(f"{label}: the first member"):
                self._tar = self._open(mode, head)
        except BaseException:
            self._stream.close()
            raise

    def _open(self, mode: Any, head: bytes) -> tarfile.TarFile:
        try:
            return _TarFile.open(fileobj=self._stream, mode=mode, bufsize=1 << 16)
        except tarfile.TarError as error:
            kind = next((f", {_KINDS[m]}" for m in _KINDS if head.startswith(m)), "")
            raise ArchiveError(
                f"{self._label}: is not an archive that can be read: expected zip or tar (plain, "
                f"gzip, bzip2, xz, zstd), got a file that starts with {head!r}{kind} ({error})."
            ) from error

    @property
    def offset(self) -> int:
        """Where the next header is expected."""
        return int(cast(Any, self._tar).offset)

    def next(self, last: str) -> tarfile.TarInfo | None:
        """The next header; None at the true end."""
        with told(f"{self._label}: at or after member {last!r}"):
            info = self._tar.next()
            if info is None:
                self._finish()
        cast(Any, self._tar).members.clear()  # or it keeps every header
        return info

    def _finish(self) -> None:
        """Reads on to the end of the file, and so to the checksum of a compressed one."""
        rest = cast(Any, self._tar).fileobj
        at = self.offset + tarfile.BLOCKSIZE  # after the block of zeros that was read
        filled = -(-(at + tarfile.BLOCKSIZE) // _RECORD) * _RECORD
        if any(rest.read(tarfile.BLOCKSIZE)):
            raise tarfile.ReadError(f"data after an empty block at byte {self.offset:,}")
        rest.read(filled - at - tarfile.BLOCKSIZE)
        while data := rest.read(1 << 16):
            if data.count(0) != len(data):
                raise tarfile.ReadError(f"data after the end at byte {self.offset:,}")

    def at(self, offset: int, name: str) -> tarfile.TarInfo:
        """The header at ``offset`` of a tar that seeks."""
        tar = cast(Any, self._tar)
        after = tar.offset
        with told(f"{self._label}: member {name!r}"):
            tar.fileobj.seek(offset)
            info: tarfile.TarInfo = _TarInfo.fromtarfile(tar)
        tar.offset = after
        return info

    def opener(self, info: tarfile.TarInfo, name: str) -> Callable[[], BinaryIO]:
        """What opens the data of a member."""

        def start() -> BinaryIO:
            if self.forward and cast(Any, self._tar).fileobj.tell() > info.offset_data:
                raise ArchiveError(
                    f"{self._label}: member {name!r} was read already, and this tar is read "
                    "forward only: keep what was read the first time."
                )
            return cast(BinaryIO, self._tar.extractfile(info))

        return start

    def close(self) -> None:
        """Closes what was opened here, not the stream it was made from."""
        self._tar.close()
        if self.packed:
            self._stream.close()


class _Headers:
    """What headers are read from: tarfile would take a map of a sparse file of any length."""

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, _LONGEST_HEADERS

    def read(self, count: int) -> bytes:
        self._left -= count
        if self._left < 0:
            raise tarfile.ReadError(f"more than {_LONGEST_HEADERS:,} bytes of headers")
        data: bytes = self._file.read(count)
        return data

    def tell(self) -> int:
        return int(self._file.tell())


class _TarInfo(tarfile.TarInfo):
    """A header that fails loudly: tarfile takes a broken or missing one for the end."""

    @classmethod
    def fromtarfile(cls, tar: Any) -> Self:
        file = tar.fileobj
        tar.fileobj = _Headers(file)
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise  # a block of zeros: the true end
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"at byte {tar.offset}: {error}") from error
        finally:
            tar.fileobj = file

    def _proc_pax(self, tar: Any) -> Any:
        if self.type == tarfile.XGLTYPE:  # what all later members carry along
            tar.carried += self.size
            if tar.carried > _LONGEST_HEADER:
                raise tarfile.ReadError(f"{tar.carried:,} bytes of headers for all members")
        return cast(Any, super())._proc_pax(tar)

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Self:
        info = super().frombuf(buf, encoding, errors)
        if info.size < 0:
            raise tarfile.ReadError(f"a size of {info.size:,} bytes")
        if info.type in _HEADERS and info.size > _LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {info.size:,} bytes")
        return info

    def _block(self, count: int) -> int:
        """tarfile's own: a negative count, which a pax header may give, would lead back."""
        if count < 0:
            raise tarfile.ReadError(f"a size of {count:,} bytes")
        return -(-count // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


class _TarFile(tarfile.TarFile):
    """``carried``: bytes of the headers so far that hold for all members after them."""

    tarinfo = _TarInfo
    carried = 0
