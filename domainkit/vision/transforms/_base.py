"""``ImageTransform``: the base of every picture transform. Clips get one draw for all frames."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.transform import Transform

__all__ = ["ImageTransform", "per_frame"]


class ImageTransform(Transform):
    """A transform of pictures; also of videos [B, T, C, H, W], whose frames share one draw.

    A subclass writes ``apply(x, draws)`` for a dense batch [B, C, H, W] or a ``Ragged`` of
    pictures. Videos come to it as [B * T, C, H, W], with each sample's id T times in the draws.
    """

    field: ClassVar[str] = "image"
    kind: ClassVar[str] = "color"

    def __call__(self, batch: Any, draws: Draws | None = None) -> Any:
        if isinstance(batch, torch.Tensor) and batch.ndim == 5:
            return per_frame(self, batch, self._draws(batch, draws))
        return super().__call__(batch, draws)


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
    return done
