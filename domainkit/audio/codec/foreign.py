"""Recordings that libsndfile cannot read, through torchcodec and FFmpeg: m4a, AAC, video files."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from domainkit.audio.codec.pcm import to_int16
from domainkit.audio.codec.source import Source
from domainkit.errors import DecodeError, MissingExtraError

__all__ = ["Foreign", "is_foreign"]


def is_foreign(head: bytes) -> bool:
    """Whether a file that begins so is MP4, Matroska, AVI, ASF or AAC."""
    return (
        head[4:8] == b"ftyp"
        or head.startswith((b"\x1a\x45\xdf\xa3", b"\x30\x26\xb2\x75", b"\xff\xf1", b"\xff\xf9"))
        or (head.startswith(b"RIFF") and head[8:12] == b"AVI ")
    )


class Foreign:
    """A recording decoded by torchcodec, whole at once; the attributes are ``Recording``'s."""

    format = "FFMPEG"
    whole = True

    def __init__(self, source: Source) -> None:
        self.label = source.label
        try:
            decoders = importlib.import_module("torchcodec.decoders")
        except (ImportError, OSError, RuntimeError) as error:  # it wants FFmpeg's libraries too
            raise MissingExtraError(
                f"{source.label}: libsndfile does not read this format. "
                "pip install 'domainkit[torchcodec]' reads it with FFmpeg, which has to be "
                "installed as well; or convert it to FLAC"
            ) from error
        try:
            decoder = decoders.AudioDecoder(source.path or source.at(0, source.size))
            sound: Any = decoder.get_all_samples()
        except (RuntimeError, ValueError) as error:
            raise DecodeError(
                f"{source.label} cannot be decoded by torchcodec: {error}. Fetch the file again"
            ) from error
        self._samples = sound.data.numpy()
        self._place = 0
        self.rate = int(sound.sample_rate)
        self.channels, self.frames = self._samples.shape
        self.subtype = str(decoder.metadata.codec or "unknown").upper()

    def go(self, offset: int, count: int) -> None:
        """Stand at sample ``offset``."""
        self._place = offset

    def read(self, count: int, dtype: str) -> np.ndarray:
        """The next samples [n, C], float32 or int16."""
        part = self._samples[:, self._place : self._place + count].T
        self._place += len(part)
        return part if dtype == "float32" else to_int16(part)
