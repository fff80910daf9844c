"""Recordings as bytes <-> waveforms: WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, AU through libsndfile.

libsndfile reads what is left of a file that was cut off and says nothing. Here a damaged recording
raises: the sizes that its header declares are compared with the bytes that are there (``damage``),
and for every format the samples that came out with the samples that the header promised.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch

from domainkit.audio.codec.damage import promised_samples
from domainkit.audio.codec.mp3 import told_length
from domainkit.errors import DecodeError

__all__ = ["UNKNOWN_FRAMES", "audio_shape", "decode_audio", "decode_audio_into", "reason"]

UNKNOWN_FRAMES = 1 << 40  # what libsndfile says of a stream without a length is above


def decode_audio(data: bytes | bytearray | memoryview) -> tuple[torch.Tensor, int]:
    """Decode one recording.

    Args:
        data: the bytes of a file as published.

    Returns:
        The waveform, float32 [C, T] in [-1, 1] (integer formats; float files keep their numbers),
        and the sample rate in Hz.

    Raises:
        DecodeError: no format that libsndfile knows, or the recording is damaged or cut off.

    Example:
        >>> from domainkit.audio.codec import encode_wav
        >>> wave = torch.tensor([[0.0, 0.5, -1.0]])
        >>> decode_audio(encode_wav(wave, 8000))
        (tensor([[ 0.0000,  0.5000, -1.0000]]), 8000)
    """
    samples, rate = _samples(memoryview(data), None)
    return torch.from_numpy(np.ascontiguousarray(samples.T)), rate


def audio_shape(data: bytes | bytearray | memoryview) -> tuple[tuple[int, int], int] | None:
    """The shape (C, T) that ``decode_audio`` will give and the rate in Hz, from the header alone.

    None where the header does not tell; decoding does.

    Example:
        >>> from domainkit.audio.codec import encode_wav
        >>> audio_shape(encode_wav(torch.zeros(2, 100), 8000))
        ((2, 100), 8000)
    """
    import soundfile

    try:
        data, before = told_length(memoryview(data))
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.subtype == "GSM610" or file.frames <= 0 or file.frames >= UNKNOWN_FRAMES:
                return None
            return (file.channels, file.frames - before), file.samplerate
    except (soundfile.SoundFileError, ValueError):
        return None


def decode_audio_into(data: bytes | bytearray | memoryview, out: torch.Tensor) -> int:
    """``decode_audio`` into memory that is there; a mono recording without another copy.

    Args:
        data: as for ``decode_audio``.
        out: float32 [C, T], contiguous, of the shape that ``audio_shape`` told.

    Returns:
        The sample rate in Hz.

    Raises:
        DecodeError: as ``decode_audio``, or the recording is not of the shape of ``out``.

    Example:
        >>> from domainkit.audio.codec import encode_wav
        >>> out = torch.empty(1, 3)
        >>> decode_audio_into(encode_wav(torch.tensor([[0.0, 0.5, -1.0]]), 8000), out), out
        (8000, tensor([[ 0.0000,  0.5000, -1.0000]]))
    """
    place = out.numpy()
    direct = place.T if len(place) == 1 and place.flags.c_contiguous else None
    samples, rate = _samples(memoryview(data), direct)
    if samples.T.shape != place.shape:
        raise DecodeError(
            f"the recording's header promises (C, T) = {place.shape}, its data {samples.T.shape}"
        )
    if direct is None or not np.may_share_memory(samples, place):
        np.copyto(place, samples.T)
    return rate


def _samples(view: memoryview, place: np.ndarray | None) -> tuple[np.ndarray, int]:
    """float32 [T, C], in ``place`` if that has the right size, and the rate."""
    import soundfile

    from domainkit.audio.codec.sequential import Sequential

    promised = promised_samples(
        lambda start, count: view[start : start + count].tobytes(), len(view)
    )
    try:
        data, before = told_length(view)
        with Sequential(io.BytesIO(data)) as file:
            frames, rate = file.frames - before, file.samplerate
            file.skip(before)
            kind = f"{file.format} {file.subtype}"
            fits = place is not None and place.shape == (frames, file.channels)
            # the count is given because GSM streams cannot seek, and soundfile asks for it then
            samples = file.read(
                frames, dtype="float32", always_2d=True, out=place if fits else None
            )
    except (soundfile.SoundFileError, ValueError, MemoryError) as error:  # a header may lie
        raise DecodeError(
            f"these {len(view)} bytes cannot be decoded as a recording: {reason(error)} "
            "Fetch the file again, or convert it to WAV or FLAC"
        ) from error
    if len(samples) < frames or (frames == 0 and file.format == "OGG"):
        raise DecodeError(
            f"the {kind} recording is cut off: its header promises {frames or 'some'} samples, "
            f"{len(samples)} could be decoded. Fetch the file again"
        )
    if promised is not None and file.subtype == "GSM610":
        # blocks of 320 samples: only the header knows where inside the last one the sound ends
        samples = samples[:promised]
    return samples, rate


def reason(error: Any) -> str:
    """What libsndfile says of it, as a sentence."""
    text = str(getattr(error, "error_string", "") or error).strip()
    return text if text.endswith(".") else f"{text}."
