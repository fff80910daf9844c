"""Colour steps that map levels to levels: negatives, fewer levels, stretched and equalised ones.

Definitions are torchvision's (and Pillow's). Every function takes pictures [B, C, H, W], uint8
(0..255) or floating (0..1), and an amount per sample [B] (which some of them have no use for), so
that a ``Program`` can run them; none writes to its input. Sums are of whole numbers, so a picture
gives the same bits alone and in any batch, on a CPU and on a GPU.
"""

from __future__ import annotations

import itertools

import torch

from domainkit.vision.transforms._images import constants
from domainkit.vision.transforms.color import _floating, _grey

__all__ = ["autocontrast", "equalize", "grayscale", "invert", "permute", "posterize", "solarize"]

PERMUTATIONS = tuple(itertools.permutations(range(3)))


def invert(x: torch.Tensor, amounts: torch.Tensor | None = None) -> torch.Tensor:
    """Negatives of pictures [B, C, H, W].

    Example:
        >>> invert(torch.tensor([[[[0, 255]]]], dtype=torch.uint8)).tolist()
        [[[[255, 0]]]]
    """
    return ~x if x.dtype == torch.uint8 else 1.0 - x


def solarize(x: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """Invert the values of pictures [B, C, H, W] that are >= ``threshold`` [B], in their unit.

    Example:
        >>> solarize(torch.tensor([[[[0.25, 0.75]]]]), torch.tensor([0.5])).tolist()
        [[[[0.25, 0.25]]]]
    """
    limit = threshold.to(x.device)[:, None, None, None]
    return torch.where(_floating(x) >= limit, invert(x), x)


def posterize(x: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    """Keep ``bits`` [B] (whole numbers, 0..8) of every value of pictures [B, C, H, W].

    Example:
        >>> posterize(torch.tensor([[[[100, 255]]]], dtype=torch.uint8), torch.tensor([1])).tolist()
        [[[[0, 128]]]]
    """
    kept = bits.to(torch.int64)
    if x.dtype == torch.uint8:
        mask = (256 - (256 >> kept)).to(torch.uint8)  # the upper bits
        return x & mask.to(x.device)[:, None, None, None]
    work = _floating(x)
    levels = (1 << kept).to(x.device, work.dtype)[:, None, None, None]
    cut = (work * levels).floor_().clamp_(min=0)
    # a power of two: the quotient is exact
    return torch.minimum(cut, levels - 1).div_(levels).to(x.dtype)


def grayscale(x: torch.Tensor, amounts: torch.Tensor | None = None) -> torch.Tensor:
    """The grey of pictures [B, 3, H, W] in all three channels; others [B, 1, H, W] stay.

    Example:
        >>> red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
        >>> [round(v, 4) for v in grayscale(red).flatten().tolist()]
        [0.2989, 0.2989, 0.2989]
    """
    if x.shape[1] == 1:
        return x
    return _grey(_floating(x), x.dtype).to(x.dtype).expand(x.shape)


def permute(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Channels of pictures [B, 3, H, W] in another order; others [B, 1, H, W] stay.

    Args:
        index: [B], 0..5: new channel c is old channel ``PERMUTATIONS[index][c]``, where
            ``PERMUTATIONS`` are those of ``itertools.permutations(range(3))``.

    Example:
        >>> rgb = torch.tensor([1, 2, 3], dtype=torch.uint8).view(1, 3, 1, 1)
        >>> permute(rgb, torch.tensor([5])).flatten().tolist()
        [3, 2, 1]
    """
    if x.shape[1] == 1:
        return x
    table = constants(PERMUTATIONS, torch.int64, x.device)
    source = table[index.to(x.device, torch.int64)]  # [B, 3]
    return x.gather(1, source[:, :, None, None].expand(x.shape))


def autocontrast(x: torch.Tensor, amounts: torch.Tensor | None = None) -> torch.Tensor:
    """Stretch every channel of pictures [B, C, H, W] to the whole range; flat ones stay.

    Example:
        >>> autocontrast(torch.tensor([[[[0.25, 0.375, 0.5]]]])).tolist()
        [[[[0.0, 0.5, 1.0]]]]
    """
    if x.numel() == 0:
        return x
    bound = 255 if x.dtype == torch.uint8 else 1
    work = _floating(x)
    least, most = work.amin((2, 3), keepdim=True), work.amax((2, 3), keepdim=True)
    flat = least == most
    scale = (most - least) * (1.0 / bound)
    scale = torch.where(flat, torch.ones_like(scale), scale)
    least = torch.where(flat, torch.zeros_like(least), least)
    return (work - least).div_(scale).clamp_(0, bound).to(x.dtype)


def equalize(x: torch.Tensor, amounts: torch.Tensor | None = None) -> torch.Tensor:
    """Spread the levels of every channel of pictures [B, C, H, W] by their cumulated histogram.

    Floating pictures are equalised over 256 levels, as torchvision does.

    Example:
        >>> dark = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4).repeat(1, 1, 16, 16)
        >>> equalize(dark).unique().tolist()[:4]
        [0, 17, 34, 51]
    """
    if x.numel() == 0:
        return x
    if x.dtype == torch.uint8:
        return _equalize(x)
    work = _floating(x)
    # the floor of x * 255.999 gives all 256 levels an equal share, as in ToDtype
    levels = _equalize((work * 255.999).clamp_(0, 255).to(torch.uint8))
    return levels.to(work.dtype).mul_(1 / 255).to(x.dtype)


def _equalize(x: torch.Tensor) -> torch.Tensor:
    flat = x.flatten(2).long()  # [B, C, pixels]
    count = flat.new_zeros(*flat.shape[:2], 256)
    count.scatter_add_(2, flat, flat.new_ones(1).expand_as(flat))
    # Pillow: with step = (pixels below the highest level) // 255, level k becomes
    # (pixels below level k + step // 2) // step; a channel whose step is 0 stays.
    highest = count.gather(2, flat.amax(2, keepdim=True))
    step = (flat.shape[2] - highest) // 255
    below = count.cumsum(2) - count
    table = ((below + step // 2) // step.clamp(min=1)).clamp_(0, 255)
    table = torch.where(step > 0, table, torch.arange(256, device=x.device))
    return table.to(torch.uint8).gather(2, flat).view(x.shape)
