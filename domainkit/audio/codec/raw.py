"""What has to be told of headerless sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domainkit.audio.codec.arguments import as_rate, as_whole
from domainkit.errors import DecodeError

__all__ = ["Raw"]


@dataclass(frozen=True)
class Raw:
    """Headerless sound: bytes that are samples and nothing else.

    Args:
        sample_rate: in Hz.
        channels: how many; samples of one time lie side by side.
        subtype: how a sample is stored, as libsndfile names it: "PCM_16", "FLOAT", "ULAW", ...
        endian: "FILE" (the usual of the machine), "LITTLE", "BIG".

    Raises:
        DecodeError: a rate or a number of channels below 1, another subtype.

    Example:
        >>> import domainkit.audio, torch
        >>> data = torch.tensor([0, 16384, -32768], dtype=torch.int16).numpy().tobytes()
        >>> domainkit.audio.load(data, raw=Raw(8000, 1, "PCM_16"))
        (tensor([[ 0.0000,  0.5000, -1.0000]]), 8000)
    """

    sample_rate: int
    channels: int
    subtype: str
    endian: str = "FILE"

    def __post_init__(self) -> None:
        as_rate("Raw: sample_rate", self.sample_rate)
        as_whole("Raw: channels", self.channels, 1)
        import soundfile

        known = soundfile.available_subtypes("RAW")
        if self.subtype not in known:
            raise DecodeError(f"Raw: subtype is one of {', '.join(known)}, got {self.subtype!r}")

    def arguments(self) -> dict[str, Any]:
        """What soundfile calls them."""
        return {
            "samplerate": self.sample_rate,
            "channels": self.channels,
            "subtype": self.subtype,
            "endian": self.endian,
            "format": "RAW",
        }
