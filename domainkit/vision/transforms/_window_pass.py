"""``WindowPass``: crops, mirrors and at most one resampling as one window per picture.

Crops before the resampling choose what of the source it sees, crops after it choose what of the
result is computed, and mirrors turn the outcome: nothing is computed that a later step throws away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.vision.transforms._fused import Fused, Unfit, mirror
from domainkit.vision.transforms._images import as_padding, item_sizes, join
from domainkit.vision.transforms._targets import targets_in
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
        how = self._how
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
        channels = x.shape[1] if isinstance(x, torch.Tensor) else int(x.host_shapes[0, 0])
        work = _EachWindow(windows, how, channels)
        last = x.channels_last if isinstance(x, Ragged) else not x.is_contiguous()
        layout = torch.channels_last if last else torch.contiguous_format
        shapes = work.shapes.tolist()
        if all(s == shapes[0] for s in shapes):
            batch = torch.empty((len(x), *shapes[0]), dtype=x.dtype, memory_format=layout)
            parts = list(batch)
        else:
            batch = None
            parts = [torch.empty((1, *s), dtype=x.dtype, memory_format=layout)[0] for s in shapes]
        pictures = list(x)

        def some(first: int, end: int) -> None:
            for i in range(first, end):
                work.run(i, pictures[i], parts[i])

        in_parts(some, work.shapes.prod(axis=1))
        return batch if batch is not None else join(parts, like=x)

    def per_sample(
        self, columns: Sequence[str], field: str, shapes: np.ndarray, draws: Draws
    ) -> _EachWindow | None:
        names = dict.fromkeys(columns)
        if field != self.steps[0].field or shapes.shape[1] != 3 or targets_in(names, field):
            return None
        if len(set(shapes[:, 0].tolist())) > 1:
            return None
        windows = self.windows(torch.from_numpy(shapes[:, 1:]), draws)
        if windows is None:
            return None
        return _EachWindow(windows, self._how, int(shapes[0, 0]))

    @property
    def _how(self) -> Any:
        """The step that resamples, or None."""
        return next((step for step in self.steps if resamples(step)), None)

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


class _EachWindow:
    """The windows of a batch, cut one by one."""

    def __init__(self, windows: Windows, how: Any, channels: int) -> None:
        sizes = windows.sizes.numpy()
        self.shapes = np.concatenate([np.full((len(sizes), 1), channels), sizes], 1)
        self._how = how
        self._box, self._cut = windows.box.tolist(), windows.cut.tolist()
        self._full = windows.full.tolist() if windows.full is not None else None
        turns = zip(windows.flips[2].tolist(), windows.flips[3].tolist(), strict=True)
        self._turn = [[axis for axis, yes in ((2, v), (3, h)) if yes] for v, h in turns]

    def run(self, index: int, sample: torch.Tensor, out: torch.Tensor) -> None:
        """Picture ``index`` [C, H, W] into ``out`` [C, h, w]."""
        top, left, height, width = self._box[index]
        seen = sample[None, :, top : top + height, left : left + width]
        turn = self._turn[index]
        if self._full is None:
            out.copy_((seen.flip(turn) if turn else seen)[0])
        else:
            full, cut = self._full[index], self._cut[index]
            resize_window(out[None], seen, full, cut, how=self._how, turn=turn)
