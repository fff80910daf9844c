"""Where the pixels of a picture lie: the part that the Triton kernels share.

``described`` makes of a batch, dense or ``Ragged``, the arguments that ``layout`` takes.
"""

# device functions: their arguments have the types that the launch gives them
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, misc"

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

from domainkit.ragged import Ragged

__all__ = ["described", "lies_last", "layout"]


@triton.jit
def layout(
    x, offsets, shapes, row, s0, s1, s2, s3, h, w, R: tl.constexpr, LAST: tl.constexpr,
    C: tl.constexpr,
):  # fmt: skip
    """Where picture ``row`` begins, its strides (channel, row, column), height and width."""
    if R:
        height = tl.load(shapes + row * 3 + 1)
        width = tl.load(shapes + row * 3 + 2)
        first = x + tl.load(offsets + row)
        if LAST:
            channel = width * 0 + 1
            line = width * C
            column = width * 0 + C
        else:
            channel = height * width
            line = width
            column = width * 0 + 1
    else:
        first = x + row * s0
        channel = s1
        line = s2
        column = s3
        height = h
        width = w
    return first, channel, line, column, height, width


def described(x: torch.Tensor | Ragged) -> tuple[tuple[Any, ...], bool, bool]:
    """(pixels, offsets, shapes, 4 strides, height, width), whether ragged, and channels last."""
    if isinstance(x, Ragged):
        offsets, shapes = x.offsets.contiguous(), x.shapes.contiguous()
        return (x.values.contiguous(), offsets, shapes, 0, 0, 0, 0, 0, 0), True, x.channels_last
    return (x, x, x, *x.stride(), *x.shape[2:]), False, False


def lies_last(x: torch.Tensor | Ragged) -> bool:
    """Whether the channels of these pictures lie last in memory."""
    if isinstance(x, Ragged):
        return x.channels_last
    return not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
