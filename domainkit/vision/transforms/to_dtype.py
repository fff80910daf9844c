"""``ToDtype``: another number type, with or without the change of range that goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import check_images
from domainkit.vision.transforms._range import check_unit_range

__all__ = ["ToDtype"]

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.uint8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
    )
}
_BITS = {torch.uint8: 8, torch.int16: 15, torch.int32: 31, torch.int64: 63}  # of the largest value
_MANTISSA = {torch.float16: 11, torch.bfloat16: 8, torch.float32: 24, torch.float64: 53}


@dataclass(frozen=True)
class ToDtype(ImageTransform):
    """Turn pictures into another dtype.

    Takes integer or floating pictures, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i], and gives
    the same form.

    Args:
        dtype: "uint8", "int16", "int32", "int64", "float16", "bfloat16", "float32" or "float64".
        scale: change the range too: integers run from 0 to their largest value, floating numbers
            from 0 to 1.

    Exactness: equal to ``torchvision.transforms.v2.functional.to_dtype`` on every input. From
    floating to integer that is floor(x * (largest + 0.999)), which gives every value its share.

    Raises:
        TransformError: wrong arguments, dtype or shape, or a dtype with scale whose largest value
            the floating type cannot hold.

    Example:
        >>> ToDtype("float32", scale=True)(torch.full((1, 1, 1, 2), 255, dtype=torch.uint8))
        tensor([[[[1., 1.]]]])
    """

    dtype: str
    scale: bool = False

    kind: ClassVar[str] = "pointwise"

    def __post_init__(self) -> None:
        if self.dtype not in _DTYPES:
            raise TransformError(
                f"ToDtype: dtype must be one of {', '.join(_DTYPES)}, got {self.dtype!r}"
            )

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x, dtypes=tuple(_DTYPES.values()))
        if self.scale and not _DTYPES[self.dtype].is_floating_point:
            check_unit_range(self, x)
        if isinstance(x, Ragged):
            return x.with_values(self._convert(x.values))
        return self._convert(x)

    def _convert(self, x: torch.Tensor) -> torch.Tensor:
        target = _DTYPES[self.dtype]
        if x.dtype == target:
            return x
        if not self.scale or (x.is_floating_point() and target.is_floating_point):
            return x.to(target)
        if target.is_floating_point:
            return x.to(target).mul_(1.0 / torch.iinfo(x.dtype).max)
        if x.is_floating_point():
            if _BITS[target] > max(_MANTISSA[x.dtype], 15):
                raise TransformError(
                    f"ToDtype: {x.dtype} cannot hold the range of {self.dtype}: go by float64"
                )
            return x.mul(torch.iinfo(target).max + 1.0 - 1e-3).to(target)
        up = _BITS[target] - _BITS[x.dtype]
        return x.to(target) << up if up > 0 else (x >> -up).to(target)
