"""``apply_codec``: what a lossy format leaves of a waveform."""

from __future__ import annotations

import io

import torch

from domainkit.audio.functional.checks import check_floating
from domainkit.audio.functional.resampling import resample
from domainkit.errors import DecodeError, TransformError

__all__ = ["apply_codec"]

# format -> the rates (Hz) that it knows; others are resampled to the next one and back
_RATES = {
    "opus": (8000, 12000, 16000, 24000, 48000),
    "mp3": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
}
_MONO = ("GSM", "GSM610", "G721_32", "G723_24", "G723_40")
_MP3_DELAY = 576 + 529  # samples of LAME and of decoders, where the file does not tell them


def apply_codec(  # noqa: PLR0917
    waveform: torch.Tensor,
    sample_rate: int,
    format: str,
    encoding: str | None = None,
    bits_per_sample: int | None = None,
    compression: float | None = None,
    bitrate_mode: str | None = None,
) -> torch.Tensor:
    """Encode waveforms in memory and decode them again, as long as before and in time with it.

    It runs on the CPU, one recording after the other, and lets no gradient through. A rate that
    "mp3" or "opus" does not know is resampled before and behind.

    Args:
        waveform: floating [..., C, T] in [-1, 1], else it is clipped; [T] is one channel.
        sample_rate: Hz.
        format: "mp3", "ogg" (Vorbis), "opus", "wav", "flac", ... as ``domainkit.audio.save`` takes
            it, and so the rest.
        encoding: of "wav" and the like: "ULAW", "ALAW", "PCM_U8", "GSM610", "IMA_ADPCM", ...
        bits_per_sample: 8, 16, 24.
        compression: 0 (least) to 1 (most), of lossy formats.
        bitrate_mode: "CONSTANT", "AVERAGE" or "VARIABLE", of "mp3".

    Returns:
        [..., C, T] of the same dtype and device.

    Raises:
        TransformError: not a floating tensor; a format that does not exist, or cannot hold it.

    Example:
        >>> apply_codec(torch.tensor([0.0, 0.5, -0.3]), 8000, "wav", "PCM_U8")
        tensor([ 0.0000,  0.5000, -0.2969])
    """
    check_floating("apply_codec", waveform)
    if not waveform.numel():
        return waveform.clone()
    length = waveform.shape[-1]
    channels = waveform.shape[-2] if waveform.ndim > 1 else 1
    if (encoding or "").upper() in _MONO:
        channels = 1
    sound = waveform.detach().cpu().float()
    rates = _RATES.get(format.lower(), (sample_rate,))
    rate = min((r for r in rates if r >= sample_rate), default=rates[-1])
    if rate != sample_rate:
        sound = resample(sound, sample_rate, rate)
    items = sound.reshape(-1, channels, sound.shape[-1])
    options: dict[str, object] = {
        "format": format,
        "encoding": encoding,
        "bits_per_sample": bits_per_sample,
        "compression": compression,
        "bitrate_mode": bitrate_mode,
    }
    done = torch.stack([_there_and_back(item, rate, options) for item in items]).view(sound.shape)
    if rate != sample_rate:
        done = resample(done, rate, sample_rate)
    return done[..., :length].to(waveform)


def _there_and_back(item: torch.Tensor, rate: int, options: dict[str, object]) -> torch.Tensor:
    from domainkit.audio.codec import decode_audio, save

    file = io.BytesIO()
    try:
        save(file, item, rate, **options)  # type: ignore[arg-type]
        coded, _ = decode_audio(file.getvalue())
    except DecodeError as error:
        raise TransformError(f"apply_codec: {error}") from error
    length = item.shape[-1]
    if options["format"] == "mp3" and coded.shape[-1] != length:
        coded = coded[:, _MP3_DELAY:]  # a constant bitrate leaves out the frame that tells it
    # formats of blocks fill up the last one
    return torch.nn.functional.pad(coded, (0, max(0, length - coded.shape[-1])))[:, :length]
