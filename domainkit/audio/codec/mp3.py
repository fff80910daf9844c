"""Parts of an MP3 file that decode to the very samples of the whole.

An MP3 frame cannot be decoded alone: its data may begin up to 511 bytes earlier, among the frames
before it (the bit reservoir), its spectrum overlaps with the last one's, and the filter bank
remembers 512 samples. A seek by the decoder leaves some of that out and is wrong for up to seconds.
Here a part becomes a small file of its own: frames are listed by their headers (ISO/IEC 11172-3,
2.4.1.3 and 13818-3), and those needed come with enough before them. The ones whose bytes are needed
but not their sound are made silent: their side information is cleared but for where their data
begin. The part begins at a multiple of eight frames, because the order of the filter bank's sums,
and so the last bit of a sample, comes back after that many.

The small file begins with an Info frame that says how many frames there are. Without one, the
length of a file of varying bitrate is guessed from its first frame, and what is beyond is not read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Frames", "has_info_frame", "list_frames", "told_length"]

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_LOW = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_DECODER_DELAY = 529  # samples that decoders leave out at the start of a file with an Info frame
_PERIOD = 8  # frames after which the filter bank stands as at the start
_OVERLAP = 3  # frames that sound on in the next ones
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"3DI")  # what may come behind the sound


class _Header(NamedTuple):
    version: int
    rate: int
    length: int  # bytes of the frame
    mono: bool
    side: int  # bytes of side information
    before: int  # bytes before it: header and checksum


@lru_cache(maxsize=4096)  # the frames of a file have few different ones
def _header(data: bytes) -> _Header | None:
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2:
        return None  # no sync, or not layer III
    version, kbits, rate = data[1] >> 3 & 3, data[2] >> 4, data[2] >> 2 & 3
    if version == 1 or kbits in (0, 15) or rate == 3:
        return None
    first = version == 3
    hertz = _RATES[version][rate]
    bits = (_KBITS if first else _KBITS_LOW)[kbits] * 1000
    length = (144 if first else 72) * bits // hertz + (data[2] >> 1 & 1)
    mono = data[3] >> 6 == 3
    side = (17 if mono else 32) if first else (9 if mono else 17)
    return _Header(version, hertz, length, mono, side, 4 if data[1] & 1 else 6)


@dataclass(frozen=True)
class Frames:
    """Where the frames of an MP3 file lie.

    Attributes:
        data: the whole file.
        places: (offset, bytes) of each frame, the Info frame left out.
        block: samples of a frame.
        skipped: samples at the start that are not part of the recording.
        tagged: whether there is an Info frame.
        cut: whether the last frame is not whole.
        protected: whether frames have checksums, so that none may be made silent.
    """

    data: memoryview
    places: list[tuple[int, int]]
    block: int
    skipped: int
    tagged: bool
    cut: bool
    protected: bool

    @property
    def samples(self) -> int:
        """Samples of the recording; an Info frame may leave some of the last ones out."""
        return len(self.places) * self.block - self.skipped

    def part(self, offset: int, count: int) -> tuple[bytes, int]:
        """A file that holds ``count`` samples from ``offset``, and how many are before them."""
        goal = offset + self.skipped
        head = bytes(self.data[self.places[0][0] :][:4])
        header = _header(head)
        assert header is not None  # it was listed
        most = 511 if header.version == 3 else 255
        sound = goal // self.block - _OVERLAP  # the first frame that has to sound
        if self.protected:
            sound = 0
        first, reservoir = sound, 0
        while first > 0 and reservoir < most:
            first -= 1
            reservoir += self._room(first)
        first = max(first, 0) // _PERIOD * _PERIOD
        if goal - first * self.block < _DECODER_DELAY:
            first -= _PERIOD
        last = min(len(self.places), (goal + count) // self.block + 2)
        body, held = bytearray(), 0
        for index in range(first, last):
            frame = self._frame(index, header)
            if index < 0 or (index < sound and first > 0):
                start = min(held, most)
                silent = (start << 7 if most == 511 else start << 8).to_bytes(2, "big")
                side, before = header.side, _header(bytes(frame[:4])).before  # type: ignore[union-attr]
                frame[before : before + side] = silent.ljust(side, b"\0")
            held += self._room(index) if index >= 0 else len(frame) - 4 - header.side
            body += frame
        info = _info_frame(head, last - first)
        return bytes(info + body), goal - first * self.block - _DECODER_DELAY

    def _room(self, index: int) -> int:
        """Bytes of main data in a frame."""
        place, length = self.places[index]
        header = _header(bytes(self.data[place : place + 4]))
        return length - header.before - header.side if header else 0

    def _frame(self, index: int, header: _Header) -> bytearray:
        if index < 0:  # silence before the start
            return _empty(bytes(self.data[self.places[0][0] :][:4]), header.side + 4)
        place, length = self.places[index]
        return bytearray(self.data[place : place + length])


def has_info_frame(at: Callable[[int, int], bytes]) -> bool:
    """Whether the file says how many frames it has.

    Args:
        at: (offset, count) -> the bytes there.
    """
    place = _sound_start(at)
    header = _header(at(place, 4))
    return header is not None and _skipped(at(place, header.length), header) is not None


def _sound_start(at: Callable[[int, int], bytes]) -> int:
    place = 0
    while (head := at(place, 10)).startswith(b"ID3") and len(head) == 10:
        a, b, c, d = head[6:]
        place += 10 + (a << 21 | b << 14 | c << 7 | d) + (10 if head[5] & 16 else 0)
    return place


def list_frames(data: bytes | memoryview) -> Frames | None:
    """The frames of an MP3 file, or None if it is not as plain as ``Frames.part`` needs it.

    Plain is: layer III throughout, frame behind frame, one sample rate, mono or stereo throughout.
    """
    view = memoryview(data)
    place = _sound_start(lambda start, count: bytes(view[start : start + count]))
    start = _header(bytes(view[place : place + 4]))
    if start is None:
        return None
    places: list[tuple[int, int]] = []
    cut = protected = False
    while (header := _header(bytes(view[place : place + 4]))) is not None:
        if (header.version, header.rate, header.mono) != (start.version, start.rate, start.mono):
            return None
        if header.length > len(view) - place:
            cut = True
            break
        places.append((place, header.length))
        protected |= header.before > 4
        place += header.length
    rest = bytes(view[place : place + 16])
    if not places or (rest.strip(b"\0") and not cut and not rest.startswith(_TAGS)):
        return None
    first = bytes(view[places[0][0] :][: places[0][1]])
    skipped, tagged = _skipped(first, start) or 0, _tag(first, start)
    if tagged:
        del places[0]
    block = 1152 if start.version == 3 else 576
    return Frames(view, places, block, skipped, tagged, cut, protected) if places else None


def _tag(frame: bytes, header: _Header) -> bool:
    """Whether a frame is an Info (or Xing) frame: no sound."""
    tag = 4 + header.side
    return frame[tag : tag + 4] in (b"Xing", b"Info") and len(frame) >= tag + 12


def _skipped(frame: bytes, header: _Header) -> int | None:
    """Samples to leave out at the start, as an Info frame with LAME's extension says.

    None for any other frame, and for one that does not say how many frames there are: decoders
    leave nothing out then.
    """
    tag = 4 + header.side
    if not _tag(frame, header):
        return None
    flags, frames = struct.unpack_from(">II", frame, tag + 4)
    if not flags & 1 or not frames:
        return None
    fields = ((1, 4), (2, 4), (4, 100), (8, 4))  # frames, bytes, table of contents, quality
    extension = tag + 8 + sum(size for bit, size in fields if flags & bit)
    delay = frame[extension + 21 : extension + 24].ljust(3, b"\0")
    return (delay[0] << 4 | delay[1] >> 4) + _DECODER_DELAY


def _empty(head: bytes, room: int) -> bytearray:
    """A frame of zeros with at least ``room`` bytes."""
    for kbits in range(1, 15):
        made = bytes([0xFF, head[1] | 1, kbits << 4 | head[2] & 0x0C, head[3]])
        header = _header(made)
        if header is not None and header.length >= room:
            return bytearray(made.ljust(header.length, b"\0"))
    raise AssertionError("the largest frames hold more than is asked for")


def _info_frame(head: bytes, frames: int) -> bytearray:
    header = _header(head)
    assert header is not None
    frame = _empty(head, 4 + header.side + 160)
    start = 4 + header.side
    frame[start : start + 12] = b"Info" + struct.pack(">II", 1, frames)
    return frame


def told_length(data: memoryview) -> tuple[bytes | memoryview, int]:
    """The file, one of MP3 made to tell its length, and the samples to leave out at its start."""
    if len(data) < 4 or data[0] not in b"\xffI":
        return data, 0

    def at(start: int, count: int) -> bytes:
        return bytes(data[start : start + count])

    if not has_info_frame(at) and (frames := list_frames(data)) is not None:
        return frames.part(0, frames.samples)
    return data, 0
