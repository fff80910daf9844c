"""Readings: pictures made so that a transform's draws can be read from what it does to them.

A reading is a function (op, draws, device) -> one number per sample. All samples get the same
picture, so that whatever differs between them was drawn.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from domainkit.draws import Draws
from domainkit.vision import transforms as T

__all__ = [
    "Look",
    "affine",
    "area",
    "blur_sigma",
    "boxes_cut",
    "changed",
    "corner",
    "crop_window",
    "erased",
    "iou_crop",
    "jpeg_quality",
    "mixing",
    "own",
    "parameter",
    "pixel",
    "sizes",
    "zoom",
]

Look = Callable[[Any, Draws, str], Any]


def run(op: Any, picture: torch.Tensor, draws: Draws, device: str) -> Any:
    """``op`` on a batch of equal pictures [C, H, W]."""
    return op(picture.to(device).repeat(len(draws), 1, 1, 1), draws)


def numbers(value: Any) -> np.ndarray:
    return np.asarray(torch.as_tensor(value).cpu().double())


def ramps(height: int, width: int) -> torch.Tensor:
    """float32 [2, height, width]: every pixel holds its own (x, y), of its centre."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([x, y])


def changed(*pixels: Sequence[Sequence[float]], dtype: torch.dtype = torch.uint8) -> Look:
    """1 where the picture with these channels comes out another, else 0."""
    picture = torch.tensor(pixels).to(dtype)

    def look(op: Any, draws: Draws, device: str) -> Any:
        out = run(op, picture, draws, device)
        return numbers((out.cpu() != picture).flatten(1).any(1))

    return look


def pixel(picture: torch.Tensor, read: Callable[[torch.Tensor], torch.Tensor]) -> Look:
    """``read`` of the dense batch that comes out."""
    return lambda op, draws, device: numbers(read(run(op, picture, draws, device).cpu()))


def parameter(read: Callable[[Any, Draws], Any]) -> Look:
    """What the op's own function says, where pixels do not tell."""
    return lambda op, draws, device: numbers(read(op, draws))


def own(*values: float) -> torch.Tensor:
    """float32 [3, 1, 1]: one pixel of this colour."""
    return torch.tensor(values).view(-1, 1, 1)


