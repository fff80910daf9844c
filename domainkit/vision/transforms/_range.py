"""A guard against floating pictures in 0..255 where 0..1 is meant: they would turn white unseen.

A look at a few thousand values is all it costs, so a batch that is dark there gets by. Nobody waits
for a GPU, and a graph holds no such question: there nothing is looked at.
"""

from __future__ import annotations

from typing import Any

import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["check_unit_range", "far_out"]

# what was normalised, or overshot in a bicubic resize, stays well below
_FAR = 16.0


def far_out(x: torch.Tensor | Ragged) -> float | None:
    """A value above 16 of floating pictures on the host, or None if none is seen.

    Example:
        >>> far_out(torch.full((1, 1, 2, 2), 200.0)), far_out(torch.ones(1, 1, 2, 2))
        (200.0, None)
    """
    if torch.compiler.is_compiling() or x.device.type != "cpu" or not x.dtype.is_floating_point:
        return None
    if isinstance(x, Ragged):
        some = x.values[:: len(x.values) // 4096 + 1]
    else:
        steps = [n // most + 1 for n, most in zip(x.shape, (4, 4, 16, 16), strict=True)]
        some = x[tuple(slice(None, None, step) for step in steps)]
    if some.numel() == 0:
        return None
    largest = float(some.detach().amax())
    return largest if largest > _FAR else None


def check_unit_range(op: Any, x: torch.Tensor | Ragged) -> None:
    """TransformError where floating pictures are plainly not in 0..1."""
    value = far_out(x)
    if value is not None:
        raise TransformError(
            f"{type(op).__name__} takes floating pictures in 0..1, got a value of {value:g}. "
            'ToDtype("float32", scale=True) makes them of uint8 ones; divide others by 255'
        )
