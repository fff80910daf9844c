"""``info``: what a recording's header says."""

from __future__ import annotations

from dataclasses import dataclass

from domainkit.audio.codec.raw import Raw
from domainkit.audio.codec.reading import failures_named, open_recording
from domainkit.audio.codec.source import AudioFile

__all__ = ["AudioInfo", "info"]

# torchaudio's names, and the bits of a sample, 0 where it has no fixed number of them
_ENCODINGS = {
    **{f"PCM_{bits}": ("PCM_S", bits) for bits in (16, 24, 32)},
    **{f"ALAC_{bits}": ("ALAC", bits) for bits in (16, 20, 24, 32)},
    "PCM_S8": ("PCM_S", 8),
    "PCM_U8": ("PCM_U", 8),
    "FLOAT": ("PCM_F", 32),
    "DOUBLE": ("PCM_F", 64),
    "ULAW": ("ULAW", 8),
    "ALAW": ("ALAW", 8),
    "VORBIS": ("VORBIS", 0),
    "OPUS": ("OPUS", 0),
    "MPEG_LAYER_I": ("MP1", 0),
    "MPEG_LAYER_II": ("MP2", 0),
    "MPEG_LAYER_III": ("MP3", 0),
    "GSM610": ("GSM", 0),
}


@dataclass(frozen=True)
class AudioInfo:
    """What a header says; the first five are torchaudio's ``AudioMetaData``.

    Attributes:
        sample_rate: in Hz.
        num_frames: samples per channel; None where only decoding tells.
        num_channels: how many.
        bits_per_sample: 0 for formats without a fixed number, as MP3.
        encoding: "PCM_S", "PCM_U", "PCM_F", "FLAC", "ULAW", "ALAW", "MP3", "VORBIS", "OPUS", ...
        format: the container as libsndfile names it: "WAV", "FLAC", "OGG", "MP3", ...
        subtype: how a sample is stored as libsndfile names it: "PCM_16", "FLOAT", "VORBIS", ...
    """

    sample_rate: int
    num_frames: int | None
    num_channels: int
    bits_per_sample: int
    encoding: str
    format: str
    subtype: str

    @property
    def duration(self) -> float | None:
        """Seconds; None where only decoding tells."""
        return None if self.num_frames is None else self.num_frames / self.sample_rate


def info(file: AudioFile, *, raw: Raw | None = None) -> AudioInfo:
    """What a recording's header says of it; nothing is decoded.

    The number of samples is the one ``load`` gives. For an MP3 file without an Info frame its
    frames are counted, which reads the file. Of a file that is cut off, some headers tell what it
    had (FLAC), others what is left (WAV, AIFF, AU, Opus).

    Args:
        file, raw: as for ``load``.

    Raises:
        DecodeError: no recording; names the file.
        MissingExtraError: as ``load``.

    Example:
        >>> import torch
        >>> from domainkit.audio.codec import encode_wav
        >>> about = info(encode_wav(torch.zeros(2, 4000), 8000))
        >>> about.num_channels, about.num_frames, about.encoding, about.bits_per_sample
        (2, 4000, 'PCM_S', 16)
        >>> about.duration
        0.5
    """
    with open_recording(file, raw, partial=True) as recording, failures_named(recording.label):
        encoding, bits = _ENCODINGS.get(recording.subtype, (recording.subtype, 0))
        if recording.format == "FLAC":
            encoding = "FLAC"
        return AudioInfo(
            sample_rate=recording.rate,
            num_frames=recording.frames,
            num_channels=recording.channels,
            bits_per_sample=bits,
            encoding=encoding,
            format=recording.format,
            subtype=recording.subtype,
        )
