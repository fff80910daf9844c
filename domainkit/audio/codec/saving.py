"""``save``: a waveform as a file of any format that libsndfile writes."""

from __future__ import annotations

import io
import os
import secrets
import shutil
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from domainkit.audio.codec.arguments import as_rate
from domainkit.audio.codec.formats import stored_as
from domainkit.audio.codec.pcm import as_stored
from domainkit.audio.codec.whole import reason
from domainkit.errors import DecodeError

__all__ = ["save"]

_BLOCK = 1 << 16
_MOST_CHANNELS = 1024  # of libsndfile
_COMPRESSED = ("FLAC", "MP3", "OGG")
_MODES = ("CONSTANT", "AVERAGE", "VARIABLE")


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
        bitrate_mode: "CONSTANT", "AVERAGE" or "VARIABLE", for MP3; with a compression of 0.5 unless
            another is given.
        channels_first: [C, T], else [T, C].
        clip: numbers outside [-1, 1) are clipped, as WAV writers do; False makes those beyond 1 an
            error. Beyond 16, where integers were not scaled, they always are. "FLOAT" and "DOUBLE"
            keep all.

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
    if path is None and not callable(getattr(file, "write", None)):
        raise DecodeError(
            f"save takes a path or a writable binary file object, then the waveform; got "
            f"{type(file).__name__}"
        )
    if not isinstance(waveform, torch.Tensor):
        raise DecodeError(
            f"save takes a waveform tensor [C, T], got {type(waveform).__name__}: "
            "torch.as_tensor makes one of an array"
        )
    sample_rate = as_rate("sample_rate", sample_rate)
    kind, subtype = stored_as(path, format, encoding, bits_per_sample, waveform.dtype)
    label = str(path) if path else kind
    if waveform.ndim != 2:
        raise DecodeError(
            f"{label}: expected a waveform [C, T], got shape {tuple(waveform.shape)}: add the "
            "channel dimension with waveform[None]"
        )
    if waveform.shape[0 if channels_first else 1] > _MOST_CHANNELS:
        raise DecodeError(
            f"{label}: {tuple(waveform.shape)} would be {waveform.shape[not channels_first]} "
            f"channels: a waveform [T, C] needs channels_first=False, one [C, T] True"
        )
    if waveform.dtype in (torch.bfloat16, torch.float16):
        waveform = waveform.float()
    samples = waveform.detach().cpu().numpy()
    samples = as_stored(samples.T if channels_first else samples, kind, subtype, clip, label)
    options = _options(kind, subtype, compression, bitrate_mode, label)
    if path is None:
        file.write(_encoded(samples, sample_rate, options, label))  # type: ignore[union-attr]
        return
    path = Path(os.path.realpath(path))  # a link stays, what it leads to is replaced
    try:
        if path.exists() and not path.is_file():  # a pipe or a device
            path.write_bytes(_encoded(samples, sample_rate, options, label))
            return
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with beside.open("xb") as opened:
                _write(opened, samples, sample_rate, options, label)
            if path.exists():
                shutil.copymode(path, beside)
            os.replace(beside, path)
        finally:
            with suppress(OSError):  # it is gone where all went well
                beside.unlink()
    except OSError as error:
        raise DecodeError(
            f"{path}: cannot be written: {error.strerror or error}. Check the folder and its rights"
        ) from error


def _options(
    kind: str, subtype: str, compression: float | None, bitrate_mode: str | None, label: str
) -> dict[str, Any]:
    """What soundfile calls them."""
    options: dict[str, Any] = {"format": kind, "subtype": subtype}
    if compression is not None:
        if kind not in _COMPRESSED:
            raise DecodeError(
                f"{label}: {kind} has no compression to choose; {', '.join(_COMPRESSED)} have"
            )
        if not isinstance(compression, int | float) or not 0 <= compression <= 1:
            raise DecodeError(f"{label}: compression is in [0, 1], got {compression!r}")
        options["compression_level"] = compression
    if bitrate_mode is not None:
        if kind != "MP3" or bitrate_mode not in _MODES:
            raise DecodeError(
                f"{label}: bitrate_mode is {', '.join(map(repr, _MODES))} and for MP3, got "
                f"{bitrate_mode!r} for {kind}"
            )
        options["bitrate_mode"] = bitrate_mode
        options.setdefault("compression_level", 0.5)  # libsndfile forgets the mode without one
    return options


def _encoded(samples: np.ndarray, rate: int, options: dict[str, Any], label: str) -> bytes:
    made = io.BytesIO()
    _write(made, samples, rate, options, label)
    return made.getvalue()


def _write(
    target: Any, samples: np.ndarray, rate: int, options: dict[str, Any], label: str
) -> None:
    import soundfile

    from domainkit.audio.codec.sequential import Sequential

    try:
        with Sequential(target, "w", rate, samples.shape[1], **options) as file:
            # libvorbis keeps what it is given on the stack: a minute at once ends the process
            for start in range(0, len(samples), _BLOCK):
                file.write(samples[start : start + _BLOCK])
    except (soundfile.SoundFileError, ValueError, TypeError, AssertionError) as error:
        raise DecodeError(
            f"{label}: {options['format']} {options['subtype']} cannot hold {samples.shape[1]} "
            f"channels at {rate} Hz: {reason(error)} Resample, mix the channels, or take another "
            "format (WAV holds any)"
        ) from error
