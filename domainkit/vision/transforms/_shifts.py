"""Boxes and points under a field of shifts, for transforms that no homography describes.

A picture's pixel (x, y) shows what was at (x, y) + shift. torchvision takes the opposite of the
shift at a point for where the point goes, and reads it at a whole pixel; so does this.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from domainkit.draws import Draws
from domainkit.vision.transforms._rows import Rows
from domainkit.vision.transforms.boxes import (
    clamp_boxes,
    convert_boxes,
    corners_of,
    is_rotated,
    to_dtype_of,
)

__all__ = ["shift_boxes", "shift_points"]


def shift_boxes(
    op: Any, rows: Rows, format: str, sizes: torch.Tensor, draws: Draws
) -> torch.Tensor:
    """Boxes [N, columns] after ``op``: their corners' envelopes; of rotated ones the middle moves.

    Args:
        op: has ``displacements(height, width, draws)``: float32 [B, height, width, 2], (x, y) in
            units of half the picture's width and height.
        sizes: int64 [B, 2], height and width of each picture.
    """
    exact = rows.values.to(torch.float64)
    if is_rotated(format):
        moved = convert_boxes(exact, format, "cxcywhr")
        middle = _moved(op, moved[:, None, :2].ceil(), rows, sizes, draws)[:, 0]
        moved = convert_boxes(torch.cat([middle, moved[:, 2:]], 1), "cxcywhr", format)
    else:
        corners = _moved(op, corners_of(exact, format).ceil(), rows, sizes, draws)
        moved = torch.cat(torch.aminmax(corners, dim=1), 1)
        moved = convert_boxes(moved, "xyxy", format)
    clamped = clamp_boxes(moved, format, rows.per_row(sizes), rows.mode)
    return to_dtype_of(clamped, rows.values)


def shift_points(op: Any, rows: Rows, sizes: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Points [N, ..., 2] after ``op``; see ``shift_boxes``."""
    points = rows.values.to(torch.float64)
    flat = points.flatten(1, -2) if points.ndim > 2 else points[:, None]
    moved = _moved(op, flat.trunc(), rows, sizes, draws)
    return to_dtype_of(moved.view(points.shape), rows.values)


def _moved(
    op: Any, points: torch.Tensor, rows: Rows, sizes: torch.Tensor, draws: Draws
) -> torch.Tensor:
    """Where pixels float64 [N, K, 2] go; those outside count as the nearest at the border."""
    out, parts = points.clone(), points.split(rows.counts.tolist())
    start = 0
    for i, part in enumerate(parts):
        if len(part) == 0:
            continue
        height, width = sizes[i].tolist()
        field = op.displacements(height, width, replace(draws, ids=draws.ids[i : i + 1]))[0]
        x = part[..., 0].long().clamp(0, width - 1)
        y = part[..., 1].long().clamp(0, height - 1)
        half = part.new_tensor([width / 2, height / 2])
        shift = field.to(part.device, torch.float64)[y, x] * half
        out[start : start + len(part)] = torch.stack([x, y], -1) - shift
        start += len(part)
    return out
