"""``WindowPass``: crops, mirrors and at most one resampling as one window per picture.

Crops before the resampling choose what of the source it sees, crops after it choose what of the
result is computed, and mirrors turn the outcome: nothing is computed that a later step throws away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.vision.transforms._fused import Fused, Unfit, mirror
from domainkit.vision.transforms._images import as_padding, item_sizes, join
from domainkit.vision.transforms.center_crop import CenterCrop
from domainkit.vision.transforms.kernels.pool import in_parts
from domainkit.vision.transforms.kernels.window import resize_window, resize_windows
from domainkit.vision.transforms.random_crop import RandomCrop
from domainkit.vision.transforms.random_resized_crop import RandomResizedCrop
from domainkit.vision.transforms.resize import Resize

__all__ = ["WindowPass", "Windows", "crops", "resamples"]


def resamples(step: Any) -> bool:
    """Whether a step resizes."""
    return type(step) in (Resize, RandomResizedCrop)


def crops(step: Any) -> bool:
    """Whether a step cuts a window out, without a border that it adds before."""
    if type(step) is RandomCrop:
        return not any(as_padding(step, step.padding))
    return type(step) is CenterCrop


@dataclass
class Windows:
    """What of each picture is wanted; int64 on the host.

    Attributes:
        box: [B, 4], top, left, height and width of what is resampled, in the source.
        full: [B, 2], height and width that it is resized to; None: it is not.
        cut: [B, 4], the part of that which is wanted (with ``full`` only).
        flips: axis -> bool [B]: what is mirrored in the end.
    """

    box: torch.Tensor
    full: torch.Tensor | None
    cut: torch.Tensor
    flips: dict[int, torch.Tensor]

    @classmethod
    def whole(cls, sizes: torch.Tensor) -> Windows:
        """All of pictures of these heights and widths."""
        box = torch.cat([torch.zeros_like(sizes), sizes], 1)
        unturned = {axis: torch.zeros(len(sizes), dtype=torch.bool) for axis in (2, 3)}
        return cls(box, None, box, unturned)

    @property
    def sizes(self) -> torch.Tensor:
        """int64 [B, 2]: height and width of what comes out."""
        return self.cut[:, 2:]

    def crop(self, window: torch.Tensor) -> bool:
        """Cut [B, 4] out of what there is; False where that reaches outside."""
        corner, size = window[:, :2], window[:, 2:]
        far = self.sizes - corner - size
        if bool((corner < 0).any()) or bool((far < 0).any()):
            return False
        turned = torch.stack([self.flips[2], self.flips[3]], 1)
        corner = torch.where(turned, far, corner)  # as it lies before the mirror
        self.cut = torch.cat([self.cut[:, :2] + corner, size], 1)
        if self.full is None:
            self.box = self.cut
        return True

    def resize(self, full: torch.Tensor) -> None:
        """Resize what there is."""
        self.full = full
        self.cut = torch.cat([torch.zeros_like(full), full], 1)


@dataclass(frozen=True)
class WindowPass(Fused):
    """One window per picture, resampled straight into its place in the batch."""

    def fused(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        how = next((s for s in self.steps if resamples(s)), None)
        if how is None and x.device.type != "cpu":
            raise Unfit("a GPU copies pictures as quickly one step at a time")
        windows = self.windows(item_sizes(x), draws)
        if windows is None:
            raise Unfit("a window reaches outside of its picture")
        if isinstance(x, Ragged) and len(set(x.host_shapes[:, 0].tolist())) > 1:
            raise Unfit("pictures differ in their number of channels")
        if x.device.type != "cpu":
            box, full, cut, flips = windows.box, windows.full, windows.cut, windows.flips
            done = None
            if full is not None:
                done = resize_windows(x, box, full, cut, how=how, flips=flips)
            if done is None:
                raise Unfit("no kernel resizes these pictures at once")
            return done
        last = x.channels_last if isinstance(x, Ragged) else not x.is_contiguous()
        layout = torch.channels_last if last else torch.contiguous_format
        sizes = windows.sizes.tolist()
        shapes = [
            (1, x.shape[1] if isinstance(x, torch.Tensor) else int(x.host_shapes[0, 0]), *s)
            for s in sizes
        ]
        if all(s == sizes[0] for s in sizes):
            shape = (len(x), *shapes[0][1:])
            batch = torch.empty(shape, dtype=x.dtype, memory_format=layout)
            parts = list(batch.split(1))
        else:
            batch = None
            parts = [torch.empty(s, dtype=x.dtype, memory_format=layout) for s in shapes]
        rows = [windows.box.tolist(), windows.cut.tolist()]
        fulls = windows.full.tolist() if windows.full is not None else [None] * len(parts)
        turns = [windows.flips[2].tolist(), windows.flips[3].tolist()]
        pictures = list(x)

        def work(first: int, end: int) -> None:
            for i in range(first, end):
                (top, left, height, width), cut, full = rows[0][i], rows[1][i], fulls[i]
                seen = pictures[i][None, :, top : top + height, left : left + width]
                turn = [axis for axis, yes in ((2, turns[0][i]), (3, turns[1][i])) if yes]
                if full is None:
                    parts[i].copy_(seen.flip(turn) if turn else seen)
                else:
                    resize_window(parts[i], seen, full, cut, how=how, turn=turn)

        in_parts(work, [math.prod(shape) for shape in shapes])
        return batch if batch is not None else join([p[0] for p in parts], like=x)

    def windows(self, sizes: torch.Tensor, draws: Draws) -> Windows | None:
        """The windows of pictures of these sizes; None where one reaches outside its picture."""
        if int(sizes.min()) < 1:
            return None
        made = Windows.whole(sizes)
        for op, step in zip(self.ops, self.steps, strict=True):
            axis, own = mirror(step), draws.at(op)
            now = made.sizes
            if axis is not None:
                made.flips[axis] = made.flips[axis] ^ step.mask(own).cpu()  # type: ignore[attr-defined]
            elif isinstance(step, Resize):
                made.resize(step.place(now, own).sizes)
            elif isinstance(step, RandomResizedCrop):
                if not made.crop(step.boxes(now, own)):
                    return None
                made.resize(step.place(now, own).sizes)
            else:
                placed = step.place(now, own)  # type: ignore[attr-defined]
                corner = placed.matrix[:, [1, 0], 2].to(torch.int64)
                if not made.crop(torch.cat([corner, placed.sizes], 1)):
                    return None
        return made
