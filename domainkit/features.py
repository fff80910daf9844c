"""Typed columns: how each kind of value is stored, decoded and put into a batch.

    feature   stored as                          decoded                   in a batch
    Image     the published bytes, or raw        uint8 tensor [C, H, W]    dense or Ragged
              uint8 where ``shape`` is given
    Audio     the published bytes                float32 tensor [C, T]     dense or Ragged
    Text      UTF-8                              str                       list of str
    Label     int32, an index into ``names``     int                       int64 [B]
    Int       int64                              int                       int64 [B]
    Float     float64                            float                     float32 [B]
    Tokens    list of int32                      int64 tensor [L]          dense or Ragged
    Boxes     list of float32, four a box        float32 tensor [n, 4]     Ragged
    Mask      PNG bytes                          uint8 tensor [H, W]       dense or Ragged
    Tensor    raw bytes, one dtype and shape     tensor of that shape      dense

Media bytes are decoded by the codec of their domain, which is looked up by name when the first
sample is decoded: this module imports no domain.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.errors import CardError, DecodeError, NotFoundError, nearest
from domainkit.ragged import Ragged

__all__ = [
    "Audio",
    "Boxes",
    "Feature",
    "Float",
    "Image",
    "Int",
    "Label",
    "Mask",
    "Tensor",
    "Text",
    "Tokens",
    "feature_from_spec",
]


@dataclass(frozen=True)
class Feature:
    """The base of all features.

    ``storage`` says which of four layouts the store uses: "number", "binary" (one buffer and
    offsets), "fixed" (rows of one width) or "list" (numbers and offsets). ``decode`` gets a number,
    a memoryview or, for lists, a numpy array.

    Example:
        >>> issubclass(Label, Feature), Label.storage
        (True, 'number')
    """

    storage: ClassVar[str]
    dtype_stored: ClassVar[str] = ""  # numpy name, for "number" and "list"

    @property
    def width(self) -> int:
        """Bytes per row, for "fixed" storage."""
        raise NotImplementedError

    def encode(self, value: Any) -> Any:
        """Check a reader's value and turn it into what the store keeps."""
        raise NotImplementedError

    def decode(self, raw: Any) -> Any:
        """The value of one row, from what the store keeps."""
        raise NotImplementedError

    def collate(self, values: Sequence[Any]) -> Any:
        """Put the decoded values of several rows into one batch field."""
        return _stack_or_ragged(values)

    def spec(self) -> dict[str, Any]:
        """The card's spec of this feature: ``feature_from_spec`` undoes it."""
        given = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {"type": type(self).__name__, **{k: v for k, v in given.items() if v is not None}}


@dataclass(frozen=True)
class Image(Feature):
    """A picture. ``mode`` is "RGB" or "L"; ``shape`` (C, H, W) means raw uint8 of that shape.

    Example:
        >>> Image(mode="L", shape=(1, 28, 28)).width
        784
    """

    mode: str = "RGB"
    shape: tuple[int, int, int] | None = None

    @property
    def storage(self) -> str:  # type: ignore[override]
        return "fixed" if self.shape else "binary"

    @property
    def width(self) -> int:
        return int(np.prod(self.shape or ()))

    def encode(self, value: Any) -> bytes:
        if self.shape:
            return _raw_bytes(value, np.dtype(np.uint8), self.shape, "Image")
        return _expect_bytes(value, "Image")

    def decode(self, raw: Any) -> torch.Tensor:
        if self.shape:
            return torch.from_numpy(np.frombuffer(raw, np.uint8).reshape(self.shape).copy())
        return _codec("vision").decode_image(raw, mode=self.mode)


