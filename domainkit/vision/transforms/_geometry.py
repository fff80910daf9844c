"""``Geometric``: the base of transforms that move pixels, and ``Placement``, where they move them.

A geometry transform says with ``place`` where every pixel of its output comes from. Boxes, masks
and keypoints follow from that, and the planner joins neighbours by it. Draws are functions of
(seed, epoch, id, op), so ``place`` and ``apply`` may both ask for them and get the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.transform import Transform, replace_fields
from domainkit.vision.transforms._base import ImageTransform, per_frame
from domainkit.vision.transforms._rows import plain, wrap_like
from domainkit.vision.transforms._targets import NAMES, follow, sizes_of, targets_in

__all__ = ["Geometric", "Placement", "window_placement"]


@dataclass(frozen=True)
class Placement:
    """Where the pixels of a batch come from; all tensors on the host.

    Coordinates are continuous pixels: (x, y) = (0, 0) is the upper left corner of the picture, the
    centre of its first pixel lies at (0.5, 0.5).

    Attributes:
        source: int64 [B, 2], height and width of each picture before.
        sizes: int64 [B, 2], height and width of each picture after.
        matrix: float64 [B, 3, 3], homogeneous: a point (x, y, 1) of the OUTPUT -> the INPUT.
        window: True when every matrix is a scale and a shift (a mirror included): an axis-parallel
            window of the input, resized with the antialiased filter. False: a warp, sampled at
            points.
    """

    source: torch.Tensor
    sizes: torch.Tensor
    matrix: torch.Tensor
    window: bool

    def then(self, after: Placement) -> Placement:
        """This placement followed by ``after``, as one."""
        matrix = self.matrix @ after.matrix
        return Placement(self.source, after.sizes, matrix, self.window and after.window)


class Geometric(ImageTransform):
    """A transform that moves pixels, and the targets of a batch with them.

    With a mapping, boxes, masks and keypoints go where the picture in ``field`` goes: values of
    torchvision's types (``tv_tensors``, which come back as such), and fields named "boxes" or
    "bboxes" (xyxy [n_i, 4], or the corners of rotated ones [n_i, 8]), "mask", "masks" or
    "segmentation" ([H, W] or [objects, H, W]) and "keypoints" ([n_i, ..., 2]), each as a
    ``Ragged``, dense, or a list with a tensor per sample.

    A subclass may set:
        clamps: False where boxes beyond the border stay so, as in torchvision's flips and resize.
    """

    kind = "geometry"
    clamps: ClassVar[bool] = True
    carries: ClassVar[Mapping[str, tuple[str, ...]]] = NAMES

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement | None:
        """Where the output's pixels come from, given sizes int64 [B, 2] (height, width).

        None where no homography says it (``ElasticTransform``).
        """
        raise NotImplementedError

    def for_masks(self) -> Transform:
        """The same movement for class masks: nearest pixel, and 0 beyond the border."""
        names = {field.name for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        wanted = {"interpolation": "nearest", "fill": 0}
        there = {name: value for name, value in wanted.items() if name in names}
        same: Transform = dataclasses.replace(self, **there)  # type: ignore[type-var]
        return same

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        """Transform the picture, and everything that lies on it."""
        x = plain(batch[self.field])
        clips = isinstance(x, torch.Tensor) and x.ndim == 5
        moved = per_frame(self, x, draws) if clips else self.apply(x, draws)
        new = {self.field: wrap_like(moved, batch[self.field])}
        if targets_in(batch, self.field):
            new |= follow(self, batch, sizes_of(x), draws)[0]
        return replace_fields(batch, new)


def window_placement(
    sizes: torch.Tensor, after: torch.Tensor, boxes: torch.Tensor | None = None
) -> Placement:
    """The placement of a window of each picture that is brought to one size.

    Args:
        sizes, after: int64 [B, 2], height and width before and after.
        boxes: int64 [B, 4], top, left, height and width of each window, which may reach outside;
            None: the whole picture.
    """
    if boxes is None:
        boxes = torch.cat([torch.zeros_like(sizes), sizes], 1)
    top, left, height, width = boxes.double().unbind(1)
    matrix = torch.zeros(len(sizes), 3, 3, dtype=torch.float64)
    matrix[:, 0, 0], matrix[:, 0, 2] = width / after[:, 1], left
    matrix[:, 1, 1], matrix[:, 1, 2] = height / after[:, 0], top
    matrix[:, 2, 2] = 1
    return Placement(sizes, after, matrix, window=True)
