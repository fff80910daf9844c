"""``LinearTransformation``: every picture as one vector, through a matrix (whitening)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import FLOATS, check_images

__all__ = ["LinearTransformation"]


@dataclass(frozen=True, eq=False)
class LinearTransformation(ImageTransform):
    """Subtract a mean from every picture, taken as one vector, and multiply it with a matrix.

    Takes floating pictures of one size, dense [B, C, H, W] or ``Ragged``, D = C * H * W values
    each, channel by channel, row by row; gives a dense batch of the same shape.

    Args:
        transformation_matrix: [D, D]; a picture is the row vector that it is multiplied with.
        mean_vector: [D].
            Both floating tensors or nested lists; they follow the pictures to their device.

    Exactness: as ``torchvision.transforms.v2.LinearTransformation`` (within the rounding of sums of
    D products, whose order depends on the batch).

    Raises:
        TransformError: wrong arguments, dtype or shape; pictures that do not have D values.

    Example:
        >>> halve = LinearTransformation(torch.eye(12) / 2, torch.zeros(12))
        >>> halve(torch.ones(2, 3, 2, 2)).unique().tolist()
        [0.5]
    """

    transformation_matrix: Any
    mean_vector: Any

    kind: ClassVar[str] = "pointwise"

    def __post_init__(self) -> None:
        matrix, mean = _tensor(self.transformation_matrix), _tensor(self.mean_vector)
        size = tuple(matrix.shape)
        if len(size) != 2 or size[0] != size[1] or not matrix.is_floating_point():
            raise TransformError(
                "LinearTransformation: transformation_matrix must be floating [D, D], got "
                f"{matrix.dtype} {size}"
            )
        if tuple(mean.shape) != size[:1] or mean.dtype != matrix.dtype:
            raise TransformError(
                f"LinearTransformation: mean_vector must be {matrix.dtype} [{size[0]}] as the "
                f"matrix is, got {mean.dtype} {tuple(mean.shape)}"
            )
        object.__setattr__(self, "transformation_matrix", matrix)
        object.__setattr__(self, "mean_vector", mean)

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x, dtypes=FLOATS, hint="Use ToDtype('float32', scale=True) before it")
        if len(x) == 0:
            return x
        if isinstance(x, Ragged):
            if not x.is_dense:
                raise TransformError(
                    f"LinearTransformation takes pictures of one size, got {x!r}: resize them "
                    "before it"
                )
            x = x.dense()
        count, wanted = x[0].numel(), len(self.mean_vector)
        if count != wanted:
            raise TransformError(
                f"LinearTransformation takes pictures with {wanted} values, got "
                f"{' x '.join(map(str, x.shape[1:]))} = {count}"
            )
        flat = x.reshape(len(x), count) - self.mean_vector.to(x.device)
        return (flat @ self.transformation_matrix.to(x.device, flat.dtype)).view(x.shape)

    def __repr__(self) -> str:
        return f"LinearTransformation(D={len(self.mean_vector)})"


def _tensor(value: Any) -> torch.Tensor:
    try:
        return value if isinstance(value, torch.Tensor) else torch.tensor(value)
    except (TypeError, ValueError) as error:
        raise TransformError(f"LinearTransformation takes tensors or lists: {error}") from error
