"""Which container and subtype a waveform is saved as."""

from __future__ import annotations

from pathlib import Path

import torch

from domainkit.errors import DecodeError

__all__ = ["stored_as"]

_SUFFIXES = {
    "wav": "WAV",
    "wave": "WAV",
    "flac": "FLAC",
    "mp3": "MP3",
    "ogg": "OGG",
    "oga": "OGG",
    "opus": "OGG",
    "aiff": "AIFF",
    "aif": "AIFF",
    "aifc": "AIFF",
    "au": "AU",
    "snd": "AU",
    "raw": "RAW",
    "pcm": "RAW",
    "caf": "CAF",
    "w64": "W64",
    "rf64": "RF64",
}
_USUAL = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}
_SPELLED = {"GSM": "GSM610", "MP3": "MPEG_LAYER_III"}  # torchaudio's names


def stored_as(
    path: Path | None,
    format: str | None,
    encoding: str | None,
    bits: int | None,
    dtype: torch.dtype,
) -> tuple[str, str]:
    """The container and the subtype as libsndfile names them; arguments as for ``save``.

    Raises:
        DecodeError: there is no such container, or it has no such subtype.
    """
    import soundfile

    told = (format or (path.suffix[1:] if path else "")).lower()
    container = _SUFFIXES.get(told, told.upper())
    if container not in soundfile.available_formats():
        raise DecodeError(
            f"{path or 'a file object'}: there is no audio format {told!r} to write: pass format=, "
            f"one of {', '.join(sorted(_SUFFIXES))}"
        )
    name = (encoding or "").upper()
    if name == container:  # "FLAC" is an encoding for torchaudio
        name = ""
    if not name and bits is None:
        subtype = "OPUS" if told == "opus" else _USUAL.get(container) or _own(container, dtype)
    elif name in ("", "PCM_S", "PCM_U", "PCM_F"):
        subtype = _by_bits(container, name, bits)
    else:
        subtype = _SPELLED.get(name, name)
        if bits is not None:
            raise DecodeError(
                f"bits_per_sample={bits} goes with the encodings PCM_S, PCM_U and PCM_F; "
                f"{encoding!r} says it itself"
            )
    if not soundfile.check_format(container, subtype):
        known = ", ".join(soundfile.available_subtypes(container))
        raise DecodeError(f"{container} has no subtype {subtype!r}. It has: {known}")
    return container, subtype


def _by_bits(container: str, name: str, bits: int | None) -> str:
    if name == "PCM_F":
        return {None: "FLOAT", 32: "FLOAT", 64: "DOUBLE"}.get(bits, f"{bits} bits of PCM_F")
    if name == "PCM_U":
        return "PCM_U8" if bits in (None, 8) else f"{bits} bits of PCM_U"
    if bits == 8:  # a WAV file's bytes have no sign
        return "PCM_U8" if container == "WAV" and not name else "PCM_S8"
    return f"PCM_{bits or 16}"


def _own(container: str, dtype: torch.dtype) -> str:
    """What holds the numbers as they are, where the container has it."""
    import soundfile

    if container == "FLAC":
        return "PCM_16" if dtype == torch.int16 else "PCM_24"
    exact = {torch.int16: "PCM_16", torch.int32: "PCM_32", torch.float64: "DOUBLE"}
    subtype = exact.get(dtype, "FLOAT")
    if soundfile.check_format(container, subtype):
        return subtype
    return str(soundfile.default_subtype(container))
