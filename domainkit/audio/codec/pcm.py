"""A waveform's numbers as libsndfile is to store them, and as int16, scaled and rounded here.

libsndfile scales floats by 32767 on the way out and by 32768 on the way in, and cuts bits off where
it should round; so what it is handed is integers.
"""

from __future__ import annotations

import numpy as np

from domainkit.errors import DecodeError

__all__ = ["as_stored", "to_int16"]

_BITS = {
    "PCM_S8": 8,
    "PCM_U8": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
    "ALAC_16": 16,
    "ALAC_20": 20,
    "ALAC_24": 24,
    "ALAC_32": 32,
    "DWVW_12": 12,
    "DWVW_16": 16,
    "DWVW_24": 24,
    "DPCM_8": 8,
    "DPCM_16": 16,
}
_FLOATING = {"FLOAT": np.float32, "DOUBLE": np.float64}
_LOSSY = ("VORBIS", "OPUS", "MPEG_LAYER_III")
_FAR = 16.0  # floats beyond are integers that nobody has scaled: clipping would leave noise
_WAYS = {
    "int64": "waveform.to(torch.int16) or torch.int32 if these are its levels",
    "uint8": "(waveform.float() - 128) / 128 makes floats of 8-bit levels",
}
_FULL = {np.dtype(np.int16): 1 << 15, np.dtype(np.int32): 1 << 31}


def as_stored(samples: np.ndarray, kind: str, subtype: str, clip: bool, label: str) -> np.ndarray:
    """The samples [T, C] for ``soundfile.write``.

    Raises:
        DecodeError: another dtype, NaN or infinity, or (without ``clip``) beyond full scale.
    """
    scale = _FULL.get(samples.dtype)
    if scale is None and samples.dtype not in (np.float32, np.float64):
        raise DecodeError(
            f"{label}: expected float32, float64, int16 or int32, got {samples.dtype}: "
            f"{_WAYS.get(samples.dtype.name, 'waveform.float() makes it one of them')}"
        )
    if scale is None and not np.isfinite(samples).all():
        raise DecodeError(
            f"{label}: the waveform has NaN or infinity among its samples: "
            "torch.nan_to_num makes numbers of them"
        )
    if subtype in _FLOATING:
        wide = samples if scale is None else samples / np.float64(scale)
        return np.ascontiguousarray(wide, _FLOATING[subtype])
    peak = np.abs(samples).max(initial=0.0) if scale is None else 0.0
    if peak > _FAR:
        raise DecodeError(
            f"{label}: the waveform reaches {peak:.4g} where full scale is 1: "
            "divide it by the full scale of its integers (int16: 32768), or store it as FLOAT"
        )
    if peak > 1 and not clip:
        raise DecodeError(
            f"{label}: the waveform reaches {peak:.4g} and {kind} {subtype} holds "
            "[-1, 1): make it quieter, store it as FLOAT, or let it be clipped with clip=True"
        )
    if subtype in _LOSSY:
        wide = samples if scale is None else samples / np.float64(scale)
        return np.ascontiguousarray(np.clip(wide, -1, 1), np.float32)
    return _integers(samples, scale, _BITS.get(subtype, 16))


def _integers(samples: np.ndarray, scale: int | None, bits: int) -> np.ndarray:
    """int16, or int32 with the ``bits`` at its top: libsndfile takes them from there."""
    if samples.dtype == np.int16 and bits == 16:
        return np.ascontiguousarray(samples)
    if samples.dtype == np.int32 and bits == 32:
        return np.ascontiguousarray(samples)
    full = 1 << (bits - 1)
    wide = np.rint(samples.astype(np.float64) * (full / (scale or 1)))
    numbers = np.clip(wide, -full, full - 1).astype(np.int64)
    if bits == 16:
        return np.ascontiguousarray(numbers, np.int16)
    return np.ascontiguousarray(numbers << (32 - bits), np.int32)


def to_int16(sound: np.ndarray) -> np.ndarray:
    """Full scale 1.0 as 32768, rounded to the nearest (ties to even), clipped; NaN is 0."""
    scaled = np.nan_to_num(np.rint(sound * 32768.0), posinf=32767, neginf=-32768)
    return np.clip(scaled, -32768, 32767).astype(np.int16)
