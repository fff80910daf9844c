"""``Image``, ``Audio`` and ``Mask``: bytes as published, which a codec has to decode."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.errors import CardError, DecodeError
from domainkit.features.base import Feature, expect_bytes, raw_bytes

__all__ = ["Audio", "Image", "Mask"]

IMAGE_MODES = ("RGB", "L", "RGBA", "LA")


@dataclass(frozen=True)
class Image(Feature):
    """A picture. ``shape`` (C, H, W) means raw uint8 of that shape; else it is a file's bytes.

    ``mode`` is "RGB", "L", "RGBA" or "LA": what the file is turned into. ``orient`` turns it
    upright as its EXIF orientation says. ``CardError`` for another mode.

    Example:
        >>> Image(mode="L", shape=(1, 28, 28)).width
        784
    """

    mode: str = "RGB"
    shape: tuple[int, int, int] | None = None
    orient: bool = True
    media_dtype: ClassVar[torch.dtype] = torch.uint8
    channels_last: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.mode not in IMAGE_MODES:
            raise CardError(
                f"Image: mode must be one of {', '.join(IMAGE_MODES)}, got {self.mode!r}; for a "
                "class per pixel there is Mask"
            )

    @property
    def storage(self) -> str:  # type: ignore[override]
        return "fixed" if self.shape else "binary"

    @property
    def media(self) -> bool:
        return self.shape is None

    @property
    def width(self) -> int:
        return int(np.prod(self.shape or ()))

    def spec(self) -> dict[str, Any]:
        found = super().spec()
        if self.orient:  # the default is not written: fingerprints stay what they were
            del found["orient"]
        return found

    def encode(self, value: Any) -> bytes:
        if self.shape:
            return raw_bytes(value, np.dtype(np.uint8), self.shape, "Image")
        return expect_bytes(value, "Image")

    def decode(self, raw: Any) -> torch.Tensor:
        if self.shape:
            return torch.from_numpy(np.frombuffer(raw, np.uint8).reshape(self.shape).copy())
        return codec("vision").decode_image(raw, mode=self.mode, orient=self.orient)

    def collate_stored(self, stored: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(stored).view(len(stored), *(self.shape or ()))

    def shape_of(self, raw: Any) -> tuple[int, ...] | None:
        read = codec("vision").image_shape
        shape: tuple[int, ...] | None = read(raw, mode=self.mode, orient=self.orient)
        return shape

    def decode_into(self, raw: Any, out: torch.Tensor) -> None:
        codec("vision").decode_image_into(raw, out, mode=self.mode, orient=self.orient)


@dataclass(frozen=True)
class Audio(Feature):
    """A recording. ``sample_rate`` in Hz is what every recording of the column has.

    Example:
        >>> Audio(sample_rate=16000).spec()
        {'type': 'Audio', 'sample_rate': 16000}
    """

    sample_rate: int | None = None
    storage: ClassVar[str] = "binary"
    media_dtype: ClassVar[torch.dtype] = torch.float32

    @property
    def media(self) -> bool:
        return True

    def encode(self, value: Any) -> bytes:
        return expect_bytes(value, "Audio")

    def decode(self, raw: Any) -> torch.Tensor:
        waveform, rate = codec("audio").decode_audio(raw)
        self._check(rate)
        return waveform

    def shape_of(self, raw: Any) -> tuple[int, ...] | None:
        facts = codec("audio").audio_shape(raw)
        return None if facts is None else facts[0]

    def decode_into(self, raw: Any, out: torch.Tensor) -> None:
        self._check(codec("audio").decode_audio_into(raw, out))

    def rate_of(self, raw: Any) -> int:
        """Sample rate in Hz of one recording.

        Raises:
            DecodeError: it cannot be decoded.
        """
        if self.sample_rate is not None:
            return self.sample_rate
        facts = codec("audio").audio_shape(raw) or codec("audio").decode_audio(raw)
        return int(facts[1])

    def _check(self, rate: int) -> None:
        if self.sample_rate is not None and rate != self.sample_rate:
            raise DecodeError(
                f"expected recordings of {self.sample_rate} Hz as declared, got {rate} Hz: "
                "declare the right sample_rate, or resample the file"
            )


@dataclass(frozen=True)
class Mask(Feature):
    """A class per pixel, stored as an 8-bit PNG; turned as its own EXIF orientation says.

    Example:
        >>> Mask().collate([torch.zeros(4, 6, dtype=torch.uint8)] * 2).shape
        torch.Size([2, 4, 6])
    """

    storage: ClassVar[str] = "binary"
    media_dtype: ClassVar[torch.dtype] = torch.uint8

    @property
    def media(self) -> bool:
        return True

    def encode(self, value: Any) -> bytes:
        return expect_bytes(value, "Mask")

    def decode(self, raw: Any) -> torch.Tensor:
        return codec("vision").decode_image(raw, mode="index")[0]

    def shape_of(self, raw: Any) -> tuple[int, ...] | None:
        shape = codec("vision").image_shape(raw, mode="index")
        return None if shape is None else shape[1:]


def codec(domain: str) -> Any:
    return importlib.import_module(f"domainkit.{domain}.codec")
