"""Audio files to waveforms and back, through libsndfile: WAV, FLAC, MP3, Ogg Vorbis, Opus and more.

``load``, ``info``, ``stream`` and ``save`` are for files and are also names of ``domainkit.audio``;
``decode_audio`` and its like are for the bytes of a stored sample. Parts are exact to the sample in
every format (``reading``). A recording that was cut off is an error, never a short waveform, unless
what is left was asked for.
"""

from __future__ import annotations

from domainkit.audio.codec.encode import encode_wav
from domainkit.audio.codec.loading import load
from domainkit.audio.codec.metadata import AudioInfo, info
from domainkit.audio.codec.raw import Raw
from domainkit.audio.codec.saving import save
from domainkit.audio.codec.streaming import AudioStream, stream
from domainkit.audio.codec.whole import audio_shape, decode_audio, decode_audio_into

__all__ = [
    "AudioInfo",
    "AudioStream",
    "Raw",
    "audio_shape",
    "decode_audio",
    "decode_audio_into",
    "encode_wav",
    "info",
    "load",
    "save",
    "stream",
]
