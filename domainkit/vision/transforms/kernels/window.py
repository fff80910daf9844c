"""``resize_window``: a part of a resized picture, written where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from domainkit.vision.transforms.resize import resize, resize_into

__all__ = ["resize_window"]


def resize_window(
    out: torch.Tensor,
    x: torch.Tensor,
    full: Sequence[int],
    cut: Sequence[int],
    *,
    how: Any,
    turn: Sequence[int] = (),
) -> None:
    """Resize ``x`` and write a part of the result into ``out``.

    Args:
        out: [1, C, h, w], any strides.
        x: [1, C, H, W].
        full: height and width of the whole result.
        cut: top, left, height and width of the part.
        how: a ``Resize`` or ``RandomResizedCrop``: its interpolation and antialias.
        turn: axes of [1, C, h, w] that the part is mirrored along.

    Exactness: the part equals that of ``resize``; uint8 bilinear pictures are not computed to the
    right of it and below.
    """
    top, left, height, width = cut
    whole = [height, width] == list(full)
    smooth = how.interpolation == "bilinear" and how.antialias
    if whole and not turn:
        resize_into(out, x, how.interpolation, antialias=how.antialias)
        return
    pixel = (top + height, left + width) == (1, 1)  # torch's uint8 filter fails there, see resize
    smooth = smooth and not pixel
    if not whole and smooth and x.dtype == torch.uint8 and list(x.shape[2:]) != list(full):
        # a size of its own goes with the scale of the whole: the filter starts from the corner
        scales = [full[0] / x.shape[2], full[1] / x.shape[3]]
        near = torch.ops.aten._upsample_bilinear2d_aa(
            x, [top + height, left + width], False, *scales
        )
    else:
        near = resize(x, (full[0], full[1]), how.interpolation, antialias=how.antialias)
    part = near[:, :, top : top + height, left : left + width]
    out.copy_(part.flip(turn) if turn else part)
