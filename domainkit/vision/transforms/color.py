"""Brightness, contrast, saturation and hue of a batch, with a factor of its own per sample.

Definitions are torchvision's (and Pillow's): brightness blends with black, contrast with the mean
of the grey picture, saturation with the grey picture (picture * f + other * (1 - f), clipped), and
hue turns the hexagonal colour circle of A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978.
Results on uint8 pictures are cut to whole levels after each of them, as torchvision does.

Every step is a sum, product or comparison by itself, never a fused one, and the mean is added up in
a fixed order: so a picture gives the same bits alone and in any batch, on a CPU and on a GPU.
"""

from __future__ import annotations

import torch

__all__ = ["adjust_brightness", "adjust_contrast", "adjust_hue", "adjust_saturation"]

# grey = 0.2989 R + 0.587 G + 0.114 B, the weights that torchvision uses (ITU-R BT.601)
_RED, _GREEN, _BLUE = 0.2989, 0.587, 0.114


def adjust_brightness(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Multiply pictures [B, C, H, W] by ``factor`` [B], >= 0; 1 changes nothing.

    Example:
        >>> adjust_brightness(torch.full((1, 1, 1, 1), 0.5), torch.tensor([1.5])).item()
        0.75
    """
    work = _floating(x)
    return _finish(work * _per_sample(factor, work), x.dtype)


def adjust_contrast(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Blend pictures [B, 1 or 3, H, W] with their mean grey by ``factor`` [B], >= 0.

    Example:
        >>> flat = adjust_contrast(torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([0.0]))
        >>> flat.tolist()
        [[[[0.5, 0.5]]]]
    """
    work = _floating(x)
    return _blend(work, _mean(_grey(work, x.dtype), x.dtype), factor, x.dtype)


def adjust_saturation(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Blend pictures [B, 3, H, W] with their grey by ``factor`` [B], >= 0; grey ones stay.

    Example:
        >>> red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
        >>> [round(v, 4) for v in adjust_saturation(red, torch.tensor([0.0])).flatten().tolist()]
        [0.2989, 0.2989, 0.2989]
    """
    if x.shape[1] == 1:
        return x
    work = _floating(x)
    return _blend(work, _grey(work, x.dtype), factor, x.dtype)


def adjust_hue(x: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Turn the hue of pictures [B, 3, H, W] by ``shift`` [B] turns in [-0.5, 0.5]; grey ones stay.

    Values are to be in 0..255 (uint8) or 0..1 (floating).

    Example:
        >>> red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
        >>> adjust_hue(red, torch.tensor([0.5])).flatten().tolist()
        [0.0, 1.0, 1.0]
    """
    if x.shape[1] == 1:
        return x
    work = _floating(x)
    if x.dtype == torch.uint8:
        work = work * (1 / 255)
    red, green, blue = work.unbind(1)
    value, least = work.amax(1), work.amin(1)
    spread = value - least
    divisor = torch.where(spread == 0, torch.ones_like(spread), spread)
    # the hue in sixths of a turn, counted from the primary that is largest
    hue = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, (blue - red) / divisor + 2.0, (red - green) / divisor + 4.0),
    )
    turn = hue * (1 / 6) + shift.to(work.device, work.dtype)[:, None, None]
    sixths = (turn - turn.floor()) * 6.0
    # Back without cases: with k = (n + hue) mod 6 and n = 5, 3, 1 for red, green, blue, a channel
    # is value - spread * clip(min(k, 4 - k), 0, 1). Saturation times value is the spread itself,
    # so saturation is never needed.
    channels = []
    for n in (5.0, 3.0, 1.0):
        k = sixths + n
        k = torch.where(k >= 6.0, k - 6.0, k)
        channels.append(value - torch.minimum(k, 4.0 - k).clamp_(0.0, 1.0) * spread)
    out = torch.stack(channels, 1)
    if x.dtype == torch.uint8:
        # the floor of x * 255.999 gives all 256 levels an equal share, as in ToDtype
        return (out * 255.999).clamp_(0, 255).to(torch.uint8)
    return out.to(x.dtype)


def _floating(x: torch.Tensor) -> torch.Tensor:
    """float64 stays, all else is worked on in float32."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def _per_sample(factor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return factor.to(like.device, like.dtype)[:, None, None, None]


def _finish(out: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return out.clamp_(0, 255 if dtype == torch.uint8 else 1).to(dtype)


def _blend(
    work: torch.Tensor, other: torch.Tensor, factor: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    f = _per_sample(factor, work)
    return _finish((work * f).add_(other * (1 - f)), dtype)


def _grey(work: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """[B, 1, H, W]; whole levels where the pictures were uint8."""
    if work.shape[1] == 1:
        return work
    grey = work[:, 0:1] * _RED
    part = work[:, 1:2] * _GREEN
    grey += part
    grey += torch.mul(work[:, 2:3], _BLUE, out=part)
    return grey.floor_() if dtype == torch.uint8 else grey


def _mean(grey: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """[B, 1, 1, 1]. torch.mean adds up in an order that depends on the batch: not used here."""
    flat = grey.flatten(1)
    count = flat.shape[1]
    if dtype == torch.uint8:  # whole numbers: exact in any order
        total = flat.to(torch.int64).sum(1).to(torch.float64)
    else:
        while flat.shape[1] > 1:  # pairwise, always the same pairs
            half = (flat.shape[1] + 1) // 2
            folded = flat[:, :half].clone()
            folded[:, : flat.shape[1] - half] += flat[:, half:]
            flat = folded
        total = flat[:, 0].to(torch.float64)
    return (total / count).to(grey.dtype)[:, None, None, None]
