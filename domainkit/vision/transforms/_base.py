"""``ImageTransform``: the base of every picture transform. Clips get one draw for all frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.transform import Transform, replace_fields
from domainkit.vision.transforms._rows import plain, wrap_like

__all__ = ["ImageTransform", "per_frame"]


class ImageTransform(Transform):
    """A transform of pictures; also of videos [B, T, C, H, W], whose frames share one draw.

    A subclass writes ``apply(x, draws)`` for a dense batch [B, C, H, W] or a ``Ragged`` of
    pictures. Videos come to it as [B * T, C, H, W], with each sample's id T times in the draws.

    A picture of torchvision's type in a mapping comes back as such. Where ``moves`` is set (and in
    geometry that is no ``Geometric``), boxes, masks and keypoints beside the picture are refused,
    as they would not follow. ``compiled`` says that Numba does the work on a CPU, for the plan.
    """

    field: ClassVar[str] = "image"
    kind: ClassVar[str] = "color"
    planner: ClassVar[str | None] = "domainkit.vision.transforms._planner"
    moves: ClassVar[bool] = False
    compiled: ClassVar[bool] = False

    def __call__(self, batch: Any, draws: Draws | None = None) -> Any:
        if isinstance(batch, torch.Tensor) and batch.ndim == 5:
            return per_frame(self, batch, self._draws(batch, draws))
        return super().__call__(batch, draws)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        if self.moves or self.kind == "geometry":
            from domainkit.vision.transforms._targets import refuse

            refuse(self, batch)
        return replace_fields(batch, {self.field: self._picture(batch[self.field], draws)})

    def _picture(self, value: Any, draws: Draws) -> Any:
        """The new value of a mapping's picture field: pictures or clips, wrapped as they came."""
        return wrap_like(self(plain(value), draws), value)


def per_frame(op: Transform, clips: torch.Tensor, draws: Draws) -> Any:
    """``op`` on clips [B, T, C, H, W], each sample's draws the same for all its frames."""
    frames = clips.shape[1]
    ids = draws.ids.repeat_interleave(frames)
    expanded = Draws(draws.seed, draws.epoch, ids, draws.op, draws.depth)
    done = op.apply(clips.flatten(0, 1), expanded)
    if isinstance(done, tuple):  # several crops
        return tuple(crop.unflatten(0, (len(clips), frames)) for crop in done)
    if isinstance(done, torch.Tensor):
        return done.unflatten(0, (len(clips), frames))
    raise TransformError(
        f"{type(op).__name__} gave the clips sizes that differ; a batch of clips has one. "
        "Give it one clip at a time"
    )
