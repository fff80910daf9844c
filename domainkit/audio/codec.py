"""Recordings as bytes <-> waveforms: WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, AU through libsndfile.

libsndfile reads what is left of a file that was cut off and says nothing. Here a damaged recording
raises: the sizes that a WAV file declares are compared with the bytes that are there, and for every
format the samples that came out with the samples that the header promised.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from domainkit.errors import DecodeError

__all__ = ["audio_shape", "decode_audio", "decode_audio_into", "encode_wav"]

UNKNOWN_SIZE = 0xFFFFFFFF  # what a writer to a pipe declares: it could not go back to fill it in
_UNKNOWN_FRAMES = 1 << 40  # what libsndfile says of a stream without a length is above
FULL_SCALE = 32768  # int16 -32768 is -1.0, as libsndfile and scipy users scale it


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
        >>> audio_shape(encode_wav(torch.zeros(2, 100), 8000))
        ((2, 100), 8000)
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(memoryview(data))) as file:
            if file.subtype == "GSM610" or file.frames <= 0 or file.frames >= _UNKNOWN_FRAMES:
                return None
            return (file.channels, file.frames), file.samplerate
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

    promised = _check_wav(view)
    try:
        with soundfile.SoundFile(io.BytesIO(view)) as file:
            frames, rate = file.frames, file.samplerate
            kind = f"{file.format} {file.subtype}"
            fits = place is not None and place.shape == (frames, file.channels)
            # the count is given because GSM streams cannot seek, and soundfile asks for it then
            samples = file.read(
                frames, dtype="float32", always_2d=True, out=place if fits else None
            )
    except (soundfile.SoundFileError, ValueError, MemoryError) as error:  # a header may lie
        raise DecodeError(
            f"these {len(view)} bytes cannot be decoded as a recording: {_reason(error)} "
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


def encode_wav(waveform: torch.Tensor, sample_rate: int) -> bytes:
    """Encode a waveform as a 16-bit PCM WAV file; numbers outside [-1, 1) are clipped.

    Args:
        waveform: floating [C, T], nominally in [-1, 1].
        sample_rate: in Hz.

    Raises:
        DecodeError: not a floating tensor of two dimensions.

    Example:
        >>> len(encode_wav(torch.zeros(1, 100), 16000))
        244
    """
    import soundfile

    if waveform.ndim != 2 or not waveform.dtype.is_floating_point:
        raise DecodeError(
            f"expected a floating waveform [C, T], got {waveform.dtype} {tuple(waveform.shape)}: "
            "add the channel dimension with waveform[None]"
        )
    scaled = (waveform.detach().to("cpu", torch.float64) * FULL_SCALE).round()
    pcm = scaled.clamp(-FULL_SCALE, FULL_SCALE - 1).to(torch.int16).T.contiguous().numpy()
    out = io.BytesIO()
    soundfile.write(out, pcm, sample_rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def _check_wav(view: memoryview) -> int | None:
    """Check the sizes a RIFF file declares; the samples per channel its fact chunk promises."""
    if len(view) < 12 or view[:4] != b"RIFF" or view[8:12] != b"WAVE":
        return None
    samples = None
    for name, start, size in _chunks(view):
        if name == b"fact" and size >= 4:
            (samples,) = struct.unpack_from("<I", view, start)
        elif name == b"data":
            here = len(view) - start
            if size > here and size != UNKNOWN_SIZE:
                raise DecodeError(
                    f"the WAV recording is cut off: its header promises {size} bytes of sound, "
                    f"{here} are there. Fetch the file again"
                )
            break
    return samples


def _chunks(view: memoryview) -> Iterator[tuple[bytes, int, int]]:
    position = 12
    while position + 8 <= len(view):
        name, size = struct.unpack_from("<4sI", view, position)
        yield name, position + 8, size
        position += 8 + size + (size & 1)  # chunks begin at even places


def _reason(error: Any) -> str:
    text = str(getattr(error, "error_string", "") or error).strip()
    return text if text.endswith(".") else f"{text}."
