"""``load``: a recording, or a part of it, as a waveform."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from domainkit.audio.codec.arguments import as_rate, as_whole
from domainkit.audio.codec.foreign import Foreign
from domainkit.audio.codec.pcm import to_int16
from domainkit.audio.codec.raw import Raw
from domainkit.audio.codec.reading import Recording, failures_named, open_recording
from domainkit.audio.codec.source import AudioFile
from domainkit.errors import DecodeError

__all__ = ["load", "span"]

_BLOCK = 1 << 22  # samples at a time where a header does not say how many there are


def load(
    file: AudioFile,
    frame_offset: int = 0,
    num_frames: int = -1,
    *,
    dtype: torch.dtype = torch.float32,
    sample_rate: int | None = None,
    channels_first: bool = True,
    partial: bool = False,
    raw: Raw | None = None,
) -> tuple[torch.Tensor, int]:
    """Load a recording, or a part of it, exact to the sample.

    A part is what the same slice of the whole would be, bit by bit. WAV, FLAC, AIFF and AU are
    sought; of MP3 and Ogg Vorbis a few frames more are decoded; Opus is decoded from at least two
    seconds before, twice, until both decodes agree (``domainkit.audio.codec.reading``).

    Args:
        file: a path, bytes, a binary file object (read from where it stands, and left there if
            it can seek), a member of an archive (``domainkit.archive.Member``, or
            "archive.zip::name/in/it").
        frame_offset: the first sample, at the file's own rate.
        num_frames: how many samples, at the file's own rate; -1 takes all to the end.
        dtype: ``torch.float32`` (integer formats in [-1, 1); float files keep their numbers) or
            ``torch.int16`` (of 16 bits or fewer as they are, others rounded and clipped).
        sample_rate: Hz; the part is resampled by soxr in its quality HQ: what lies below 0.91 of
            the lower Nyquist frequency passes, what could alias is 100 dB down and more. Outside
            of the part counts as silence. T becomes T * sample_rate / rate, rounded.
        channels_first: [C, T], else [T, C].
        partial: take what can be read of a file that is cut off or damaged, and of a part that
            reaches beyond the end.
        raw: what headerless sound is; a file with a header needs none.

    Returns:
        The waveform [C, T], contiguous, and its rate in Hz.

    Raises:
        DecodeError: no recording, damaged or cut off, or shorter than the part; names the file.
        MissingExtraError: MP4, AAC or video, and the extra ``torchcodec`` is not installed.

    Example:
        >>> import tempfile
        >>> from domainkit.audio import load, save
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(f"{folder}/a.wav", torch.tensor([[0.0, 0.5, -0.5, 0.25]]), 8000)
        ...     load(f"{folder}/a.wav", frame_offset=1, num_frames=2)
        (tensor([[ 0.5000, -0.5000]]), 8000)
    """
    if dtype not in (torch.float32, torch.int16):
        raise DecodeError(f"dtype is torch.float32 or torch.int16, got {dtype}")
    if sample_rate is not None:
        sample_rate = as_rate("sample_rate", sample_rate)
    frame_offset = as_whole("frame_offset", frame_offset, 0)
    num_frames = as_whole("num_frames", num_frames, -1)
    wanted = "int16" if dtype == torch.int16 and sample_rate is None else "float32"
    with open_recording(file, raw, partial=partial) as recording, failures_named(recording.label):
        count = span(recording, frame_offset, num_frames, partial)
        if count:
            recording.go(frame_offset, count)
        samples = _read(recording, count, wanted)
        to_the_end = num_frames < 0 or partial
        known = recording.frames is not None
        if not partial and (len(samples) < count if known else not len(samples) and not to_the_end):
            raise DecodeError(
                f"the {recording.format} {recording.subtype} recording is cut off or damaged: "
                f"{count} samples from {frame_offset} were to be read and {len(samples)} could be. "
                "Fetch the file again, or take what is there with partial=True"
            )
        rate = recording.rate
    if sample_rate is not None:
        samples = _resampled(samples, rate, sample_rate, dtype)
        rate = sample_rate
    sound = np.ascontiguousarray(samples.T if channels_first else samples)
    return torch.from_numpy(sound), rate


def span(recording: Recording | Foreign, offset: int, count: int, partial: bool) -> int:
    """How many samples a part has.

    Raises:
        DecodeError: it reaches beyond the recording, or the recording is cut off at its end.
    """
    if recording.frames is None:
        return count
    left = recording.frames - offset
    if partial:
        return max(0, left if count < 0 else min(left, count))
    if left < 0 or count > left:
        asked = f"{count} from {offset}" if count >= 0 else f"those from {offset}"
        raise DecodeError(
            f"has {recording.frames} samples per channel at {recording.rate} Hz, asked for "
            f"{asked}. Ask for fewer (num_frames=-1 goes to the end), or take what is there with "
            "partial=True"
        )
    if count in (-1, left) and not recording.whole:
        raise DecodeError(
            f"the {recording.format} recording is cut off. Fetch the file again, or take what is "
            "there with partial=True"
        )
    return left if count < 0 else count


def _read(recording: Recording | Foreign, count: int, dtype: str) -> np.ndarray:
    if count >= 0:
        return recording.read(count, dtype)
    parts = [recording.read(_BLOCK, dtype)]
    while len(parts[-1]):
        parts.append(recording.read(_BLOCK, dtype))
    return np.concatenate(parts)


def _resampled(samples: np.ndarray, rate: int, goal: int, dtype: torch.dtype) -> Any:
    import soxr

    made = soxr.resample(samples, rate, goal, quality="HQ") if len(samples) else samples
    return to_int16(made) if dtype == torch.int16 else made
