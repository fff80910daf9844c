"""``RandomIoUCrop``: a window that overlaps a box by at least a drawn share.

The method is that of Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, in torchvision's
form. All tries of all samples are drawn at once, round by round, and the first window that fits is
taken: a sample uses the same numbers whatever the others do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._geometry import Geometric, Placement
from domainkit.vision.transforms._images import check_images, each_item, join
from domainkit.vision.transforms._rows import plain
from domainkit.vision.transforms._targets import box_rows, find, sizes_of
from domainkit.vision.transforms.boxes import convert_boxes, iou, is_rotated

__all__ = ["RandomIoUCrop"]

_ROUNDS = 50


@dataclass(frozen=True)
class RandomIoUCrop(Geometric):
    """Cut a random window out of every picture that overlaps one of its boxes enough.

    Takes a mapping with pictures (any dtype, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i]) and
    upright boxes (xyxy [n_i, 4], or torchvision's ``BoundingBoxes``); masks and keypoints follow.
    Pictures come out in different sizes, so as a ``Ragged`` unless all are equal.

    Per sample, a minimum overlap is drawn from ``sampler_options``; 1 or more leaves the sample as
    it is. Then up to ``trials`` windows are drawn, and the first one is taken that has an allowed
    shape, the centre of a box within, and an overlap (intersection over union) with such a box of
    at least the minimum. If none has, all starts anew, with another minimum; after 50 rounds, and
    where there is no box, the sample stays as it is. Boxes whose centre lies beyond the window
    become (0, 0, 0, 0): ``SanitizeBoundingBoxes`` takes them out, with their labels.

    Args:
        min_scale, max_scale: range of the window's width and of its height, as shares.
        min_aspect_ratio, max_aspect_ratio: range of the window's width / height.
        sampler_options: minimum overlaps; None: 0, 0.1, 0.3, 0.5, 0.7, 0.9 and 1.
        trials: windows per round.

    Exactness: the windows follow the distribution of torchvision's; picture and targets are those
    of ``torchvision.transforms.v2.functional.crop`` with the window that ``windows`` gives.

    Raises:
        TransformError: wrong arguments or shape, or no boxes.

    Example:
        >>> batch = {"image": torch.zeros(1, 3, 64, 64), "boxes": torch.tensor([[[8, 8, 40, 40]]])}
        >>> cut = RandomIoUCrop()(batch, Draws(0, 0, torch.tensor([2])))
        >>> sorted(cut)
        ['boxes', 'image']
    """

    min_scale: float = 0.3
    max_scale: float = 1.0
    min_aspect_ratio: float = 0.5
    max_aspect_ratio: float = 2.0
    sampler_options: tuple[float, ...] | None = None
    trials: int = 40

    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.min_scale <= self.max_scale <= 1:
            raise TransformError(
                "RandomIoUCrop: need 0 < min_scale <= max_scale <= 1, got "
                f"{self.min_scale!r} and {self.max_scale!r}"
            )
        if not 0 < self.min_aspect_ratio <= self.max_aspect_ratio:
            raise TransformError(
                "RandomIoUCrop: need 0 < min_aspect_ratio <= max_aspect_ratio, got "
                f"{self.min_aspect_ratio!r} and {self.max_aspect_ratio!r}"
            )
        if type(self.trials) is not int or self.trials < 1:
            raise TransformError(f"RandomIoUCrop: trials must be >= 1, got {self.trials!r}")
        if self.sampler_options is not None:
            options = tuple(self.sampler_options)
            if not options or not all(isinstance(o, (int, float)) and o >= 0 for o in options):
                raise TransformError(
                    f"RandomIoUCrop: sampler_options must be numbers >= 0, got {options!r}"
                )
            object.__setattr__(self, "sampler_options", options)

    @property
    def options(self) -> tuple[float, ...]:
        """The minimum overlaps that are drawn from."""
        return self.sampler_options or (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)

    def windows(
        self, sizes: torch.Tensor, boxes: torch.Tensor, owner: torch.Tensor, draws: Draws
    ) -> torch.Tensor:
        """int64 [B, 4] on the host: top, left, height and width of each window, in pixels.

        Args:
            sizes: int64 [B, 2], height and width of each picture.
            boxes: [N, 4], xyxy.
            owner: int64 [N], the sample of each box.
        """
        boxes, owner = boxes.cpu().double(), owner.cpu()
        found = torch.cat([torch.zeros_like(sizes), sizes], 1)  # the whole picture
        open_ = torch.bincount(owner, minlength=len(sizes)) > 0
        options = torch.tensor(self.options, dtype=torch.float64)
        steps = 1 + 4 * self.trials
        for round_ in range(_ROUNDS):
            (rows,) = torch.nonzero(open_, as_tuple=True)
            if len(rows) == 0:
                break
            part = Draws(draws.seed, draws.epoch, draws.ids.cpu()[rows], draws.op, draws.depth)
            unit = part.uniform(steps, start=round_ * steps).double()
            least = options[(unit[:, 0] * len(options)).long()]
            tries, valid = self._tries(sizes[rows], unit[:, 1:].unflatten(1, (4, -1)))
            mine = open_[owner]
            index = torch.searchsorted(rows, owner[mine])
            fits = valid & _overlaps(tries, boxes[mine], index, least)
            first = fits.int().argmax(1)  # argmax gives the first of equals
            taken = fits.any(1) & (least < 1)
            found[rows[taken]] = tries[torch.arange(len(rows)), first][taken]
            open_[rows] = ~taken & (least < 1)
        return found

    def _tries(self, sizes: torch.Tensor, unit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """int64 [b, trials, 4] windows, and bool [b, trials]: whether their shape is allowed."""
        height, width = sizes.double()[:, :, None].unbind(1)
        scale = self.min_scale + (self.max_scale - self.min_scale) * unit[:, :2]
        wide, tall = (width * scale[:, 0]).floor(), (height * scale[:, 1]).floor()
        ratio = wide / tall.clamp_min(1)
        valid = (ratio >= self.min_aspect_ratio) & (ratio <= self.max_aspect_ratio)
        left = ((width - wide) * unit[:, 2]).floor()
        top = ((height - tall) * unit[:, 3]).floor()
        tries = torch.stack([top, left, tall, wide], 2).long()
        return tries, valid & (wide > 0) & (tall > 0)

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement | None:
        """None: the windows depend on the boxes, which ``apply_batch`` looks at."""
        return None

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        raise TransformError(
            "RandomIoUCrop takes a batch with boxes, a mapping of fields, got pictures alone"
        )

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        name = find(self, batch, "Boxes")[0]
        sizes = sizes_of(plain(batch[self.field])).contiguous()
        rows, format = box_rows(name, batch[name], len(sizes))
        if is_rotated(format):
            raise TransformError("RandomIoUCrop takes upright boxes, got rotated ones")
        if len(sizes) == 0:
            return batch
        boxes = convert_boxes(rows.values.double(), format, "xyxy")
        windows = self.windows(sizes, boxes, rows.owner, draws)
        # through the ordinary way of geometry: what lies on the pictures follows
        out = _Windows(windows)._batch(batch, draws)
        window = rows.per_row(windows).double()
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        low = window[:, [1, 0]]
        within = ((middle > low) & (middle < low + window[:, [3, 2]])).all(1)
        whole = rows.per_row((windows[:, 2:] == sizes).all(1))
        after, _ = box_rows(name, out[name], len(sizes))
        zero = torch.zeros_like(after.values)
        out[name] = after.back(torch.where((within | whole)[:, None], after.values, zero))
        return out


def _overlaps(
    tries: torch.Tensor, boxes: torch.Tensor, owner: torch.Tensor, least: torch.Tensor
) -> torch.Tensor:
    """bool [b, trials]: whether a box with its centre in the window overlaps it enough."""
    corner = tries[..., [1, 0]].double()
    window = torch.cat([corner, corner + tries[..., [3, 2]]], 2)[owner]  # [n, trials, 4]
    middle = ((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None]
    within = ((window[..., :2] < middle) & (middle < window[..., 2:])).all(2)
    share = torch.where(within, iou(boxes[:, None], window), -1.0)
    best = torch.full(tries.shape[:2], -1.0, dtype=torch.float64)
    best.scatter_reduce_(0, owner[:, None].expand_as(share), share, "amax")
    return best >= least[:, None]


@dataclass(frozen=True)
class _Windows(Geometric):
    """Windows that are known, int64 [B, 4]: top, left, height and width."""

    windows: torch.Tensor

    def _batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        return super().apply_batch(batch, draws)

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        matrix = torch.eye(3, dtype=torch.float64).repeat(len(sizes), 1, 1)
        matrix[:, :2, 2] = self.windows[:, [1, 0]].double()
        return Placement(sizes, self.windows[:, 2:], matrix, window=True)

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x)
        corners = self.windows.tolist()

        def cut(i: int, picture: torch.Tensor) -> torch.Tensor:
            top, left, height, width = corners[i]
            return picture[..., top : top + height, left : left + width]

        if isinstance(x, Ragged):
            return each_item(x, cut)
        return join([cut(i, picture) for i, picture in enumerate(x)], like=x)