@dataclass(frozen=True)
class Audio(Feature):
    """A recording. ``sample_rate`` in Hz is what every recording of the column has.

    Example:
        >>> Audio(sample_rate=16000).spec()
        {'type': 'Audio', 'sample_rate': 16000}
    """

    sample_rate: int | None = None
    storage: ClassVar[str] = "binary"

    def encode(self, value: Any) -> bytes:
        return _expect_bytes(value, "Audio")

    def decode(self, raw: Any) -> torch.Tensor:
        waveform, rate = _codec("audio").decode_audio(raw)
        if self.sample_rate is not None and rate != self.sample_rate:
            raise DecodeError(
                f"expected recordings of {self.sample_rate} Hz as declared, got {rate} Hz: "
                "declare the right sample_rate, or resample the file"
            )
        return waveform


@dataclass(frozen=True)
class Text(Feature):
    """A string.

    Example:
        >>> Text().decode(Text().encode("zwölf"))
        'zwölf'
    """

    storage: ClassVar[str] = "binary"

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise TypeError(f"Text takes a str, got {type(value).__name__}")
        return value.encode("utf-8")

    def decode(self, raw: Any) -> str:
        try:
            return str(raw, "utf-8")
        except UnicodeDecodeError as error:
            raise DecodeError(f"the stored text is not UTF-8: {error}") from error

    def collate(self, values: Sequence[Any]) -> list[str]:
        return list(values)


@dataclass(frozen=True)
class Label(Feature):
    """A class: an index into ``names``.

    Example:
        >>> Label(names=("cat", "dog")).encode("dog")
        1
    """

    names: tuple[str, ...] = ()
    storage: ClassVar[str] = "number"
    dtype_stored: ClassVar[str] = "int32"

    def encode(self, value: Any) -> int:
        if isinstance(value, str):
            if value not in self.names:
                raise NotFoundError(f"there is no class {value!r}. {nearest(value, self.names)}")
            return self.names.index(value)
        number = _whole(value, 32)
        if self.names and not 0 <= number < len(self.names):
            raise ValueError(f"class {value} is outside 0..{len(self.names) - 1}")
        return number

    def decode(self, raw: Any) -> int:
        return int(raw)

    def collate(self, values: Sequence[Any]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.int64)


@dataclass(frozen=True)
class Int(Feature):
    """A whole number.

    Example:
        >>> Int().encode("12")
        12
    """

    storage: ClassVar[str] = "number"
    dtype_stored: ClassVar[str] = "int64"

    def encode(self, value: Any) -> int:
        return _whole(value, 64)

    def decode(self, raw: Any) -> int:
        return int(raw)

    def collate(self, values: Sequence[Any]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.int64)


@dataclass(frozen=True)
class Float(Feature):
    """A real number.

    Example:
        >>> Float().collate([0.5, 2.0])
        tensor([0.5000, 2.0000])
    """

    storage: ClassVar[str] = "number"
    dtype_stored: ClassVar[str] = "float64"

    def encode(self, value: Any) -> float:
        return float(value)

    def decode(self, raw: Any) -> float:
        return float(raw)

    def collate(self, values: Sequence[Any]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32)


@dataclass(frozen=True)
class Tokens(Feature):
    """A sequence of whole numbers of any length.

    Example:
        >>> Tokens().decode(Tokens().encode([3, 1, 2]))
        tensor([3, 1, 2])
    """

    storage: ClassVar[str] = "list"
    dtype_stored: ClassVar[str] = "int32"

    def encode(self, value: Any) -> np.ndarray:
        array = np.asarray(value)
        if not array.size:
            return np.empty(0, np.int32)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise TypeError(f"Tokens takes [L] whole numbers, got {array.dtype} {array.shape}")
        if array.min() < -(2**31) or array.max() >= 2**31:
            raise ValueError(f"Tokens takes int32, got {array.min()} to {array.max()}")
        return array.astype(np.int32)

    def decode(self, raw: Any) -> torch.Tensor:
        return torch.from_numpy(raw.astype(np.int64))


