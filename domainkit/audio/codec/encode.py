"""A waveform as the bytes of a 16-bit WAV file."""

from __future__ import annotations

import io

import torch

from domainkit.errors import DecodeError

__all__ = ["FULL_SCALE", "encode_wav"]

FULL_SCALE = 32768  # int16 -32768 is -1.0, as libsndfile and scipy users scale it


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
