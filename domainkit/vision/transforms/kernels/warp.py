"""``warp``: every picture resampled by a homography of its own.

The torch form is the reference and is made of ``torch.nn.functional.grid_sample``; source
coordinates are computed in float64. The Numba form does uint8 and float32 on a CPU, the Triton
form bilinear and nearest on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import grid_sample

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._images import constants, join
from domainkit.vision.transforms.kernels.forms import numba_can, triton_can
from domainkit.vision.transforms.kernels.pool import in_parts

__all__ = ["WARPS", "sample_at", "warp", "warp_numba", "warp_torch"]

WARPS = ("bilinear", "nearest", "bicubic")
Fill = float | Sequence[float] | None
CPU = torch.device("cpu")

_BLOCK = 1 << 18  # pixels that the torch form works on at a time on a CPU


def warp(
    x: torch.Tensor | Ragged,
    matrix: torch.Tensor,
    sizes: torch.Tensor,
    interpolation: str = "bilinear",
    fill: Fill = None,
) -> torch.Tensor | Ragged:
    """Sample pictures where ``matrix`` says, in the quickest form.

    Args:
        x: pictures [B, C, H, W] or ``Ragged`` [C, H_i, W_i] of any dtype.
        matrix: float64 [B, 3, 3] on the host: a point (x, y, 1) of the output -> the input, in
            continuous pixel coordinates (the first pixel's centre is (0.5, 0.5)).
        sizes: int64 [B, 2] on the host: height and width of each output.
        interpolation: "bilinear", "nearest" or "bicubic" (Keys' cubic with a = -0.75).
        fill: what lies around a picture, a number or one per channel, in the unit of the pixels.
            None is 0 too, but blends with the picture's edge once, where a number blends twice, as
            torchvision does: value = mask * (sample - fill) + fill, the sample being already
            weighed by the share ``mask`` of it that lies inside.

    Returns:
        the dtype of ``x``; a tensor [B, C, h, w] if all sizes are equal, else a ``Ragged``.

    Example:
        >>> shift = torch.tensor([[[1.0, 0, 1], [0, 1, 0], [0, 0, 1]]], dtype=torch.float64)
        >>> warp(torch.arange(3.0).view(1, 1, 1, 3), shift, torch.tensor([[1, 3]])).tolist()
        [[[[1.0, 2.0, 0.0]]]]
    """
    values = x.values if isinstance(x, Ragged) else x
    if len(x) and interpolation in ("bilinear", "nearest") and numba_can(values):
        return warp_numba(x, matrix, sizes, interpolation, fill)
    if triton_can(values) and not torch.compiler.is_compiling():
        # here, because importing Triton takes a second and not every machine has it
        from domainkit.vision.transforms.kernels import _triton_warp

        if _triton_warp.can_run(x, sizes, interpolation):
            return _triton_warp.warp_triton(x, matrix, sizes, interpolation, fill)
    return warp_torch(x, matrix, sizes, interpolation, fill)


def warp_torch(
    x: torch.Tensor | Ragged,
    matrix: torch.Tensor,
    sizes: torch.Tensor,
    interpolation: str = "bilinear",
    fill: Fill = None,
) -> torch.Tensor | Ragged:
    """The reference; see ``warp``. Gradients flow to floating pictures."""
    if len(x) == 0:
        return x
    equal = bool((sizes == sizes[:1]).all())
    dense = x.dense() if isinstance(x, Ragged) and x.is_dense else x
    if isinstance(dense, torch.Tensor) and equal:
        height, width = sizes[0].tolist()
        # on a CPU, what stays in the cache: the results do not depend on it
        block = len(x) if dense.is_cuda else max(1, _BLOCK // max(1, height * width))
        if torch.compiler.is_compiling():
            block = len(x)
        done = []
        for part, m in zip(dense.split(block), matrix.split(block), strict=True):
            points = source_points(m.to(x.device), height, width)
            done.append(sample_at(part, points, interpolation, fill))
        return done[0] if len(done) == 1 else torch.cat(done)
    if x.device.type == "cuda":
        return _padded(x, matrix, sizes, interpolation, fill)
    items = []
    for item, m, (height, width) in zip(x, matrix, sizes.tolist(), strict=True):
        points = source_points(m[None], height, width)
        items.append(sample_at(item[None], points, interpolation, fill)[0])
    return join(items, like=x)


def _padded(
    x: torch.Tensor | Ragged,
    matrix: torch.Tensor,
    sizes: torch.Tensor,
    interpolation: str,
    fill: Fill,
) -> torch.Tensor | Ragged:
    """Pictures of several sizes in one batch: each lies in the corner of a larger one."""
    channels = x.host_shapes[:, 0] if isinstance(x, Ragged) else np.array([x.shape[1]])
    if (channels != channels[0]).any():
        raise TransformError(f"pictures of one batch need equal channels on a GPU, got {x!r}")
    inside = None
    if isinstance(x, Ragged):
        shapes = x.shapes.to(x.device)
        x, _ = x.pad(0)
        rows = torch.arange(x.shape[2], device=x.device) < shapes[:, 1:2]
        columns = torch.arange(x.shape[3], device=x.device) < shapes[:, 2:3]
        inside = (rows[:, :, None] & columns[:, None, :])[:, None]
    height, width = sizes.max(0).values.tolist()
    points = source_points(matrix.to(x.device), height, width)
    done = sample_at(x, points, interpolation, fill, inside=inside)
    if bool((sizes == sizes[:1]).all()):
        return done
    whole = torch.cat([torch.full_like(sizes[:, :1], done.shape[1]), sizes], 1)
    return Ragged.unpad(done, whole)


def source_points(matrix: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """float64 [B, height, width, 2]: (x, y) that each output pixel's centre comes from."""
    rows = torch.arange(height, dtype=torch.float64, device=matrix.device)[:, None, None] + 0.5
    columns = torch.arange(width, dtype=torch.float64, device=matrix.device)[:, None] + 0.5
    m = matrix[:, None, None]
    # written out, since a matrix product's rounding may depend on the size of the batch
    whole = columns * m[..., 0] + rows * m[..., 1] + m[..., 2]
    return whole[..., :2] / whole[..., 2:]


def sample_at(
    x: torch.Tensor,
    points: torch.Tensor,
    interpolation: str = "bilinear",
    fill: Fill = None,
    *,
    inside: torch.Tensor | None = None,
) -> torch.Tensor:
    """Pictures [B, C, H, W] at points (x, y) [B, h, w, 2], in continuous pixel coordinates.

    Args:
        fill: as in ``warp``.
        inside: bool [B, 1, H, W], what belongs to the pictures; None: all.
    """
    if interpolation == "nearest":
        return _nearest(x, points, fill, inside)
    exact = x.dtype == torch.float64
    work = x if exact or x.dtype == torch.float32 else x.float()
    if fill is not None:
        mask = torch.ones_like(work[:, :1]) if inside is None else inside.to(work.dtype)
        work = torch.cat([work, mask], 1)
    size = constants([x.shape[3], x.shape[2]], torch.float64, x.device)
    # grid_sample has -1 and 1 at the outer borders of the outer pixels; points at infinity or
    # beyond the range of its integers are outside all the same
    grid = (2 * points / size - 1).nan_to_num(1e4).clamp(-1e4, 1e4).to(work.dtype)
    out = grid_sample(work, grid, mode=interpolation, padding_mode="zeros", align_corners=False)
    if fill is not None:
        out, mask = out[:, :-1], out[:, -1:]
        around = fill_values(fill, x.shape[1], x.device).to(out).view(-1, 1, 1)
        out = (out - around) * mask + around
    if x.dtype.is_floating_point:
        return out.to(x.dtype)
    out = out.round()
    return (out.clamp_(0, 255) if x.dtype == torch.uint8 else out).to(x.dtype)


def _nearest(
    x: torch.Tensor, points: torch.Tensor, fill: Fill, inside: torch.Tensor | None
) -> torch.Tensor:
    """Values are copied, so every dtype keeps every value; halves go to the even pixel."""
    height, width = x.shape[2:]
    place = (points - 0.5).nan_to_num(-2.0).round().clamp(-2, 1 << 30).to(torch.int64)
    column, row = place.unbind(-1)
    hit = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    index = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).flatten(1)[:, None]
    if inside is not None:
        hit &= inside.flatten(2).gather(2, index).view_as(hit)
    out = x.flatten(2).gather(2, index.expand(-1, x.shape[1], -1)).unflatten(2, points.shape[1:3])
    around = fill_values(0 if fill is None else fill, x.shape[1], x.device)
    around = around if x.dtype.is_floating_point else around.round()
    return torch.where(hit[:, None], out, around.to(x).view(-1, 1, 1))


def fill_values(fill: Fill, channels: int, device: torch.device = CPU) -> torch.Tensor:
    """float64 [channels] of a number or one per channel."""
    values = [0.0 if fill is None else fill] if not isinstance(fill, Sequence) else list(fill)
    if len(values) not in (1, channels):
        raise TransformError(
            f"fill must be a number or one per channel ({channels}), got {len(values)} of them"
        )
    return constants(values, torch.float64, device).expand(channels)


def warp_numba(
    x: torch.Tensor | Ragged,
    matrix: torch.Tensor,
    sizes: torch.Tensor,
    interpolation: str = "bilinear",
    fill: Fill = None,
) -> torch.Tensor | Ragged:
    """uint8 and float32 on a CPU, bilinear and nearest; see ``warp``."""
    from domainkit.vision.transforms.kernels.numba_warp import compiled

    if isinstance(x, Ragged):
        last, flat, shapes = x.channels_last, x.values, x.host_shapes
    else:
        last = not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
        flat = (x.permute(0, 2, 3, 1) if last else x).reshape(-1)
        shapes = np.tile(np.array(x.shape[1:], dtype=np.int64), (len(x), 1))
    out_shapes = np.concatenate([shapes[:, :1], sizes.numpy()], 1)
    out = flat.new_empty(int(out_shapes.prod(1).sum()))
    affine = (matrix[:, 2, :2] == 0).all(1)
    scaled = matrix / torch.where(affine, matrix[:, 2, 2], 1.0)[:, None, None]
    around = fill_values(fill, int(shapes[:, 0].max())).clone()
    if x.dtype == torch.uint8:
        around = around.clamp_(0, 255)
    kernel = compiled(f"warp_{interpolation}")
    given = (
        flat.contiguous().numpy(),
        _starts(shapes),
        np.ascontiguousarray(shapes),
        out.numpy(),
        _starts(out_shapes),
        np.ascontiguousarray(out_shapes[:, 1:]),
        last,
        np.ascontiguousarray(scaled.numpy()),
        around.float().numpy(),
        fill is not None,
        x.dtype == torch.uint8,
    )
    in_parts(lambda first, end: kernel(*given, first, end), out_shapes.prod(1))
    if (out_shapes == out_shapes[0]).all():
        channels, height, width = out_shapes[0].tolist()
        if last:
            return out.view(-1, height, width, channels).permute(0, 3, 1, 2)
        return out.view(-1, channels, height, width)
    return Ragged.from_shapes(out, out_shapes, channels_last=last)


def _starts(shapes: np.ndarray) -> np.ndarray:
    ends = shapes.prod(axis=1).cumsum()
    return np.concatenate([[0], ends[:-1]]).astype(np.int64)
