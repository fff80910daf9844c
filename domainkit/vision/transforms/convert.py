"""Pillow pictures and arrays to batches and back: ``ToImage``, ``ToPILImage`` and their like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform, replace_fields
from domainkit.vision.transforms._images import check_images, join
from domainkit.vision.transforms._range import check_unit_range
from domainkit.vision.transforms.to_dtype import ToDtype

__all__ = ["ConvertImageDtype", "PILToTensor", "ToImage", "ToPILImage", "ToPureTensor", "ToTensor"]

_MODES = {  # (channels, dtype) -> Pillow's modes, the usual one first
    (1, "uint8"): ("L",),
    (1, "int16"): ("I;16",),
    (1, "uint16"): ("I;16",),
    (1, "int32"): ("I",),
    (1, "float32"): ("F",),
    (2, "uint8"): ("LA",),
    (3, "uint8"): ("RGB", "YCbCr", "HSV"),
    (4, "uint8"): ("RGBA", "CMYK", "RGBX"),
}


class _Type(Transform):
    field: ClassVar[str] = "image"
    kind: ClassVar[str] = "type"


@dataclass(frozen=True)
class ToImage(_Type):
    """Pictures of any kind to a batch; values and dtype stay as they are.

    Takes a list of Pillow pictures, arrays [H, W, C] or [H, W], or tensors [C, H, W]; or an array
    [B, H, W, C]. Gives a dense tensor [B, C, H, W] when all are equal in size, else a ``Ragged``.
    A batch of tensors stays as it is.

    Exactness: equal to ``torchvision.transforms.v2.functional.to_image`` of each.

    Raises:
        TransformError: no list of pictures, or an empty one.

    Example:
        >>> ToImage()([np.zeros((4, 6, 3), dtype=np.uint8)]).shape
        torch.Size([1, 3, 4, 6])
    """

    def apply(self, x: Any, draws: Draws) -> torch.Tensor | Ragged:
        return _batch(self, x)


@dataclass(frozen=True)
class PILToTensor(_Type):
    """A list of Pillow pictures to a batch: ``ToImage`` under torchvision's other name.

    Exactness: equal to ``torchvision.transforms.v2.functional.pil_to_tensor`` of each.

    Raises:
        TransformError: no list of pictures, or an empty one.

    Example:
        >>> from PIL import Image
        >>> PILToTensor()([Image.new("RGB", (6, 4))]).shape
        torch.Size([1, 3, 4, 6])
    """

    def apply(self, x: Any, draws: Draws) -> torch.Tensor | Ragged:
        return _batch(self, x)


@dataclass(frozen=True)
class ToTensor(_Type):
    """``ToImage``, then uint8 0..255 to float32 0..1; other dtypes stay as they are.

    torchvision calls this name deprecated; it is here so that older pipelines can be carried over.

    Exactness: within 6e-8 of ``torchvision.transforms.functional.to_tensor`` of each.

    Raises:
        TransformError: no list of pictures, or an empty one.

    Example:
        >>> ToTensor()([np.full((1, 2), 255, dtype=np.uint8)])
        tensor([[[[1., 1.]]]])
    """

    def apply(self, x: Any, draws: Draws) -> torch.Tensor | Ragged:
        batch = _batch(self, x)
        if batch.dtype != torch.uint8:
            return batch
        return ToDtype("float32", scale=True).apply(batch, draws)


@dataclass(frozen=True)
class ConvertImageDtype(_Type):
    """``ToDtype(dtype, scale=True)`` under torchvision's older name.

    Args:
        dtype: as ``ToDtype``'s.

    Exactness: that of ``ToDtype``.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> ConvertImageDtype("float32")(torch.full((1, 1, 1, 2), 255, dtype=torch.uint8))
        tensor([[[[1., 1.]]]])
    """

    dtype: str = "float32"

    kind: ClassVar[str] = "pointwise"

    def __post_init__(self) -> None:
        ToDtype(self.dtype, scale=True)  # checks the name

    def apply(self, x: Any, draws: Draws) -> torch.Tensor | Ragged:
        return ToDtype(self.dtype, scale=True).apply(x, draws)


@dataclass(frozen=True)
class ToPILImage(_Type):
    """A batch to a list of Pillow pictures.

    Takes uint8, int16, int32 or floating pictures, dense [B, C, H, W] or ``Ragged``. Floating ones
    in 0..1 are cut to 0..255, as torchvision does (but for mode "F").

    Args:
        mode: Pillow's mode; None: "L", "LA", "RGB" or "RGBA" by the number of channels, and "I;16"
            or "I" for int16 or int32 with one channel.

    Exactness: equal to ``torchvision.transforms.v2.functional.to_pil_image`` of each.

    Raises:
        TransformError: wrong dtype or shape, or a mode that does not fit.

    Example:
        >>> ToPILImage()(torch.zeros(2, 3, 4, 6, dtype=torch.uint8))[0].size
        (6, 4)
    """

    mode: str | None = None

    def apply(self, x: Any, draws: Draws) -> list[Any]:
        check_images(self, x, channels=(1, 2, 3, 4))
        if self.mode != "F":
            check_unit_range(self, x)
        return [self._one(item) for item in x]

    def _one(self, item: torch.Tensor) -> Any:
        from PIL import Image

        if item.is_floating_point():
            item = item.float() if self.mode == "F" else item.mul(255).byte()
        dtype = str(item.dtype).removeprefix("torch.")
        modes = _MODES.get((len(item), dtype), ())
        mode = self.mode or (modes[0] if modes else None)
        if mode not in modes:
            raise TransformError(
                f"ToPILImage: {len(item)} channels of {dtype} are no picture"
                + (f" of mode {mode}: that would be {' or '.join(modes)}" if modes else "")
            )
        pixels = item.permute(1, 2, 0).contiguous().cpu().numpy()
        return Image.frombytes(mode, (item.shape[2], item.shape[1]), pixels.tobytes())


@dataclass(frozen=True)
class ToPureTensor(_Type):
    """Take torchvision's ``tv_tensors`` types off, in all fields of a mapping; values stay.

    Example:
        >>> from torchvision import tv_tensors
        >>> type(ToPureTensor()(tv_tensors.Image(torch.zeros(1, 3, 2, 2)))).__name__
        'Tensor'
    """

    def apply(self, x: Any, draws: Draws) -> Any:
        return _pure(x)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        return replace_fields(batch, {key: _pure(value) for key, value in batch.items()})


def _pure(x: Any) -> Any:
    return x.as_subclass(torch.Tensor) if isinstance(x, torch.Tensor) else x


def _batch(op: Transform, x: Any) -> torch.Tensor | Ragged:
    if isinstance(x, (torch.Tensor, Ragged)):
        check_images(op, x)
        return x
    if isinstance(x, np.ndarray) and x.ndim == 4:
        return torch.from_numpy(np.ascontiguousarray(x)).permute(0, 3, 1, 2)
    if not isinstance(x, (list, tuple)) or not x:
        raise TransformError(
            f"{type(op).__name__} takes a list of pictures, got "
            + ("an empty one" if isinstance(x, (list, tuple)) else type(x).__name__)
            + ("" if isinstance(x, (list, tuple)) else ": put a single picture into a list")
        )
    items = [_picture(op, item) for item in x]
    if len({item.dtype for item in items}) > 1:
        found = ", ".join(sorted({str(item.dtype) for item in items}))
        raise TransformError(f"{type(op).__name__}: all pictures need one dtype, got {found}")
    return join(items, like=items[0])


def _picture(op: Transform, item: Any) -> torch.Tensor:
    """[C, H, W]"""
    if isinstance(item, torch.Tensor) and item.ndim == 3:
        return item
    # a Pillow picture is known by its bands, so that Pillow need not be there
    if hasattr(item, "getbands") or isinstance(item, np.ndarray):
        array = np.array(item)  # a copy: torch needs writable memory
        if array.ndim in (2, 3):
            return torch.from_numpy(np.atleast_3d(array)).permute(2, 0, 1)
    got = f"{type(item).__name__} {tuple(getattr(item, 'shape', ()))}"
    raise TransformError(
        f"{type(op).__name__} takes Pillow pictures, arrays [H, W, C] or [H, W], or tensors "
        f"[C, H, W], got {got}"
    )