def affine(read: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Look:
    """``read(linear [B, 2, 2], shift [B, 2])`` of the map from the output to the input.

    The shift is that of the middle of the picture, 40 pixels wide and 30 high.
    """

    def look(op: Any, draws: Draws, device: str) -> Any:
        out = run(op, ramps(30, 40), draws, device).cpu().double().numpy()
        at = out[:, :, 15, 20]  # its centre is (0.5, 0.5) beyond the middle
        across, down = out[:, :, 15, 21] - at, out[:, :, 16, 20] - at
        linear = np.stack([across, down], 2)
        return read(linear, at - linear.sum(2) / 2 - [20, 15])

    return look


def corner(number: int, axis: int) -> Look:
    """Where a corner of a picture 40 wide and 30 high goes, by the homography seen in the middle.

    Corners are upper left, upper right, lower right, lower left; axis 0 is x.
    """
    points = [(16, 12), (24, 12), (24, 18), (16, 18)]
    there = [(0, 0), (39, 0), (39, 29), (0, 29)][number]

    def look(op: Any, draws: Draws, device: str) -> Any:
        out = run(op, ramps(30, 40), draws, device).cpu().double().numpy()
        rows, right = [], []
        for x, y in points:  # the output's pixel (x, y) shows the input's point (u, v)
            u, v = out[:, 0, y, x], out[:, 1, y, x]
            one, zero = np.ones_like(u), np.zeros_like(u)
            p, q = one * (x + 0.5), one * (y + 0.5)
            rows.append(np.stack([u, v, one, zero, zero, zero, -p * u, -p * v], 1))
            rows.append(np.stack([zero, zero, zero, u, v, one, -q * u, -q * v], 1))
            right += [p, q]
        solved = np.linalg.solve(np.stack(rows, 1), np.stack(right, 1)[..., None])[..., 0]
        full = np.concatenate([solved, np.ones_like(solved[:, :1])], 1).reshape(-1, 3, 3)
        moved = full @ np.array([*there, 1.0])
        place = moved[:, axis] / moved[:, 2]
        assert np.abs(place - place.round()).max() < 0.01  # corners go by whole pixels
        return place.round()

    return look


def crop_window(read: Callable[[np.ndarray], np.ndarray]) -> Look:
    """``read`` of (top, left, height, width) [4, B] of windows resized to 2 x 2, not antialiased.

    The picture is 300 x 400. The two samples of a side lie a quarter within the window.
    """

    def look(op: Any, draws: Draws, device: str) -> Any:
        picture = ramps(300, 400).to(device)
        x = picture.expand(len(draws), -1, -1, -1)
        out = op(x, draws).cpu().double().numpy()
        width = 2 * (out[:, 0, 0, 1] - out[:, 0, 0, 0])
        height = 2 * (out[:, 1, 1, 0] - out[:, 1, 0, 0])
        left, top = out[:, 0, 0, 0] - width / 4, out[:, 1, 0, 0] - height / 4
        return read(np.stack([top, left, height, width]).round())

    return look


def erased(read: Callable[[np.ndarray], np.ndarray]) -> Look:
    """``read`` of (top, left, height, width) [4, B] of what became 0 of 120 x 100 ones."""

    def look(op: Any, draws: Draws, device: str) -> Any:
        picture = torch.ones(1, 120, 100, dtype=torch.uint8)
        gone = (run(op, picture, draws, device) == 0)[:, 0].cpu()
        return read(boxes_cut(gone))

    return look


def boxes_cut(gone: torch.Tensor) -> np.ndarray:
    """(top, left, height, width) [4, B] of the rectangle that is True in bool [B, H, W]."""
    rows, columns = gone.any(2).int(), gone.any(1).int()
    found = [rows.argmax(1), columns.argmax(1), rows.sum(1), columns.sum(1)]
    return np.stack([numbers(f) for f in found])


def area(box: np.ndarray) -> np.ndarray:
    return box[2] * box[3]


def sizes(height: int, width: int, read: Callable[[np.ndarray], np.ndarray]) -> Look:
    """``read`` of the sizes (height, width) [2, B] that pictures come out in."""

    def look(op: Any, draws: Draws, device: str) -> Any:
        out = run(op, torch.zeros(1, height, width, dtype=torch.uint8), draws, device)
        return read(np.array([p.shape[1:] for p in out], float).T)

    return look


def zoom(read: Callable[[np.ndarray], np.ndarray]) -> Look:
    """``read`` of (top, left, height, width) [4, B]: the place of 50 x 50 ones on a canvas, and
    the canvas."""

    def look(op: Any, draws: Draws, device: str) -> Any:
        out = run(op, torch.ones(1, 50, 50, dtype=torch.uint8), draws, device)
        found = [
            (*boxes_cut(p.cpu() > 0)[:2, 0].tolist(), *(float(n) for n in p.shape[1:])) for p in out
        ]
        return read(np.array(found).T)

    return look


def blur_sigma(op: Any, draws: Draws, device: str) -> Any:
    """From a spot: a pixel at distance 1 holds exp(-1 / (2 sigma**2)) of the middle one."""
    spot = torch.zeros(1, 1, 15)
    spot[0, 0, 7] = 1
    out = run(op, spot, draws, device)[:, 0, 0].cpu().double()
    return numbers((-0.5 / (out[:, 8] / out[:, 7]).log()).sqrt())


def jpeg_quality(op: Any, draws: Draws, device: str) -> Any:
    """Which of the files of the qualities 10..19 a picture is."""
    noise = torch.Generator().manual_seed(0)
    picture = torch.randint(0, 256, (3, 16, 16), generator=noise).byte()
    files = [T.JPEG(q)(picture[None])[0] for q in range(10, 20)]
    out = run(op, picture, draws, device).cpu()
    same = torch.stack([(out == file).flatten(1).all(1) for file in files], 1)
    assert (same.sum(1) == 1).all()
    return numbers(10 + same.int().argmax(1))


def mixing(read: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Look:
    """``read(share [B], values [B, 20, 30])`` of samples that meet a partner of another class.

    The pictures are ones and zeros by turns; a sample's partner is of the other kind in any batch
    of even size, whoever it is, and zeros are turned over after it.
    """

    def look(op: Any, draws: Draws, device: str) -> Any:
        kind = (torch.arange(len(draws)) % 2).to(device)
        x = kind.float()[:, None, None, None].repeat(1, 1, 20, 30)
        out = op({"image": x, "label": kind}, draws)
        share = out["label"].gather(1, kind[:, None])[:, 0]
        values = torch.where(kind[:, None, None] == 1, out["image"][:, 0], 1 - out["image"][:, 0])
        assert (values.flatten(1).double().mean(1) - share).abs().max() < 1e-5  # labels follow
        return read(numbers(share), numbers(values))

    return look


def iou_crop(op: Any, draws: Draws, device: str) -> Any:
    """The share of its width that a picture with one box keeps."""
    boxes = torch.tensor([[[200.0, 200, 300, 300]]]).repeat(len(draws), 1, 1)
    x = torch.zeros(1, 1, 500, 500, dtype=torch.uint8).repeat(len(draws), 1, 1, 1).to(device)
    out = op({"image": x, "boxes": boxes.to(device)}, draws)
    return np.array([(p.shape[2] + 0.5) / 500 for p in out["image"]])


def order_of(values: torch.Tensor) -> torch.Tensor:
    """The number of each row of [B, n] in ``itertools.permutations(range(n))``."""
    table = {p: i for i, p in enumerate(itertools.permutations(range(values.shape[1])))}
    return torch.tensor([table[tuple(row)] for row in values.tolist()])


def degrees(sine: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    return np.arctan2(sine, cosine) * (180 / math.pi)
