"""``resize_window``: a part of a resized picture, written where it belongs.

``resize_windows`` does all windows of a batch on a GPU at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from domainkit.ragged import Ragged
from domainkit.vision.transforms.kernels.forms import triton_can
from domainkit.vision.transforms.resize import resize, resize_into

__all__ = ["resize_window", "resize_windows"]


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
        ends = [top + height, left + width]
        # torch leaves out an axis whose length stays, whatever its scale: then one row more
        for axis in (0, 1):
            if ends[axis] == x.shape[2 + axis] and ends[axis] < full[axis]:
                ends[axis] += 1
        # told its layout, the filter works on pixels as they lie: on a CPU 1.4 times as quick
        layout = torch.channels_last if x.stride(1) == 1 else torch.contiguous_format
        shape = (1, x.shape[1], *ends)
        near = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout)
        torch.ops.aten._upsample_bilinear2d_aa.out(x, ends, False, *scales, out=near)
    else:
        near = resize(x, (full[0], full[1]), how.interpolation, antialias=how.antialias)
    part = near[:, :, top : top + height, left : left + width]
    out.copy_(part.flip(list(turn)) if turn else part)


def resize_windows(
    x: torch.Tensor | Ragged,
    box: torch.Tensor,
    full: torch.Tensor,
    cut: torch.Tensor | None = None,
    *,
    how: Any,
    flips: dict[int, torch.Tensor] | None = None,
) -> torch.Tensor | None:
    """A window of every picture, in one launch; None where no kernel does it all at once.

    Args:
        x: pictures [B, C, H, W] or ``Ragged`` [C, H_i, W_i].
        box: int64 [B, 4] on the host, top, left, height and width of each window, in the source.
        full: int64 [B, 2] on the host, height and width that it is resized to.
        cut: int64 [B, 4] on the host, the part of that which is wanted; None: all.
        how: a ``Resize`` or ``RandomResizedCrop``: its interpolation and antialias.
        flips: axis of [B, C, H, W] -> bool [B] on the host: what is mirrored in the end.

    Exactness: as ``resize_window``; uint8 within 1 level of it.
    """
    if not triton_can(x):
        return None
    if cut is None:
        cut = torch.cat([torch.zeros_like(full), full], 1)
    if len(x) == 0 or not bool((cut[:, 2:] == cut[:1, 2:]).all()):
        return None
    # here, because importing Triton takes a second and not every machine has it
    from domainkit.vision.transforms.kernels import _triton_resize

    if not _triton_resize.can_run(x, how):
        return None
    turns = flips or {}
    return _triton_resize.resize_windows_triton(
        x, box, full, cut, vflip=turns.get(2), hflip=turns.get(3)
    )
