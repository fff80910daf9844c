"""Random numbers for every value of pictures, one picture's at a time on a CPU."""

from __future__ import annotations

import math

import numpy as np
import torch

from domainkit.draws import MASK, ROUNDS, WEYL, Draws
from domainkit.vision.transforms.kernels.forms import numba_can

__all__ = ["alone", "noise_in_boxes", "normal_parts", "normals", "quick"]

_FIRST = 1 << 16  # numbers before this one are for boxes and colours
_APART = 1 << 26  # numbers for a rectangle: more than any has values


def alone(draws: Draws, i: int) -> Draws:
    """The draws of sample ``i``."""
    return Draws(draws.seed, draws.epoch, draws.ids[i : i + 1], draws.op, draws.depth)


def normals(draws: Draws, n: int, *, start: int = 0) -> torch.Tensor:
    """float32 [n] on the host: ``draws.normal`` of the only sample, the same bits.

    Args:
        start: an even number.

    Example:
        >>> draws = Draws(0, 0, torch.tensor([7]))
        >>> torch.equal(normals(draws, 9), draws.normal(9)[0])
        True
    """
    if not quick(n):
        return draws.normal(n, start=start, device="cpu")[0]
    lengths, cosines = normal_parts(draws, n, start=start)
    return lengths.mul_(cosines)


def quick(n: int) -> bool:
    """Whether ``normal_parts`` can give ``n`` numbers, and is worth it."""
    return n >= 512 and numba_can(torch.empty(0))


def normal_parts(draws: Draws, n: int, *, start: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Lengths and cosines float32 [n]: their product is ``normals``."""
    from domainkit.vision.transforms.kernels.numba_noise import compiled

    seed, number = int(draws.seed) & 0xFFFFFFFFFFFFFFFF, int(draws.ids[0])
    words = [number & MASK, (number >> 32 & 0xFFFF) | draws.op << 16, draws.epoch]
    start_of = (seed & MASK, seed >> 32)
    key = [(start_of[i] + WEYL[i] * turn) & MASK for turn in range(ROUNDS) for i in (0, 1)]
    even, odd = torch.empty(n), torch.empty(n)
    arrays = (np.array(words, np.uint64), np.array(key, np.uint64))
    compiled("unit_pairs")(start // 2, *arrays, even.numpy(), odd.numpy())
    # as in Draws.normal; by torch, whose root is not always the nearest number
    return even.neg_().log1p_().mul_(-2.0).sqrt_(), odd.mul_(2.0 * math.pi).cos_()


def noise_in_boxes(x: torch.Tensor, boxes: torch.Tensor, draws: Draws, number: int) -> None:
    """Fill rectangle ``number`` of every picture with random numbers, in place.

    Standard normal numbers in floating pictures, uniform levels in uint8 ones. A value's number is
    counted within its rectangle: channel by channel, row by row.

    Args:
        x: [B, C, H, W].
        boxes: int64 [B, 4] on the host: top, left, height, width.
    """
    start = _FIRST + _APART * number
    if not x.is_cuda:
        for i, (top, left, height, width) in enumerate(boxes.tolist()):
            count = x.shape[1] * height * width
            if count:
                values = _numbers(alone(draws, i), count, start, x.dtype).view(-1, height, width)
                x[i, :, top : top + height, left : left + width] = values
        return
    ends = (x.shape[1] * boxes[:, 2] * boxes[:, 3]).cumsum(0)
    offsets = torch.cat([ends.new_zeros(1), ends])
    total = int(ends[-1])  # on the host: nobody waits
    there = boxes.to(x.device)
    offsets = offsets.to(x.device)
    sample = torch.repeat_interleave(
        torch.arange(len(x), device=x.device), offsets.diff(), output_size=total
    )
    place = torch.arange(total, device=x.device) - offsets[sample]
    top, left, height, width = there[sample].unbind(1)
    row, column, channel = place // width % height, place % width, place // (width * height)
    if x.dtype == torch.uint8:
        values = draws.uniform_ragged(offsets, start=start) * 256
    else:
        pairs = draws.uniform_ragged(2 * offsets, start=2 * start).view(-1, 2)
        values = (-2.0 * torch.log1p(-pairs[:, 0])).sqrt() * torch.cos(2 * math.pi * pairs[:, 1])
    x[sample, channel, top + row, left + column] = values.to(x.dtype)


def _numbers(draws: Draws, n: int, start: int, dtype: torch.dtype) -> torch.Tensor:
    if dtype == torch.uint8:
        return (draws.uniform(n, start=start, device="cpu") * 256).to(dtype)
    return normals(draws, n, start=start).to(dtype)
