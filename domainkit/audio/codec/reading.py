"""An open recording, read on from any sample: exactly what decoding the whole would give there.

How depends on the format. Uncompressed sound, FLAC, ALAC and ADPCM are sought by libsndfile.
MP3 goes by ``mp3``. Ogg Vorbis is sought to no later than the last page but one, for libsndfile
takes the last page to be full and lands at the wrong sample. Opus remembers without limit (its
voice coder predicts from its own output): two decodes that began at different places are run to the
sample that is wanted, from further and further back until they agree on the half second before it,
bit by bit. Whatever cannot seek is decoded from the start.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from domainkit.audio.codec.damage import last_pages, promised_samples
from domainkit.audio.codec.foreign import Foreign, is_foreign
from domainkit.audio.codec.mp3 import Frames, has_info_frame, list_frames
from domainkit.audio.codec.pcm import to_int16
from domainkit.audio.codec.raw import Raw
from domainkit.audio.codec.source import AudioFile, Source, open_source
from domainkit.audio.codec.whole import UNKNOWN_FRAMES, reason
from domainkit.errors import DecodeError

__all__ = ["Recording", "failures_named", "open_recording"]

_SOUGHT = frozenset(
    {
        *("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"),
        *("ALAC_16", "ALAC_20", "ALAC_24", "ALAC_32", "IMA_ADPCM", "MS_ADPCM"),
    }
)


class Recording:
    """A recording that stands at a sample.

    Attributes:
        label: what messages call it.
        rate: in Hz.
        channels: how many.
        frames: samples per channel; None where only decoding tells.
        whole: whether all that the header promises is there, as far as the header tells.
    """

    def __init__(self, source: Source, raw: Raw | None, partial: bool) -> None:
        self._stack = ExitStack()
        self._source = source
        self._raw = raw
        self._partial = partial
        self.label = source.label
        self.whole = True
        promised = None
        if raw is None:
            try:
                promised = promised_samples(source.at, source.size)
            except DecodeError:
                if not partial:
                    raise
                self.whole = False
        try:
            self._sound: Any = self._open(source.target())
        except TypeError as error:  # soundfile goes by the suffix .raw
            raise DecodeError(
                "headerless sound has to be told what it is: pass raw=Raw(sample_rate, channels, "
                "subtype) of domainkit.audio"
            ) from error
        sound = self._sound
        self.rate, self.channels = int(sound.samplerate), int(sound.channels)
        self.format, self.subtype = str(sound.format), str(sound.subtype)
        frames = sound.frames
        self.frames = int(frames) if 0 < frames < UNKNOWN_FRAMES else None
        if frames == 0 and self.format != "OGG":
            self.frames = 0
        if self.subtype == "GSM610" and self.format == "WAV":
            self.frames = promised
        self._mp3: Frames | None = None
        if self.format == "MP3" and not has_info_frame(source.at):
            self._mp3 = list_frames(source.at(0, source.size))
            if self._mp3 is not None:
                self.frames = self._mp3.samples  # libsndfile guesses
                self.whole = not self._mp3.cut

    def close(self) -> None:
        """Close what was opened here."""
        self._stack.close()

    def go(self, offset: int, count: int) -> None:
        """Stand at sample ``offset`` of a recording just opened; ``count`` will be read."""
        if offset and self.format == "MP3" and self._mp3 is None:
            self._mp3 = list_frames(self._source.at(0, self._source.size))
        if self._mp3 is not None and offset < self._mp3.samples:
            data, before = self._mp3.part(offset, count)
            self._stack.close()
            self._sound = self._open(io.BytesIO(data))
            self._sound.skip(before)
        elif not offset:
            return
        elif self.subtype in _SOUGHT and self.frames is not None:
            self._sound.seek(offset)
        elif self.subtype == "VORBIS" and self.frames is not None:
            pages = [g for _, g in last_pages(self._source.at, self._source.size)[:-1] if g >= 0]
            place = min(offset, pages[-1]) if pages else 0
            if place:
                self._sound.seek(place)
            self._sound.skip(offset - place)
        elif self.subtype == "OPUS" and self.frames is not None:
            self._go_opus(offset)
        else:
            self._sound.skip(offset)

    def read(self, count: int, dtype: str) -> np.ndarray:
        """The next samples [n, C]; fewer than ``count`` at the end or where the file is damaged."""
        if self._partial and self.format == "FLAC":  # the one that raises at damaged places
            sound = self._sound.take_what_is_there(count)
            return np.asarray(sound if dtype == "float32" else to_int16(sound))
        return np.asarray(self._sound.take(count, dtype))

    def _open(self, target: Any) -> Any:
        from domainkit.audio.codec.sequential import Sequential

        arguments = self._raw.arguments() if self._raw else {}
        return self._stack.enter_context(Sequential(target, **arguments))

    def _go_opus(self, offset: int) -> None:
        back = self.rate  # one second
        while offset > 4 * back:
            near, far = self._opus_until(offset, back), self._opus_until(offset, 2 * back)
            if np.array_equal(near, far):
                return  # the later decode stands at the sample
            back *= 2
        self._sound = self._open(self._source.target())
        self._sound.skip(offset)

    def _opus_until(self, offset: int, back: int) -> np.ndarray:
        """The half second before ``offset`` decoded from ``back`` samples before it."""
        compared = self.rate // 2
        self._sound.seek(offset - back)
        self._sound.skip(back - compared)
        return np.asarray(self._sound.take(compared, "float32"))


@contextmanager
def failures_named(label: str) -> Iterator[None]:
    """What libsndfile and the checks of a header say, as a DecodeError that names the file."""
    import soundfile

    try:
        yield
    except DecodeError as error:
        if str(error).startswith(label):
            raise
        raise DecodeError(f"{label}: {error}") from error
    except (soundfile.SoundFileError, ValueError, OSError, OverflowError, MemoryError) as error:
        raise DecodeError(
            f"{label} cannot be decoded as a recording: {reason(error)} Fetch the file again, or "
            "convert it to WAV or FLAC"
        ) from error


@contextmanager
def open_recording(
    file: AudioFile, raw: Raw | None = None, *, partial: bool = False
) -> Iterator[Recording | Foreign]:
    """Open a recording; it is closed at the end, a caller's file object stays open.

    Raises:
        DecodeError: no recording, or its header promises what is not there (unless ``partial``).
        MissingExtraError: only torchcodec could read it, and that is not installed.
    """
    with open_source(file) as source:
        if raw is None and is_foreign(source.at(0, 16)):
            yield Foreign(source)
            return
        with failures_named(source.label):
            recording = Recording(source, raw, partial)
        try:
            yield recording
        finally:
            recording.close()
