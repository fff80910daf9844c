"""Masks beside pictures: a class per pixel, or a plane per object.

A class mask is [B, H, W] or a ``Ragged`` of [H_i, W_i]; masks of objects are [B, N, H, W] or a
``Ragged`` of [n_i, H_i, W_i]. A picture transform sees the planes as channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["keep_planes", "move_masks"]


def move_masks(
    name: str,
    masks: torch.Tensor | Ragged,
    sizes: torch.Tensor,
    work: Callable[[Any], Any],
) -> torch.Tensor | Ragged:
    """``work(pictures)`` on masks in the form of pictures, and back.

    Args:
        name: the field's name, for errors.
        sizes: int64 [B, 2]: height and width of each picture, which its mask must have.
        work: takes and gives [B, C, H, W] or a ``Ragged`` of [C, H_i, W_i].

    Raises:
        TransformError: another form, or other sizes than the pictures have.
    """
    if isinstance(masks, Ragged):
        dims, found = masks.host_shapes.shape[1], masks.host_shapes[:, -2:]
        right = dims in (2, 3) and not masks.inner
    else:
        dims, found = masks.ndim - 1, np.tile(np.array(masks.shape[-2:]), (len(masks), 1))
        right = dims in (2, 3)
    if not right:
        raise TransformError(
            f"{name!r} must hold masks [H, W] or [objects, H, W], got {masks!r:.80}. Rename the "
            "field if it is no picture's mask"
        )
    if len(masks) != len(sizes) or (found != sizes.numpy()).any():
        raise TransformError(f"{name!r} and the pictures must have the same sizes")
    if len(masks) == 0:
        return masks
    if dims == 2:
        if isinstance(masks, Ragged):
            shapes = np.insert(masks.host_shapes, 0, 1, axis=1)
            out = work(Ragged.from_shapes(masks.values, shapes))
        else:
            out = work(masks[:, None])
        if isinstance(out, Ragged):
            return Ragged.from_shapes(out.contiguous().values, out.host_shapes[:, 1:])
        return out[:, 0]
    out = work(masks)
    if isinstance(masks, Ragged) and not isinstance(out, Ragged):
        return Ragged.from_list(list(out))  # counts of objects stay ragged, though equal by chance
    return out


def keep_planes(masks: torch.Tensor | Ragged, keep: torch.Tensor) -> Ragged:
    """Masks of objects without some of the objects.

    Args:
        masks: [B, N, H, W] or a ``Ragged`` of [n_i, H_i, W_i].
        keep: bool [sum n_i]: which objects stay.
    """
    if not isinstance(masks, Ragged):
        batch, *shape = masks.shape
        masks = Ragged.from_shapes(masks.reshape(-1), np.tile(np.array(shape), (batch, 1)))
    masks = masks.contiguous()
    counts, height, width = masks.host_shapes.T
    pixels = torch.from_numpy(np.repeat(height * width, counts)).to(masks.device)
    chosen = torch.repeat_interleave(keep.to(masks.device), pixels, output_size=len(masks.values))
    owner = np.repeat(np.arange(len(counts)), counts)
    left = np.bincount(owner[keep.cpu().numpy()], minlength=len(counts))
    return Ragged.from_shapes(masks.values[chosen], np.stack([left, height, width], 1))
