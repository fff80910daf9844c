"""Points in pictures as plain tensors [N, ..., 2], (x, y) in pixels."""

from __future__ import annotations

import torch

from domainkit.vision.transforms.boxes import map_points, to_dtype_of

__all__ = ["clamp_keypoints", "inside", "map_keypoints"]


def map_keypoints(
    points: torch.Tensor, forward: torch.Tensor, mirrored: torch.Tensor | None = None
) -> torch.Tensor:
    """Points after the picture has been moved, in their dtype.

    Args:
        points: [N, ..., 2].
        forward: float64 [N, 3, 3], homogeneous: a point (x, y, 1) of the input -> the output.
        mirrored: bool [N, 2]: whether x and y were mirrored by a flip. A flip counts in whole
            pixels, as torchvision's does: the first pixel, 0, becomes the last, W - 1, while
            everywhere else 0 is the picture's edge.
    """
    moved = map_points(points.to(torch.float64), forward)
    if mirrored is not None:
        moved = moved - mirrored.to(moved.dtype).view(-1, *(1,) * (points.ndim - 2), 2)
    return to_dtype_of(moved, points)


def clamp_keypoints(points: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """Points [N, ..., 2] moved to [0, W - 1] and [0, H - 1]; ``sizes`` is int64 [N, 2]."""
    last = sizes.to(points.device, torch.float64).flip(1) - 1
    limit = last.view(-1, *(1,) * (points.ndim - 2), 2)
    return to_dtype_of(torch.minimum(points.to(torch.float64).clamp_min(0), limit), points)


def inside(points: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """bool [N]: whether all points of a row lie in [0, W) and [0, H)."""
    limit = sizes.to(points.device).flip(1).view(-1, *(1,) * (points.ndim - 2), 2)
    return ((points >= 0) & (points < limit)).flatten(1).all(1)
