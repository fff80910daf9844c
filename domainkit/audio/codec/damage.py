"""What a header promises against the bytes that are there: a recording that was cut off is told.

libsndfile reads what is left of such a file and says nothing. Looked at are the sizes of the sound
in WAV, RF64, W64, AIFF and AU files and the last page of an Ogg file; for other formats the reader
compares the samples that came out with those that were promised.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from domainkit.errors import DecodeError

__all__ = ["last_pages", "promised_samples"]

# what writers to a pipe declare, who cannot go back to fill it in
UNKNOWN_SIZE = 0xFFFFFFFF
UNKNOWN_SIZES = (UNKNOWN_SIZE, 0x80000000, 0x7FFFFFFF, 0x7FFFF000)
_TAIL = 1 << 17  # two Ogg pages are shorter than this: 65,307 bytes is the most that one may have

At = Callable[[int, int], bytes]  # (offset, count) -> the bytes there


def promised_samples(at: At, size: int) -> int | None:
    """The samples per channel that a WAV file's fact chunk promises, if it has one.

    Args:
        at: gives bytes of the file.
        size: of the file, in bytes.

    Raises:
        DecodeError: the header promises more bytes of sound than there are.
    """
    head = at(0, 12)
    if head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE":
        return _wave(at, size)
    if head[:4] == b"riff":
        _wave64(at, size)
    elif head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        for name, start, length in _chunks(at, size, ">"):
            if name == b"SSND":
                _compare("AIFF", length, size - start)
                break
    elif head[:4] in (b".snd", b"dns.") and len(head) == 12:
        start, length = struct.unpack_from(">II" if head[:4] == b".snd" else "<II", head, 4)
        _compare("AU", length, size - start)
    elif head[:4] == b"OggS":
        pages = last_pages(at, size)
        if not pages or pages[-1][0] > size:
            raise DecodeError(
                "the Ogg recording is cut off in the middle of a page. Fetch the file again"
            )
    return None


def last_pages(at: At, size: int) -> list[tuple[int, int]]:
    """The last pages of an Ogg file: (where it ends, samples until then), -1 if it does not tell.

    RFC 3533, section 6.
    """
    tail = at(max(0, size - _TAIL), _TAIL)
    start = max(0, size - _TAIL)
    pages = []
    place = tail.find(b"OggS")
    while place >= 0 and place + 27 <= len(tail):
        (granule,) = struct.unpack_from("<q", tail, place + 6)
        table = tail[place + 27 : place + 27 + tail[place + 26]]
        end = place + 27 + tail[place + 26] + sum(table)
        pages.append((start + end, granule))
        place = tail.find(b"OggS", end)
    return pages


def _wave(at: At, size: int) -> int | None:
    samples = long_data = None
    for name, start, length in _chunks(at, size, "<"):
        if name == b"ds64" and length >= 16:
            (long_data,) = struct.unpack_from("<8xQ", at(start, 16).ljust(16, b"\0"))
        elif name == b"fact" and length >= 4:
            (samples,) = struct.unpack("<I", at(start, 4).ljust(4, b"\0"))
        elif name == b"data":
            if length == UNKNOWN_SIZE and long_data is not None:
                length = long_data  # noqa: PLW2901 - the size of the same chunk
            _compare("WAV", length, size - start)
            if not length:
                _check_finished(at, start, size)
            break
    return samples


def _check_finished(at: At, start: int, size: int) -> None:
    """DecodeError if a WAV file that declares no sound has bytes that are no chunks of its own."""
    for _, place, length in _chunks(at, size, "<", start):
        if place + length <= size <= place + length + 1:
            return
    if size - start > 1:
        raise DecodeError(
            f"the WAV recording was not finished: its header promises no sound, and {size - start} "
            "bytes follow. Write it again, or open it with raw=Raw(...)"
        )


def _wave64(at: At, size: int) -> None:
    """Sony Wave64: chunks with a GUID of 16 bytes and a size of 8, which counts these 24 too."""
    position = 40
    while position + 24 <= size:
        name, length = struct.unpack("<4s12xQ", at(position, 24))
        if name == b"data":
            _compare("W64", length - 24, size - position - 24)
            return
        position += max(24, -(-length // 8) * 8)


def _chunks(at: At, size: int, order: str, position: int = 12) -> Iterator[tuple[bytes, int, int]]:
    while position + 8 <= size:
        name, length = struct.unpack(f"{order}4sI", at(position, 8))
        yield name, position + 8, length
        position += 8 + length + (length & 1)  # chunks begin at even places


def _compare(kind: str, promised: int, here: int) -> None:
    if promised > here and promised not in UNKNOWN_SIZES:
        raise DecodeError(
            f"the {kind} recording is cut off: its header promises {promised} bytes of sound, "
            f"{max(0, here)} are there. Fetch the file again"
        )