@dataclass(frozen=True)
class Boxes(Feature):
    """Boxes around objects, four numbers each, in pixels; ``format`` is "xyxy" or "xywh".

    Example:
        >>> Boxes().decode(Boxes().encode([[0, 0, 8, 6]]))
        tensor([[0., 0., 8., 6.]])
    """

    format: str = "xyxy"
    storage: ClassVar[str] = "list"
    dtype_stored: ClassVar[str] = "float32"

    def encode(self, value: Any) -> np.ndarray:
        boxes = np.asarray(value, dtype=np.float32)
        if boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 4):
            raise ValueError(f"Boxes takes [n, 4] numbers, got shape {boxes.shape}")
        return boxes.reshape(-1)

    def decode(self, raw: Any) -> torch.Tensor:
        return torch.from_numpy(raw.reshape(-1, 4).copy())

    def collate(self, values: Sequence[Any]) -> Ragged:
        return Ragged.from_list(values, inner=1)


@dataclass(frozen=True)
class Mask(Feature):
    """A class per pixel, stored as an 8-bit PNG.

    Example:
        >>> Mask().collate([torch.zeros(4, 6, dtype=torch.uint8)] * 2).shape
        torch.Size([2, 4, 6])
    """

    storage: ClassVar[str] = "binary"

    def encode(self, value: Any) -> bytes:
        return _expect_bytes(value, "Mask")

    def decode(self, raw: Any) -> torch.Tensor:
        return _codec("vision").decode_image(raw, mode="index")[0]


@dataclass(frozen=True)
class Tensor(Feature):
    """An array of one dtype and shape, stored raw.

    Example:
        >>> Tensor(dtype="float32", shape=(2, 3)).width
        24
    """

    dtype: str = "float32"
    shape: tuple[int, ...] = ()
    storage: ClassVar[str] = "fixed"

    @property
    def width(self) -> int:
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    def encode(self, value: Any) -> bytes:
        return _raw_bytes(value, np.dtype(self.dtype), self.shape, "Tensor")

    def decode(self, raw: Any) -> torch.Tensor:
        return torch.from_numpy(np.frombuffer(raw, self.dtype).reshape(self.shape).copy())


FEATURES: dict[str, type[Feature]] = {
    kind.__name__: kind
    for kind in (Audio, Boxes, Float, Image, Int, Label, Mask, Tensor, Text, Tokens)
}


def feature_from_spec(spec: Mapping[str, Any], where: str = "feature") -> Feature:
    """Build a feature from a card's table, for example ``{"type": "Label", "names": [...]}``.

    Raises:
        CardError: unknown type or argument.

    Example:
        >>> feature_from_spec({"type": "Image", "shape": [1, 28, 28]}).width
        784
    """
    args = {k: tuple(v) if isinstance(v, list) else v for k, v in spec.items() if k != "type"}
    kind = FEATURES.get(str(spec.get("type")))
    if kind is None:
        raise CardError(
            f"{where}: unknown type {spec.get('type')!r}. "
            f"{nearest(str(spec.get('type')), FEATURES)}"
        )
    try:
        return kind(**args)
    except TypeError as error:
        raise CardError(f"{where}: {error}") from error


def _codec(domain: str) -> Any:
    return importlib.import_module(f"domainkit.{domain}.codec")


def _whole(value: Any, bits: int) -> int:
    """An int that loses nothing: "12" and 3.0 are whole, 1.5 and what does not fit are not."""
    if isinstance(value, (float, np.floating)) and not value.is_integer():
        raise ValueError(f"expected a whole number, got {value}")
    number = int(value)
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise ValueError(f"{number} does not fit into {bits} bits")
    return number


def _expect_bytes(value: Any, kind: str) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"{kind} takes the bytes of a file, got {type(value).__name__}")
    return bytes(value)


def _raw_bytes(value: Any, dtype: np.dtype, shape: tuple[int, ...], kind: str) -> bytes:
    array = value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    if array.dtype != dtype or array.shape != tuple(shape):
        raise TypeError(
            f"{kind} takes {dtype} {tuple(shape)}, got {array.dtype} {tuple(array.shape)}"
        )
    return array.tobytes()


def _stack_or_ragged(values: Sequence[torch.Tensor]) -> torch.Tensor | Ragged:
    if all(v.shape == values[0].shape for v in values):
        return torch.stack(list(values))
    return Ragged.from_list(values)
