"""``WarpPass``: neighbouring affine maps, rotations, perspectives and mirrors as one homography.

The pictures are sampled once. Step by step they are sampled, and blurred a little, again and again,
and what one step moves out of the frame is lost to the next: so this pass gives sharper pictures,
and not the same ones. ``Compose(..., fuse=False)`` runs step by step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.transform import Pass, Transform, replace_fields
from domainkit.vision.transforms._arguments import Fill
from domainkit.vision.transforms._fused import form_of, mirror
from domainkit.vision.transforms._geometry import Placement
from domainkit.vision.transforms._rows import plain
from domainkit.vision.transforms._targets import follow, sizes_of, targets_in
from domainkit.vision.transforms._warped import Warped

__all__ = ["WarpPass", "warping"]


@dataclass(frozen=True)
class _Joined(Warped):
    """Several geometries as one. Targets follow as they do for any other."""

    steps: tuple[Any, ...]
    ops: tuple[int, ...]
    interpolation: str = "bilinear"
    fill: Fill = 0

    def check(self, x: torch.Tensor | Ragged) -> None:
        """The error of the step that does not take these pictures, in its own name."""
        for step in self.steps:
            if isinstance(step, Warped):
                step.check(x)

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        """The steps' placements, one after the other, each with the draws of its own op."""
        placed = None
        for op, step in zip(self.ops, self.steps, strict=True):
            now = step.place(sizes if placed is None else placed.sizes, draws.at(op))
            placed = now if placed is None else placed.then(now)
        assert placed is not None
        return placed

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        """Boxes and masks by the one homography; keypoints, which mirrors count in whole pixels as
        torchvision does, one step after the other."""
        targets = targets_in(batch, self.field)
        points = {name: batch[name] for name, kind in targets.items() if kind == "KeyPoints"}
        others = {name: value for name, value in batch.items() if name not in points}
        done = super().apply_batch(others, draws)
        sizes = sizes_of(plain(batch[self.field]))
        for op, step in zip(self.ops, self.steps, strict=True):
            if points:
                points, sizes = follow(step, points, sizes, draws.at(op))
        return replace_fields(batch, {**done, **points})


@dataclass(frozen=True)
class WarpPass(Pass):
    """One homography per picture, sampled once."""

    def run(self, batch: Any, draws: Draws) -> Any:
        first = next(step for step in self.steps if isinstance(step, Warped))
        if isinstance(batch, Mapping) and first.field not in batch:
            return super().run(batch, draws)  # which says so
        return _Joined(self.steps, self.ops, first.interpolation, first.fill)(batch, draws)

    def tried(self, batch: Any, draws: Draws) -> tuple[Any, Pass]:
        form = form_of(self, batch)
        return self.run(batch, draws), replace(self, form=form)


def warping(steps: Sequence[Transform]) -> int:
    """How many of the first steps one ``WarpPass`` can do; 0 if it would join nothing."""
    count, kind = 0, None
    for step in steps:
        if mirror(step) is None:
            if not _joins(step) or (kind or _kind(step)) != _kind(step):
                break
            kind = _kind(step)
        count += 1
    while count and mirror(steps[count - 1]) is not None:
        count -= 1  # mirrors at the end are free in the pass behind
    return count if count > 1 else 0


def _joins(step: Transform) -> bool:
    """A warp that keeps sizes: the frame of one that expands depends on the angle."""
    return isinstance(step, Warped) and not getattr(step, "expand", False)


def _kind(step: Any) -> tuple[Any, ...]:
    """What has to agree: how points are sampled, and what lies around a picture."""
    names = {field.name for field in fields(step)}
    return tuple(getattr(step, name) for name in ("interpolation", "fill") if name in names)
