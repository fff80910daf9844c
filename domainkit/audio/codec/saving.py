"""``save``: a waveform as a file of any format that libsndfile writes."""

from __future__ import annotations

import io
import os
import secrets
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from domainkit.audio.codec.formats import stored_as
from domainkit.audio.codec.pcm import as_stored
from domainkit.audio.codec.whole import reason
from domainkit.errors import DecodeError

__all__ = ["save"]

_BLOCK = 1 << 16


def save(
    file: str | PathLike[str] | BinaryIO,
    waveform: torch.Tensor,
    sample_rate: int,
    *,
    format: str | None = None,
    encoding: str | None = None,
    bits_per_sample: int | None = None,
    compression: float | None = None,
    bitrate_mode: str | None = None,
    channels_first: bool = True,
    clip: bool = True,
) -> None:
    """Save a waveform as WAV, FLAC, MP3, Ogg Vorbis, Opus, AIFF, AU, headerless sound and others.

    A path appears when the file is complete: it is written beside it under another name, and then
    renamed. A file object is written to once, when all is encoded. Integers are stored as they are
    where the format has as many bits; 1.0 is 2^(bits - 1), so that int16 and PCM come back exactly.

    Args:
        file: a path, whose suffix tells the format, or a writable binary file object.
        waveform: [C, T], float32 or float64 in [-1, 1], or int16 or int32 (full scale).
        sample_rate: in Hz.
        format: "wav", "flac", "mp3", "ogg", "opus", "aiff", "au", "raw", "caf", "w64", "rf64", or a
            container as libsndfile names it.
        encoding: libsndfile's subtype ("PCM_24", "FLOAT", "ULAW", "IMA_ADPCM", "VORBIS", ...) or
            torchaudio's name ("PCM_S", "PCM_U", "PCM_F", "ULAW", "ALAW", ...). Without it WAV,
            AIFF, AU and the like store what the waveform is (PCM_16, PCM_32, FLOAT, DOUBLE), FLAC
            16 bits for int16 and 24 for all else, and lossy formats their own.
        bits_per_sample: of "PCM_S", "PCM_U" or "PCM_F", or of the format's own integers.
        compression: 0 (least) to 1 (most) for FLAC, MP3, Ogg Vorbis and Opus.
        bitrate_mode: "CONSTANT", "AVERAGE" or "VARIABLE", for MP3.
        channels_first: [C, T], else [T, C].
        clip: numbers outside [-1, 1) are clipped, as WAV writers do; False makes them an error.
            "FLOAT" and "DOUBLE" keep them.

    Raises:
        DecodeError: another shape or dtype, NaN or infinity, a format that does not exist or
            cannot hold the waveform (rate, channels), a path that cannot be written.

    Example:
        >>> import io
        >>> from domainkit.audio import load, save
        >>> file = io.BytesIO()
        >>> save(file, torch.tensor([[1, -2, 3]], dtype=torch.int16), 16000, format="flac")
        >>> load(file.getvalue(), dtype=torch.int16)
        (tensor([[ 1, -2,  3]], dtype=torch.int16), 16000)
    """
    path = Path(file) if isinstance(file, str | PathLike) else None
    kind, subtype = stored_as(path, format, encoding, bits_per_sample, waveform.dtype)
    label = str(path) if path else kind
    if waveform.ndim != 2:
        raise DecodeError(
            f"{label}: expected a waveform [C, T], got shape {tuple(waveform.shape)}: add the "
            "channel dimension with waveform[None]"
        )
    samples = waveform.detach().cpu().numpy()
    samples = as_stored(samples.T if channels_first else samples, kind, subtype, clip, label)
    options: dict[str, Any] = {"format": kind, "subtype": subtype}
    if compression is not None:
        if not 0 <= compression <= 1:
            raise DecodeError(f"{label}: compression is in [0, 1], got {compression}")
        options["compression_level"] = compression
    if bitrate_mode is not None:
        options["bitrate_mode"] = bitrate_mode
    if path is None:
        made = io.BytesIO()
        _write(made, samples, sample_rate, options, label)
        file.write(made.getvalue())  # type: ignore[union-attr]
        return
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with beside.open("xb") as opened:
            _write(opened, samples, sample_rate, options, label)
        os.replace(beside, path)
    except OSError as error:
        raise DecodeError(
            f"{path}: cannot be written: {error.strerror or error}. Check the folder and its rights"
        ) from error
    finally:
        with suppress(OSError):  # it is gone where all went well
            beside.unlink()


def _write(
    target: Any, samples: np.ndarray, rate: int, options: dict[str, Any], label: str
) -> None:
    import soundfile

    from domainkit.audio.codec.sequential import Sequential

    try:
        with Sequential(target, "w", int(rate), samples.shape[1], **options) as file:
            # libvorbis keeps what it is given on the stack: a minute at once ends the process
            for start in range(0, len(samples), _BLOCK):
                file.write(samples[start : start + _BLOCK])
    except (soundfile.SoundFileError, ValueError, TypeError, AssertionError) as error:
        raise DecodeError(
            f"{label}: {options['format']} {options['subtype']} cannot hold {samples.shape[1]} "
            f"channels at {rate} Hz: {reason(error)} Resample, mix the channels, or take another "
            "format (WAV holds any)"
        ) from error
